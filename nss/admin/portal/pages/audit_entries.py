"""Entries of the audit log as pages show them: filtered, in pages, and live.

What is in the log may come from anybody.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from nss.files.private import stamp
from nss.telemetry.audit import Fact
from nss.telemetry.audit_reader import Entries, entries

PAGE_ENTRIES = 100

CHOICES_ENTRIES = 1000
"""The newest, whose actions and outcomes can be chosen."""

LIVE_SHARE = 20
"""What a look through the log took, times this, passes before the next: a rare word in a large log
must not cost the stream."""

MAX_FIELD = 200
"""Characters of a field of a filter."""

_SLOTS = 64
"""More than there are streams: none that is watched is given away."""

_GOOD = frozenset(
    {"ok", "done", "passed", "stored", "put in force", "synced", "blocked", "cleared"}
)
_BAD = frozenset({"failed", "refused", "locked out", "stopped", "not blocked"})
_USUAL = ("at", "who", "action", "outcome", "reason")
_TIMES = ("%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d")


@dataclass(frozen=True, slots=True)
class Filter:
    """What is asked for, as it is in the address; times are UTC."""

    person: str = ""
    action: str = ""
    outcome: str = ""
    text: str = ""
    since: str = ""
    until: str = ""

    @classmethod
    def of(cls, query: QueryParams) -> "Filter":
        """Return the filter of an address; fields that it does not know are left out."""
        return cls(**{name: query.get(name, "")[:MAX_FIELD].strip() for name in asdict(cls())})

    @property
    def query(self) -> str:
        """The query of an address, without what is empty."""
        return urlencode({name: value for name, value in asdict(self).items() if value})

    def errors(self) -> dict[str, str]:
        """Return what is wrong, by field."""
        text = "must be a time like 2026-11-26T09:30, in UTC"
        times = {"since": self.since, "until": self.until}
        return {name: text for name, value in times.items() if value and _secs(value) is None}

    def read(self, path: Path, limit: int, before: str = "") -> Entries:
        """Return the entries; reads as they are taken."""
        until = _secs(self.until)
        return entries(
            path,
            limit=limit,
            before=before,
            since=_secs(self.since),
            until=None if until is None else until + _span_secs(self.until),
            person=self.person,
            action=self.action,
            outcome=self.outcome,
            text=self.text,
        )


@dataclass(frozen=True, slots=True)
class Row:
    """An entry as it is shown; all of it is text that anybody may have written."""

    at: float | None
    at_text: str
    who: str
    action: str
    outcome: str
    chip: str
    reason: str
    further: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Found:
    """A page of entries."""

    rows: list[Row]
    damaged: int
    """Lines on the way that are no entries."""
    mark: str
    """Behind which there are older ones; empty if there are none."""


def found(path: Path, wanted: Filter, before: str = "") -> Found:
    """Return the entries of a page, those older than the mark `before`; reads files."""
    reading = wanted.read(path, PAGE_ENTRIES + 1, before)
    rows: list[Row] = []
    mark = ""
    for entry in reading:
        if len(rows) == PAGE_ENTRIES:
            return Found(rows, reading.damaged, mark)
        mark = reading.mark
        rows.append(_row(entry))
    return Found(rows, reading.damaged, "")


def choices(path: Path, wanted: Filter) -> tuple[list[str], list[str]]:
    """Return actions and outcomes to choose from: those of the newest entries, and the chosen."""
    actions, outcomes = {wanted.action} - {""}, {wanted.outcome} - {""}
    for entry in entries(path, limit=CHOICES_ENTRIES):
        actions.add(str(entry["action"]))
        outcomes.add(str(entry["outcome"]))
    return sorted(actions), sorted(outcomes)


def _row(entry: Mapping[str, Fact]) -> Row:
    at, outcome = str(entry["at"]), str(entry["outcome"])
    further = ((name, str(value)) for name, value in entry.items() if name not in _USUAL)
    chip = "good" if outcome in _GOOD else "bad" if outcome in _BAD else "quiet"
    return Row(
        _moment(at),
        at,
        str(entry["who"]),
        str(entry["action"]),
        outcome,
        chip,
        str(entry.get("reason") or ""),
        tuple(further),
    )


def _moment(text: str) -> float | None:
    """Return the time of an entry, seconds since the epoch."""
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
    except (ValueError, OverflowError):
        return None


def _secs(text: str) -> float | None:
    """Return a time of a filter, seconds since the epoch; `None` for none and for a wrong one."""
    for pattern in _TIMES:
        try:
            return datetime.strptime(text, pattern).replace(tzinfo=UTC).timestamp()
        except (ValueError, OverflowError):
            continue
    return None


def _span_secs(text: str) -> float:
    """Return how long lasts what is written: until 9:30 includes 9:30:59, until a day all of it."""
    if len(text) <= len("2026-11-26"):
        return 86_399.0
    return 59.0 if text.count(":") == 1 else 0.0


@dataclass(slots=True)
class Watched:
    """What live pages of one filter show; `name` is what their streams share it by."""

    name: str
    html: str = ""
    stamp: object = None
    next_at: float = 0.0


class Watching:
    """The newest entries of the log at `path` for live pages, as HTML that `render` makes."""

    def __init__(
        self,
        path: Path,
        render: Callable[[list[Row]], str],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._render = render
        self._clock = clock
        self._watched: OrderedDict[Filter, Watched] = OrderedDict()

    def watched(self, wanted: Filter) -> Watched:
        """Return what is shown of a filter; there are not many such, the last in use are kept."""
        found = self._watched.get(wanted)
        if found is None:
            name = f"audit {len(self._watched)}"
            if len(self._watched) >= _SLOTS:
                name = self._watched.popitem(last=False)[1].name
            found = self._watched[wanted] = Watched(name)
        self._watched.move_to_end(wanted)
        return found

    async def look(self, wanted: Filter) -> None:
        """Read the newest entries again, if there may be others; in a thread."""
        shown, began = self.watched(wanted), self._clock()
        current = await asyncio.to_thread(stamp, self._path)
        if shown.html and (current == shown.stamp or began < shown.next_at):
            return
        page = await asyncio.to_thread(found, self._path, wanted)
        shown.stamp, shown.html = current, self._render(page.rows)
        shown.next_at = began + LIVE_SHARE * (self._clock() - began)
