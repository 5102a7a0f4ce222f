"""What became of our own files in Cloud Discovery, put together from the governance log.

An entry is ours when it has the name of a file that we uploaded. It is that of another NSS when it
has a name like ours and none of them. Whether the log has names at all is not documented: as long
as none of ours was seen, an entry of our data source counts as ours, if it is not older than our
first upload there; it can't be said then which file it is of. All others are somebody else's.
"""

import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

import msgspec

from nss.mcas.governance import LogEntry, ParseState
from nss.mcas.parse_reasons import remedy_of
from nss.mcas.uploaded import UploadedFile, feed_of

MAX_RESULTS = 10_000
"""How many results are remembered."""

KEPT_SECS = 7 * 86_400.0
"""And for how long."""

WAIT_SECS = 2 * 86_400.0
"""Cloud Discovery analyses four times a day; a file without a result after this will have none."""

OVERLAP_SECS = 3600.0
"""How far before the last entry read to begin again: clocks differ, and entries may come late."""


class FileResult(msgspec.Struct, frozen=True):
    """An entry that is ours."""

    at: float
    """When the upload was finalized, by the service's clock."""
    state: ParseState
    text: str
    """The reason of a failure."""
    file: str | None
    """The name of the file, if the log says it."""


@dataclass(frozen=True, slots=True)
class ParseFailure:
    """A file that Cloud Discovery could not use."""

    at: float
    """Seconds since the epoch."""
    text: str
    remedy: str
    """What to do, as half a sentence."""
    file: str | None
    feed: str | None
    """`None` where the log does not say which file it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParseSummary:
    """What became of the files of the last seven days."""

    parsed: int
    failed: int
    pending: int
    """Files that wait for a result."""
    overdue: int
    """Files that should have had a result by now and have none."""
    last_parsed_at: float | None
    """When the last file was uploaded that was parsed, seconds since the epoch."""
    last_failure: ParseFailure | None
    standing: tuple[ParseFailure, ...]
    """The last failure of each feed of which no later file was parsed."""


class ParseResults:
    """The results of the files of one data source; `files` are those that were uploaded to it.

    A failure stands for at most `failure_days`. `now` returns seconds since the epoch.
    """

    def __init__(self, failure_days: float, *, now: Callable[[], float] = time.time) -> None:
        self.files: tuple[UploadedFile, ...] = ()
        self.stream_id: str | None = None
        """The id of the data source, `None` as long as it is not known."""
        self.results: dict[str, FileResult] = {}
        """By the id of their entries."""
        self._failure_days = failure_days
        self._now = now

    @property
    def names_are_known(self) -> bool:
        """Whether the log has names of files."""
        return any(result.file is not None for result in self.results.values())

    def take(self, entries: Iterable[LogEntry]) -> list[ParseFailure]:
        """Note entries of the log; return the failures that were not known before."""
        own = {file.name for file in self.files}
        entries = list(entries)
        named = {
            entry.id: name
            for entry in entries
            for found in entry.file_names
            if (name := _own(found, own)) is not None
        }
        if named and not self.names_are_known:
            self.results.clear()  # what was counted for the data source may have been of others
        by_name = bool(named) or self.names_are_known
        failed = []
        for entry in entries:
            file = named.get(entry.id)
            if file is None and (by_name or not self._is_of_data_source(entry)):
                continue
            before = self.results.get(entry.id)
            result = FileResult(entry.at, entry.state, entry.text, file)
            self.results[entry.id] = result
            if entry.state == "failed" and (before is None or before.state != "failed"):
                failed.append(_failure(result))
        self._forget()
        return failed

    def _is_of_data_source(self, entry: LogEntry) -> bool:
        begun = min((file.begun_at for file in self.files), default=None)
        return (
            not entry.file_names
            and self.stream_id is not None
            and entry.stream_id == self.stream_id
            and begun is not None
            and entry.at >= begun - OVERLAP_SECS
        )

    def _forget(self) -> None:
        oldest = self._now() - KEPT_SECS
        kept = [(key, each) for key, each in self.results.items() if each.at >= oldest]
        kept.sort(key=lambda pair: pair[1].at)
        self.results = dict(kept[-MAX_RESULTS:])

    # What is to be read.

    def unsettled_since(self) -> float | None:
        """Return since when something of ours has no result; `None` when all have."""
        oldest = self._now() - WAIT_SECS
        waiting = [file.begun_at for file in self._unsettled() if file.begun_at >= oldest]
        waiting += [
            result.at
            for result in self.results.values()
            if result.state == "pending" and result.at >= oldest
        ]
        return min(waiting, default=None)

    def recent_since(self) -> float:
        """Return since when entries may be of files that were uploaded within `failure_days`."""
        now = self._now()
        recent = now - self._failure_days * 86_400
        begun = (file.begun_at for file in self.files if file.begun_at >= recent)
        return min(begun, default=now) - OVERLAP_SECS

    def _unsettled(self) -> list[UploadedFile]:
        """Return the confirmed files that have no result by their names."""
        settled = {each.file for each in self.results.values() if each.state != "pending"}
        return [
            file
            for file in self.files
            if file.finalized_at is not None and file.name not in settled
        ]

    # What is shown.

    def summary(self) -> ParseSummary:
        """Return what is known now."""
        failures = self.failures()
        parsed = [result.at for result in self.results.values() if result.state == "parsed"]
        return ParseSummary(
            parsed=len(parsed),
            failed=len(failures),
            pending=self._pending(),
            overdue=self._overdue(),
            last_parsed_at=max(parsed, default=None),
            last_failure=failures[0] if failures else None,
            standing=tuple(self._standing()),
        )

    def failures(self) -> list[ParseFailure]:
        """Return the files that could not be used, the latest first."""
        found = [result for result in self.results.values() if result.state == "failed"]
        return [_failure(each) for each in sorted(found, key=lambda each: -each.at)]

    def _pending(self) -> int:
        oldest = self._now() - WAIT_SECS
        waiting = [file for file in self._unsettled() if file.begun_at >= oldest]
        newest = self._newest_without_name()
        if newest is None:
            return len(waiting)
        entries = sum(result.state == "pending" for result in self.results.values())
        return entries + sum(file.begun_at > newest for file in waiting)

    def _overdue(self) -> int:
        now, newest = self._now(), self._newest_without_name()
        since = now - KEPT_SECS if newest is None else max(now - KEPT_SECS, newest + OVERLAP_SECS)
        return sum(since <= file.begun_at < now - WAIT_SECS for file in self._unsettled())

    def _newest_without_name(self) -> float | None:
        """Return the time of the last entry, where entries have no names; else `None`."""
        if self.names_are_known:
            return None
        return max((result.at for result in self.results.values()), default=None)

    def _standing(self) -> list[ParseFailure]:
        """Return the last failure of each feed, the latest first.

        Without those after which a later file of the feed was parsed, or that are too long ago.
        """
        last: dict[str | None, FileResult] = {}
        for result in sorted(self.results.values(), key=lambda each: each.at):
            if result.state != "pending":
                last[_feed(result)] = result
        oldest = self._now() - self._failure_days * 86_400
        standing = [each for each in last.values() if each.state == "failed" and each.at >= oldest]
        return [_failure(each) for each in sorted(standing, key=lambda each: -each.at)]


def _own(found: str, own: Collection[str]) -> str | None:
    """Return which of our names a name in the log is; the service may have put something before."""
    return next((found[at:] for at in range(len(found)) if found[at:] in own), None)


def _feed(result: FileResult) -> str | None:
    return None if result.file is None else feed_of(result.file)


def _failure(result: FileResult) -> ParseFailure:
    remedy = remedy_of(result.text)
    return ParseFailure(result.at, result.text, remedy, result.file, _feed(result))
