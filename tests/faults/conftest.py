"""`nss run` on a durable spool, asked over its control socket while things around it break."""

import asyncio
import contextlib
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

import pytest
import uvloop

from nss.admin.control.client import ControlClient
from nss.status.summary import FeedStatus, Status
from tests.service.conftest import COMMAND, ENV, Running, collector

__all__ = ["collector"]

WAIT_SECS = 40.0


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop}


class Scene:
    """A folder with a configuration, and the services that were started with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "nss.toml"
        self.wrapper: tuple[str, ...] = ()
        """A command that starts the service."""
        self._started: list[Running] = []
        self._client = ControlClient(folder / "control.sock")

    def write(self, *sections: str, drain_secs: float = 10, **spool: str | int) -> None:
        """Write the configuration; `spool` are the settings of the spool."""
        settings: dict[str, str | int] = {"path": "spool.db", "min_free_bytes": 0, **spool}
        lines = [f"{key} = {_toml(value)}" for key, value in settings.items()]
        service = f'log_format = "json"\ncontrol_socket = "control.sock"\ndrain_secs = {drain_secs}'
        self.config.write_text("\n".join(["[service]", service, "[spool]", *lines, "", *sections]))

    async def run(self) -> Running:
        """Start the service with what was written; it need not come up."""
        self._started.append(await Running.start(self.config, *self.wrapper))
        return self._started[-1]

    async def start(self, *sections: str, drain_secs: float = 10, **spool: str | int) -> Running:
        """Write the configuration, start the service and wait until it runs."""
        self.write(*sections, drain_secs=drain_secs, **spool)
        running = await self.run()
        await running.reported("service_started")
        return running

    async def status(self) -> Status:
        """Ask the service."""
        return await asyncio.to_thread(self._client.status)

    async def feed(self, name: str = "out") -> FeedStatus:
        """Ask about a feed."""
        return next(feed for feed in (await self.status()).feeds if feed.name == name)

    async def until(self, holds: Callable[[Status], bool]) -> Status:
        """Wait until something can be said of the status, and return it."""
        async with asyncio.timeout(WAIT_SECS):
            while not holds(status := await self.status()):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.03)
        return status

    async def command(self, *words: str, **environ: str) -> tuple[int, str]:
        """Run an `nss` command; return its exit code and what it wrote."""
        process = await asyncio.create_subprocess_exec(
            *(*COMMAND, *words, "--config", str(self.config)),
            env=ENV | environ,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(WAIT_SECS):
            told, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, told.decode()

    async def stop(self, running: Running) -> int:
        """Stop the service in order; return its exit code."""
        running.send_signal(signal.SIGTERM)
        return await running.ended()

    async def close(self) -> None:
        """End everything."""
        for running in self._started:
            await running.kill()
        self._client.close()

    def lines(self, name: str = "lines") -> list[bytes]:
        """Return the lines of a file in the folder."""
        return (self.folder / name).read_bytes().split(b"\n")[:-1]


def _toml(value: str | int) -> str:
    return str(value) if isinstance(value, int) else f'"{value}"'


def sink(kind: str, *settings: str, name: str = "out", preset: str = "QRADAR") -> str:
    """Return the sections of a feed."""
    head = f'[feeds.{name}]\nformat = "{preset}"\n[feeds.{name}.sink]\nkind = "{kind}"'
    return "\n".join([head, *settings, ""])


def web(path: Path | str = "web.log", *, follow: bool = True) -> str:
    """Return the section of a source that follows a file."""
    follows = str(follow).lower()
    return (
        f'[sources.web]\nkind = "file"\npath = "{path}"\npoll_secs = 0.02\nformat = "json"\n'
        f"follow = {follows}\n"
    )


def settled(status: Status) -> bool:
    """Return whether nothing is pending."""
    return not any(feed.pending for feed in status.feeds)


def adds_up(feed: FeedStatus) -> bool:
    """Return whether each record that was accepted is accounted for."""
    return feed.unaccounted == 0


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """A scene in a folder of its own."""
    made = Scene(tmp_path)
    yield made
    await made.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MiB in memory."""
    if sys.platform != "linux":
        pytest.skip("tmpfs is Linux's")
    folder = tmp_path / "disk"
    folder.mkdir()
    options = ("-o", "size=24m,mode=0700")
    mounting = subprocess.run(  # noqa: S603 - the folder is ours
        ["mount", "-t", "tmpfs", *options, "tmpfs", str(folder)],  # noqa: S607 - whichever there is
        capture_output=True,
        check=False,
    )
    if mounting.returncode:
        pytest.skip(f"no tmpfs can be mounted: {mounting.stderr.decode().strip()}")
    yield folder
    # The service is killed by then; `-l` lets go of the mount even if it is not gone yet.
    with contextlib.suppress(subprocess.CalledProcessError):
        subprocess.run(["umount", "-l", str(folder)], check=True)  # noqa: S603, S607 - as above
