"""Who went where: whether records state the address, user and URL that a feed prints.

Lines without them are of little use, yet a feed that prints placeholders instead reports no error.
What counts is whether a record has a key (an attribute, a column) for them: one that holds a
placeholder, or `null`, is stated.
"""

from collections.abc import Mapping, Sequence
from itertools import islice
from types import MappingProxyType
from typing import Any

from formats.dataclass import dataclass
from formats.fields import catalogue
from formats.language import FeedFormat
from formats.plan import UNSTATED
from formats.reading import Input
from formats.reading.statements import statement_reader

_KINDS: Mapping[str, tuple[frozenset[str], ...]] = MappingProxyType(
    {
        "address": (frozenset({"cip", "cintip", "cpubip", "ocip", "ocpubip"}), frozenset({"sip"})),
        "user": (frozenset({"login", "elogin", "b64login", "ologin"}),),
        "URL": (frozenset({"url", "eurl", "b64url", "host", "ehost", "b64host", "hostname"}),),
    }
)
"""The fields of each kind; the second choice counts for feeds that print none of the first."""

PATIENCE_RECORDS = 100
"""A kind is missing after this many records in a row, of those looked at, without it.

Some senders leave a key out of records that have no value for it.
"""

_PATIENCE_FOR_ALL_RECORDS = 4
"""After this many, if they have none of the kinds: no sender's ordinary records are like that."""

_FIRST_RECORDS = 16
"""How many records of a batch are looked at until `PATIENCE_RECORDS` have been."""

_BATCHES, _BATCHES_WHILE_MISSING = 16, 4
"""After that, one record is looked at in every batch of this many."""


@dataclass(frozen=True, slots=True)
class Essential:
    """One kind of what matters: its fields that a feed prints, and those that make any of them."""

    kind: str
    printed: tuple[str, ...]
    sources: frozenset[str]

    def __str__(self) -> str:
        article = "an" if self.kind == "address" else "a"
        return f"{article} {self.kind} ({', '.join(self.printed)})"


def essentials(feed_format: FeedFormat) -> tuple[Essential, ...]:
    """Return which of address, user and URL a feed prints."""
    printed = dict.fromkeys(slot.field.name for slot in feed_format.slots)
    found = []
    for kind, choices in _KINDS.items():
        names = next(filter(None, (tuple(n for n in printed if n in each) for each in choices)), ())
        if names:
            sources = {way.source for name in names for way in catalogue()[name].derivations}
            found.append(Essential(kind, names, frozenset(names) | sources))
    return tuple(found)


def listed(several: Sequence[Essential], word: str = "or") -> str:
    """Return several as a part of a sentence, with `word` before the last."""
    *others, last = map(str, several)
    return f"{', '.join(others)} {word} {last}" if others else last


class Survey:
    """Watches some records of an input for the address, user and URL that a feed prints."""

    def __init__(self, source: Input, feed_format: FeedFormat) -> None:
        self._statements = statement_reader(source)
        self._seen_at: dict[Essential, int] = dict.fromkeys(essentials(feed_format), 0)
        """After how many records each was last seen; 0: never."""
        self._looked = 0
        self._batches = 0
        self._read = 0

    @property
    def missing(self) -> tuple[Essential, ...]:
        """What recent records lack; from the first few on, if they lack all of it."""
        is_all = len(self._seen_at) > 1 and not any(self._seen_at.values())
        if is_all and self._looked >= _PATIENCE_FOR_ALL_RECORDS:
            return tuple(self._seen_at)
        return tuple(
            each
            for each, seen_at in self._seen_at.items()
            if self._looked - seen_at >= PATIENCE_RECORDS
        )

    @property
    def never_stated(self) -> tuple[Essential, ...]:
        """What no record has stated, if any has been read."""
        return tuple(each for each, at in self._seen_at.items() if not at) if self._read else ()

    def look(self, data: bytes, records: Sequence[Any]) -> None:
        """Look at a batch, `data`, and at those of its `records` that may show what is missing."""
        self._batches += 1
        self._read += len(records)
        if not self._seen_at:
            return
        if self._looked < PATIENCE_RECORDS:
            self._look_at(data, 0, _FIRST_RECORDS)
        elif self._batches % (_BATCHES_WHILE_MISSING if self.missing else _BATCHES) == 0:
            # Somewhere else each time: a sender may repeat itself.
            at = data.find(b"\n", self._batches * 7919 % max(len(data), 1)) + 1
            self._look_at(data, at if at < len(data) else 0, 1)
        for each in self.missing or self.never_stated:
            if _have_a_value(records, each.sources):
                self._seen_at[each] = max(self._looked, 1)

    def _look_at(self, data: bytes, start: int, lines: int) -> None:
        for _ in range(lines):
            end = data.find(b"\n", start)
            line = data[start : end if end >= 0 else len(data)]
            for record in islice(self._statements(line), _FIRST_RECORDS):
                stated = {name for statement in record for name in statement.fields}
                self._looked += 1
                for each in self._seen_at:
                    if not each.sources.isdisjoint(stated):
                        self._seen_at[each] = self._looked
            start = end + 1
            if end < 0 or start >= len(data):
                return


def _have_a_value(records: Sequence[Any], names: frozenset[str]) -> bool:
    """Return whether any record has a value of its own in one of the attributes."""
    nothing = {None, UNSTATED, *(catalogue()[name].placeholder for name in names)}
    return any(getattr(record, name, None) not in nothing for name in names for record in records)
