"""The watch over uploaded files in a service: when there is one, and what its own faults do."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from nss.config.load import parse
from nss.config.model import Config
from nss.errors import ConfigError
from nss.mcas.access import McasAccess
from nss.mcas.uploaded import UploadedFiles
from nss.service.parsing import ParseWatching
from tests.parts import happened

FEED = """
[sources.web]
kind = "stdin"
[feeds.up]
format = "MCAS"
sink = {kind = "cloud_discovery"}
"""


def configured(folder: Path, mcas: str = "", feed: str = FEED) -> Config:
    return parse(f'[service]\nstate_directory = "{folder}"\n[mcas]\n{mcas}\n{feed}', folder)


@dataclass
class Access:
    """Sessions that can't be had, or are no good."""

    fails: bool = False
    sessions: int = 0

    def session(self, _config: Config) -> "Access":
        self.sessions += 1
        if self.fails:
            raise ConfigError("user and password proxy-auth: no such file or directory")
        return self

    @property
    def limiter(self) -> object:
        raise LookupError("planted")

    def stamp(self) -> object:
        return 1


def watching(access: Access) -> ParseWatching:
    return ParseWatching(cast("McasAccess", access))


async def test_there_is_one_while_a_feed_uploads_and_it_is_wanted(tmp_path: Path) -> None:
    access = Access()
    parts = watching(access)
    await parts.follow(configured(tmp_path))
    await parts.follow(configured(tmp_path))
    reading = parts.reading()
    assert reading is not None
    assert (reading.data_source, reading.read_at, access.sessions) == ("NSS", None, 1)
    await parts.follow(configured(tmp_path, 'data_source = "Other"'))
    again = parts.reading()
    assert again is not None
    assert (again.data_source, access.sessions) == ("Other", 2)
    await parts.follow(configured(tmp_path, "parse_check_secs = 0"))
    assert parts.reading() is None
    await parts.follow(configured(tmp_path))
    file_feed = FEED.replace('{kind = "cloud_discovery"}', '{kind = "file", path = "-"}')
    await parts.follow(configured(tmp_path, feed=file_feed))
    assert parts.reading() is None
    await parts.close()


async def test_a_session_that_can_not_be_had_is_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    parts = watching(Access(fails=True))
    await parts.follow(configured(tmp_path))
    assert parts.reading() is None
    reason = "user and password proxy-auth: no such file or directory"
    assert happened(caplog) == [("part_ended", {"why": reason})]


async def test_an_unplanned_error_is_reported_and_shown_and_ends_only_the_watch(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "uploads").mkdir()
    names = UploadedFiles(tmp_path / "uploads", "up")
    names.begin("up-20261126T120000-1.log", 2e9)
    names.finish(2e9)
    parts = watching(Access())
    await parts.follow(configured(tmp_path))

    def unreadable() -> str:
        reading = parts.reading()
        return "" if reading is None else str(reading.unreadable)

    async with asyncio.timeout(30):
        while "the watch ended: unplanned LookupError" not in unreadable():  # noqa: ASYNC110 - nobody says so
            await asyncio.sleep(0.01)
    await parts.close()
    assert [name for name, _ in happened(caplog)] == ["part_ended"]
