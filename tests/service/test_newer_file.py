"""Whether the configuration file is another than the one that runs."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from nss.config.load import load
from nss.config.model import Config
from nss.service.newer_file import NewerFile
from nss.service.running import Running
from nss.status.notices import newer_file
from nss.telemetry.events import report_held_back
from tests.parts import happened

TEXT = """
[sources.web]
kind = "file"
path = "web.log"
format_string = "%s{login}"
[feeds.out]
format = "QRADAR"
[feeds.out.sink]
kind = "file"
path = "lines"
"""


class Watched:
    """A file, and what runs."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "nss.toml"
        self.path.write_text(TEXT)
        self.config: Config = load(self.path)
        self.file = NewerFile(self.path, Running(), lambda: self.config)

    async def said(self) -> str | None:
        """Return what is said of it now."""
        await self.file.look()
        reading = self.file.reading
        return None if reading is None else newer_file(reading).remedy


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


async def test_a_file_that_says_what_runs_is_not_mentioned(watched: Watched) -> None:
    assert await watched.said() is None
    watched.path.write_text(f"# a comment\n{TEXT}")
    os.utime(watched.path)
    assert await watched.said() is None


async def test_a_changed_setting_is_put_in_force_by_a_reload(watched: Watched) -> None:
    watched.path.write_text(TEXT.replace("QRADAR", "MCAS"))
    assert await watched.said() == "put it in force: sudo nss reload"
    since = watched.file.reading
    assert await watched.said() is not None
    assert watched.file.reading == since

    watched.path.write_text(TEXT)
    assert await watched.said() is None


async def test_one_that_no_reload_changes_by_a_restart(watched: Watched) -> None:
    watched.path.write_text(f'[spool]\nkind = "memory"\n{TEXT}')
    found = await watched.said()
    assert found is not None
    assert found.startswith("put it in force: sudo nss restart (no reload changes spool.")


async def test_a_look_that_fails_is_reported_and_not_the_last(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    report_held_back()
    caplog.clear()
    faults = [RuntimeError("a bug")]

    def configuration() -> Config:
        if faults:
            raise faults.pop()
        return watched.config

    file = NewerFile(watched.path, Running(), configuration)
    watched.path.write_text(TEXT.replace("QRADAR", "MCAS"))
    watching = asyncio.create_task(file.watch(0.01))
    async with asyncio.timeout(30):
        while file.reading is None and not watching.done():  # noqa: ASYNC110 - there is no signal
            await asyncio.sleep(0.01)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)

    assert file.reading is not None
    ((event, facts),) = happened(caplog)
    assert (event, facts["what"]) == ("look_failed", "the configuration file")
    assert facts["why"].startswith("unplanned RuntimeError (")


def as_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("break_it", "problem"),
    [
        (lambda path: path.write_text("[feeds"), "line 1, column 7: not TOML: "),
        (lambda path: path.unlink(), "no such file or directory"),
        (lambda path: path.write_bytes(b" " * (5 << 20)), "it has more than "),
        (as_pipe, "it is not a regular file"),
    ],
)
async def test_one_that_can_not_be_put_in_force_says_why(
    watched: Watched, break_it: Callable[[Path], object], problem: str
) -> None:
    break_it(watched.path)
    assert await watched.said() == "fix what sudo nss check shows, then: sudo nss reload"
    assert watched.file.reading is not None
    assert (watched.file.reading.problem or "").startswith(problem)


async def test_what_a_reload_refused_is_not_mentioned_again_until_it_changes(
    watched: Watched,
) -> None:
    watched.path.write_text("[feeds")
    await watched.file.refused()
    assert await watched.said() is None

    watched.path.write_text(TEXT.replace("QRADAR", "MCAS"))
    assert await watched.said() == "put it in force: sudo nss reload"
    watched.config = load(watched.path)
    watched.file.reloaded()
    assert await watched.said() is None
