"""Watches what becomes of uploaded files: reads the governance log every now and then.

It has the lowest priority. Nothing is asked while nothing of ours waits for a result, each page
waits until there are requests to spare (`Limiter.spare`), and a refusal holds back nothing but the
watch itself. A sweep of the log begins where something has no result yet, and goes on, page after
page by timestamp, to its end; one look reads at most `MAX_PAGES`, and the next one continues there,
also in the next process. All of it is in the state directory, in `parse-results.json`.
"""

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from nss import foreign
from nss.config.model import McasConfig
from nss.errors import NssError
from nss.files.private import FileFault, read_bounded, write_private
from nss.mcas import McasError, events
from nss.mcas.access import RESULTS_NAME, UPLOADS_NAME
from nss.mcas.api import McasApi
from nss.mcas.parse_results import (
    OVERLAP_SECS,
    FileResult,
    ParseFailure,
    ParseResults,
    ParseSummary,
)
from nss.mcas.parse_sweep import ODD_ENTRIES, Position, Sweep, stream_id
from nss.mcas.session import McasSession
from nss.mcas.uploaded import feed_of, files_stamp, uploaded_by
from nss.wording import error_text

MAX_PAGES = 10
"""How many pages one look reads: a thousand entries."""

CONTINUE_SECS = 60.0
"""How soon to look again when a sweep did not come to its end."""

SPARE_SECS = 300.0
"""How long to wait for requests to spare."""

LOOK_SECS = 2.0
"""How often to see whether files were uploaded, and whether a look is due."""

MAX_BYTES = 16 << 20

_FORM = 1


class _Stored(msgspec.Struct, frozen=True):
    form: int
    api_url: str
    data_source: str
    stream_id: str | None
    looked_at: float
    read_at: float | None
    unreadable: str | None
    position: Position | None
    results: dict[str, FileResult]


@dataclass(slots=True)
class _Known:
    """What is in the file, but for the results."""

    api_url: str = ""
    looked_at: float = 0.0
    sweep: Sweep | None = None
    """One that has not come to its end."""


class ParseWatch:
    """The watch of one service over the files of its upload feeds.

    `now` returns seconds since the epoch; `look_secs` is a seam for tests.
    """

    def __init__(
        self,
        session: McasSession,
        mcas: McasConfig,
        feeds: Collection[str],
        state_directory: Path,
        *,
        now: Callable[[], float] = time.time,
        look_secs: float = LOOK_SECS,
    ) -> None:
        self.data_source = mcas.data_source
        self.read_at: float | None = None
        """When the log was last read to its end, seconds since the epoch."""
        self.unreadable: str | None = None
        """Why results can't be read, as a sentence."""
        self._session = session
        self._mcas = mcas
        self._feeds = tuple(feeds)
        self._uploads = state_directory / UPLOADS_NAME
        self._path = state_directory / RESULTS_NAME
        self._now = now
        self._look_secs = look_secs
        self._results = ParseResults(mcas.parse_failure_days, now=now)
        self._known = _Known()
        self._retry_at = 0.0
        self._tried: object = None
        """The stamp of the credentials at the last look."""
        self._files: object = None
        """The stamp of the names of files that were read last."""
        self.summary: ParseSummary = self._results.summary()
        """What is known now."""

    async def run(self) -> None:
        """Watch until cancelled."""
        try:
            await asyncio.to_thread(self._load)
        except (OSError, FileFault, ValueError) as error:
            reason = error_text(error) if isinstance(error, OSError) else str(error)
            events.parse_results_forgotten(reason)
        while True:
            await self._notice_files()
            if self._is_due():
                await self.look()
            self.summary = self._results.summary()
            await asyncio.sleep(self._look_secs)

    async def look(self) -> None:
        """Read some of the log, unless that can't be done now."""
        now = self._known.looked_at = self._now()
        self._retry_at, self._tried = 0.0, self._session.stamp()
        try:
            await self._spare()
            api = await self._session.api()
            await self._meet(api)
            await self._read(api)
        except TimeoutError:
            self._can_not_read("uploads take all requests of a minute (requests_per_minute)")
        except McasError as error:
            self._can_not_read(error.sentence)
            self._retry_at = now + (error.retry_after_secs or 0.0)
        except NssError as error:
            self._can_not_read(str(error.args[0]))
        except OSError as error:
            self._can_not_read(error_text(error))
        self.summary = self._results.summary()
        try:
            await asyncio.to_thread(self._save)
        except OSError as error:
            events.parse_results_unwritable(error_text(error))

    async def _spare(self) -> None:
        async with asyncio.timeout(SPARE_SECS):
            await self._session.limiter.spare()

    async def _meet(self, api: McasApi) -> None:
        """See that what is known is of this tenant."""
        known, results = self._known, self._results
        if api.api_url != known.api_url:
            known.api_url, known.sweep = api.api_url, None
            results.results.clear()
            results.stream_id = None
        if results.stream_id is None:
            results.stream_id = await stream_id(api, results.files, self.data_source)

    async def _read(self, api: McasApi) -> None:
        known, results = self._known, self._results
        sweep = known.sweep = known.sweep or self._new_sweep()
        had_failed = bool(results.summary().standing)
        for _ in range(MAX_PAGES):
            for failure in await sweep.read_page(api, results):
                _report(failure)
            if sweep.is_done:
                break
            await self._spare()
        summary = results.summary()
        if had_failed and not summary.standing:
            events.upload_parse_recovered(summary.parsed)
        if sweep.is_done:
            known.sweep, self.read_at = None, self._now()
            self._could_read(sweep)

    def _new_sweep(self) -> Sweep:
        since = self._results.unsettled_since()
        since = self._now() if since is None else since
        return Sweep(Position(max(0.0, since - OVERLAP_SECS)))

    def _could_read(self, sweep: Sweep) -> None:
        if sweep.odd:
            self._can_not_read(f"{ODD_ENTRIES}: {sweep.odd}")
        elif self.unreadable is not None:
            self.unreadable = None
            events.parse_results_readable()

    def _can_not_read(self, reason: str) -> None:
        self.unreadable = reason
        events.parse_results_unreadable(reason)

    def _is_due(self) -> bool:
        results, known, now = self._results, self._known, self._now()
        if results.unsettled_since() is None and known.sweep is None:
            return False
        if self.unreadable is not None and self._tried != self._session.stamp():
            return True  # with other credentials it may be read
        wait_secs = self._mcas.parse_check_secs
        if known.sweep is not None and self.unreadable is None:
            wait_secs = min(wait_secs, CONTINUE_SECS)
        earliest = max(known.looked_at + wait_secs, self._retry_at)
        return now >= earliest or now < known.looked_at  # the clock was set back

    async def _notice_files(self) -> None:
        """Read the names of files that were uploaded, if there are others than before."""
        stamp = files_stamp(self._uploads, self._feeds)
        if stamp == self._files:
            return
        try:
            files = await asyncio.to_thread(uploaded_by, self._uploads, self._feeds)
        except (OSError, FileFault, ValueError) as error:
            reason = error_text(error) if isinstance(error, OSError) else str(error)
            self._can_not_read(f"the names of uploaded files can't be read: {reason}")
            return
        self._results.files, self._files = files, stamp

    # The file.

    def _load(self) -> None:
        try:
            data = read_bounded(self._path, MAX_BYTES)
        except FileNotFoundError:
            return
        stored = foreign.decode(data, _Stored)
        if stored.form != _FORM:
            raise ValueError(f"form {stored.form} is not known")
        if stored.data_source != self.data_source:
            return
        sweep = None if stored.position is None else Sweep(stored.position)
        self._known = _Known(stored.api_url, stored.looked_at, sweep)
        self.read_at, self.unreadable = stored.read_at, stored.unreadable
        self._results.stream_id = stored.stream_id
        self._results.results = {
            key: result
            for key, result in stored.results.items()
            if result.file is None or feed_of(result.file) in self._feeds  # or the feed is gone
        }

    def _save(self) -> None:
        known = self._known
        stored = _Stored(
            form=_FORM,
            api_url=known.api_url,
            data_source=self.data_source,
            stream_id=self._results.stream_id,
            looked_at=known.looked_at,
            read_at=self.read_at,
            unreadable=self.unreadable,
            position=None if known.sweep is None else known.sweep.position,
            results=self._results.results,
        )
        write_private(self._path, msgspec.json.encode(stored))


def _report(failure: ParseFailure) -> None:
    moment = datetime.fromtimestamp(failure.at, UTC).isoformat(timespec="seconds")
    part = failure.feed or events.MCAS
    events.upload_parse_failed(part, failure.file, moment, failure.text)
