"""Commands as people and scripts run them: processes, with a terminal and without."""

import asyncio
import fcntl
import os
import signal
import struct
import sys
import termios
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pytest
import uvloop

import cli

COMMAND = (sys.executable, "-P", "-m", "cli.main")
ENV = os.environ | {
    "PYTHONPATH": str(Path(cli.__file__).parent.parent),
    "COLUMNS": "160",
    "TZ": "UTC",
}


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop}  # a command is a process of its own


class Terminal:
    """A command on a terminal of its own, wide enough for every table."""

    def __init__(self, *arguments: str) -> None:
        self._master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 160, 0, 0))
        os.set_blocking(self._master, False)
        self._slave = slave
        self._arguments = arguments
        self._shown = b""
        self._news = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *(*COMMAND, *self._arguments),
            env=ENV | {"TERM": "xterm"},
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
        )
        os.close(self._slave)
        asyncio.get_running_loop().add_reader(self._master, self._read)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)

    async def shows(self, text: bytes, *, times: int = 1) -> bytes:
        """Return all that was shown once `text` was."""
        async with asyncio.timeout(20):
            while self._shown.count(text) < times:
                self._news.clear()
                await self._news.wait()
        return self._shown

    def type(self, letters: bytes) -> None:
        """Have somebody type."""
        os.write(self._master, letters)

    async def end(self) -> int:
        """Press Ctrl-C and return the exit code."""
        self._process.send_signal(signal.SIGINT)
        return await self.ended()

    async def ended(self) -> int:
        async with asyncio.timeout(20):
            code = await self._process.wait()
        self._read()
        return code

    @property
    def shown(self) -> bytes:
        return self._shown

    def _read(self) -> None:
        try:
            while data := os.read(self._master, 65_536):
                self._shown += data
        except BlockingIOError:
            pass
        except OSError:  # the other side is closed
            asyncio.get_running_loop().remove_reader(self._master)
        self._news.set()


@dataclass(frozen=True)
class Ran:
    """What a command came to."""

    code: int
    out: bytes
    err: str


Nss = Callable[..., Coroutine[None, None, Ran]]


@pytest.fixture
def config(folder: Path, socket_path: Path) -> Path:
    """A configuration file that names the control socket of the test, and nothing else."""
    path = folder / "nss.toml"
    path.write_text(f'[service]\ncontrol_socket = "{socket_path.name}"\n')
    return path


@pytest.fixture
def nss(config: Path) -> Nss:
    """Run `nss` against the control socket of the test, without a terminal."""

    async def run(command: str, *arguments: str) -> Ran:
        process = await asyncio.create_subprocess_exec(
            *(*COMMAND, command, *arguments, "--config", str(config)),
            env=ENV,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(20):
                out, err = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode is not None
        return Ran(process.returncode, out, err.decode())

    return run
