"""Numbers of sources and feeds over time: rates, lag and pending of 15 minutes and of 24 hours.

Each span is a ring of slots of the wall clock: slot n covers the `step_secs` from n * step_secs on,
and stands at place n modulo the number of points. What a place has counts only while the ring's
stamp there names the slot that is asked for, so a clock that is set forward spoils no more than it
overwrites, and one that is set back has what it had; what is in its future is dropped.

A point of either span is the mean of the rates, and the maximum of lag and pending, of the looks
within its step, one a second; the last point is that of the step under way. Numbers are floats of
4 bytes: exact to 16.7 million, and to 7 digits beyond. A feed takes 900 points of 3 numbers, 10.8
KB, a source 3.6 KB, and the stamps 3.6 KB for all.
"""

from array import array
from collections.abc import Iterator, Mapping
from math import isfinite, isnan, nan
from typing import Literal, TypeAlias

from formats.dataclass import dataclass
from nss.status.summary import Status

Span = Literal["15m", "24h"]

POINTS: Mapping[Span, tuple[int, int]] = {"15m": (180, 5), "24h": (720, 120)}
"""How many points a span has, and how many seconds are between them."""

MAX_COMPONENTS = 256
"""How many parts are kept: those of the configuration, then those last seen."""

RATE, LAG, PENDING = "records_per_sec", "lag_secs", "pending"

_NO_SLOT = 0
_MIN_SECS = 24 * 3600.0
_MAX_SECS = 5 * 2.0**32
"""Beyond this time slots have no number that fits; that is in the year 2650."""


@dataclass(frozen=True, slots=True)
class Series:
    """The numbers of a part over a span, oldest first. A gap is `None`."""

    component: str
    """`feed mcas`, `source web`."""
    span: Span
    step_secs: int
    at: list[int]
    """When the step of each point begins, seconds since the epoch."""
    values: dict[str, list[float | None]]
    """`records_per_sec`; of a feed also `lag_secs` and `pending`. Each is as long as `at`."""


Columns: TypeAlias = "dict[str, array[float]]"
"""The numbers of a part, by name, one a place of the ring."""


def numbers_of(component: str) -> tuple[str, ...]:
    """Return the names of the numbers that a part has."""
    return (RATE,) if component.startswith("source ") else (RATE, LAG, PENDING)


class Ring:
    """The slots of one span, for all parts."""

    def __init__(self, points: int, step_secs: int) -> None:
        self.points = points
        self.step_secs = step_secs
        self.stamps = array("I", bytes(4 * points))
        """Which slot each place has; `_NO_SLOT`: none."""
        self.parts: dict[str, Columns] = {}
        self._slot = _NO_SLOT
        self._looks: dict[str, int] = {}
        """How many looks are in the slot under way, by part."""

    def begin(self, at: float) -> bool:
        """Go to the slot of a time; return whether it is another than before."""
        slot = int(at // self.step_secs)
        if slot == self._slot:
            return False
        self._slot = slot
        self._looks.clear()
        for place, stamp in enumerate(self.stamps):
            if stamp > slot:  # the clock was set back
                self.stamps[place] = _NO_SLOT
        place = slot % self.points
        if self.stamps[place] != slot:  # or it is known from before a restart
            self.stamps[place] = slot
            for columns in self.parts.values():
                for column in columns.values():
                    column[place] = nan
        return True

    def add(self, component: str, numbers: tuple[float, ...]) -> None:
        """Count one look at a part in the slot under way: its rate, and what it has besides."""
        columns = self.parts.get(component)
        if columns is None:
            columns = self.parts[component] = self.empty(component)
        place = self._slot % self.points
        before = 0 if isnan(columns[RATE][place]) else 1
        looks = self._looks[component] = self._looks.get(component, before) + 1
        for (name, column), number in zip(columns.items(), numbers, strict=True):
            if looks == 1:
                column[place] = number
            elif name == RATE:
                column[place] += (number - column[place]) / looks
            else:
                column[place] = max(column[place], number)

    def empty(self, component: str) -> Columns:
        """Return the columns of a part that has no numbers yet."""
        return {name: array("f", [nan]) * self.points for name in numbers_of(component)}

    def series(self, component: str, span: Span) -> Series:
        """Return what is known of a part up to the slot under way."""
        columns = self.parts.get(component) or self.empty(component)
        slots = range(max(_NO_SLOT + 1, self._slot - self.points + 1), self._slot + 1)
        values = {name: list(self._known(column, slots)) for name, column in columns.items()}
        return Series(
            component, span, self.step_secs, [slot * self.step_secs for slot in slots], values
        )

    def _known(self, column: "array[float]", slots: range) -> Iterator[float | None]:
        for slot in slots:
            place = slot % self.points
            number = column[place]
            yield number if self.stamps[place] == slot and isfinite(number) else None


class History:
    """The rings of all spans. `add` is called about once a second."""

    def __init__(self) -> None:
        self.rings: dict[Span, Ring] = {span: Ring(*sizes) for span, sizes in POINTS.items()}
        self.seen: dict[str, float] = {}
        """When each part was last in a status, seconds since the epoch."""

    def add(self, status: Status) -> None:
        """Take note of a status; not of one at an impossible time."""
        if not _MIN_SECS <= status.at < _MAX_SECS:
            return
        numbers: dict[str, tuple[float, ...]] = {
            f"source {source.name}": (source.records_per_sec,) for source in status.sources
        }
        for feed in status.feeds:
            lag_and_pending = (feed.lag_secs, float(feed.pending))
            numbers[f"feed {feed.name}"] = (feed.records_per_sec, *lag_and_pending)
        begun = [ring.begin(status.at) for ring in self.rings.values()]
        if any(begun) or not numbers.keys() <= self.seen.keys():
            self._forget(numbers, status.at)
        for component, found in numbers.items():
            if component in self.seen or len(self.seen) < MAX_COMPONENTS:
                self.seen[component] = status.at
                for ring in self.rings.values():
                    ring.add(component, found)

    def _forget(self, configured: Mapping[str, object], at: float) -> None:
        """Forget parts that are gone: those of which nothing is left, and the oldest beyond all."""
        longest_secs = max(points * step_secs for points, step_secs in POINTS.values())
        gone = sorted((seen, name) for name, seen in self.seen.items() if name not in configured)
        most = max(0, MAX_COMPONENTS - len(configured))
        for place, (seen, name) in enumerate(gone):
            if len(gone) - place > most or seen < at - longest_secs:
                del self.seen[name]
                for ring in self.rings.values():
                    ring.parts.pop(name, None)
            elif seen > at:  # the clock was set back
                self.seen[name] = at

    def series(self, component: str, span: Span) -> Series:
        """Return what is known of a part: of one that is not known, gaps alone."""
        return self.rings[span].series(component, span)
