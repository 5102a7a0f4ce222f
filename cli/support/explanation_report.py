"""What `nss explain` found, as text of 80 columns and for JSON."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from shlex import quote

from cli.support.samples import Sample
from formats.essentials import listed
from formats.explanation import Explanation, Place, unread
from formats.lacking import placeholder
from formats.reading.recognise import UNKNOWN
from formats.reading.statements import label
from nss.wording import harmless

_WIDTH = 80
_KEY_WIDTH, _FIELD_WIDTH, _COUNT_WIDTH = 28, 24, 7
_SHOWN_REASONS = 5


@dataclass(frozen=True, slots=True)
class Report:
    """An explanation of a sample for `feed`, a name.

    `recognised` is whether nobody said in which format the records are; `to` is the feed format as
    it is written on a command line, `None` for a feed of the configuration.
    """

    found: Explanation
    sample: Sample
    feed: str
    recognised: bool
    to: str | None

    def lines(self) -> Iterator[str]:
        """Yield the lines for people."""
        found, feed = self.found, self.feed
        yield from _wrapped(f"{self.sample.name}: {self._reading()}")
        yield from _table(f"Printed by {feed}", self._places("printed"))
        yield from _table(f"Known, but not printed by {feed}", self._places("unprinted"))
        unknown = self._places("unknown")
        recognisable = [place for place in unknown if place.fields]
        yield from _table("Known, but in no known format", recognisable)
        unused = [place for place in unknown if not place.fields]
        yield from _table("Not used: no field is known for it", unused)
        everywhere = found.lacking.everywhere
        yield from _paragraph(
            f"Printed by {feed}, but no record states it (printed instead)",
            [f"{name} ({placeholder(name)})" for name in everywhere],
        )
        yield from _paragraph(
            "Not stated by some records",
            [
                f"{name} ({count:,} of {found.lacking.records:,})"
                for name, count in found.lacking.counts.items()
                if name not in everywhere
            ],
        )
        yield from self._bad()
        yield ""
        yield from _wrapped(self._verdict())
        yield from _wrapped(self._next_step())

    def plain(self) -> dict[str, object]:
        """Return the report for JSON."""
        found = self.found
        return {
            "file": self.sample.name,
            "input": found.input,
            "recognised": self.recognised and found.input is not None,
            "feed": self.feed,
            "good": found.good,
            "records": found.records,
            "whole_file": self.sample.is_all,
            "rendered": found.rendered,
            "filtered": found.filtered,
            "rejected": len(found.bad),
            "keys": [asdict(place) for place in found.places],
            "missing": [{"kind": each.kind, "fields": each.printed} for each in found.missing],
            "empty": [{"kind": each.kind, "fields": each.printed} for each in found.empty],
            "lacking": [
                {"field": name, "records": count, "printed": placeholder(name)}
                for name, count in found.lacking.counts.items()
            ],
            "rejects": [
                {
                    "place": self.sample.place(records[0].offset),
                    "reason": reason,
                    "records": len(records),
                }
                for reason, records in unread(found.bad).items()
            ],
            "verdict": self._verdict(),
        }

    def _places(self, use: str) -> list[Place]:
        return [place for place in self.found.places if place.use == use]

    def _reading(self) -> str:
        found = self.found
        how_many = "the first " if not self.sample.is_all else ""
        records = f"{how_many}{_number(found.records, 'record')}"
        if found.input is None:
            return f"{records} in no known format"
        how = "recognised as" if self.recognised else "read as"
        understood = found.records - len(found.bad)
        return f"{records}, {how} {found.input}; {understood:,} understood"

    def _bad(self) -> Iterator[str]:
        reasons = {r: bad for r, bad in unread(self.found.bad).items() if r != UNKNOWN}
        if not reasons:
            return
        yield from ("", "Not understood")
        for reason, records in list(reasons.items())[:_SHOWN_REASONS]:
            more = f" (and {len(records) - 1:,} more)" if len(records) > 1 else ""
            yield from _wrapped(f"{self.sample.place(records[0].offset)}: {reason}{more}", "  ")
        if len(reasons) > _SHOWN_REASONS:
            yield f"  and {len(reasons) - _SHOWN_REASONS:,} more reasons"

    def _verdict(self) -> str:
        found, feed = self.found, self.feed
        if found.input is None:
            return f"Not understood: {UNKNOWN}."
        bad = len(found.bad)
        if bad:
            return f"Not good: {_number(bad, 'record')} of {found.records:,} would be rejected."
        if found.missing:
            needs = listed(found.missing)
            return f"Not good: no record states {needs}; {feed} prints placeholders instead."
        if not found.is_any_printed:
            return f"Not good: nothing that {feed} prints is stated by any record."
        return self._praise()

    def _praise(self) -> str:
        found = self.found
        if found.empty:
            return f"Good, but every record has a placeholder for {listed(found.empty, 'and')}."
        unknown = len(self._places("unknown"))
        if unknown:
            keys = _number(unknown, "key")
            return f"Good: all records are understood; no field is known for {keys}."
        return "Good: all records are understood."

    def _next_step(self) -> str:
        found = self.found
        own = "a .fof file that describes them (nss presets QRADAR prints one to start from)"
        if found.input is None or len(found.bad) == found.records:
            return (
                f"Try: name their format with --from: a preset (nss presets lists them), or {own}"
            )
        if found.bad:
            return f"Try: another --from, if {found.input} is not their format; or fix the sender"
        if self._places("unknown"):
            wish = "a key that is not used matters" if found.good else "they are among those keys"
            return f"Try: if {wish}, write {own}, and name it with --from"
        if not found.good:
            return "Try: have the sender add them to its records"
        if self.to is None:
            return f"Feed {self.feed} can use them."
        return f"Try: nss render --to {self.to} {quote(self.sample.argument)}"


def _table(title: str, places: Sequence[Place]) -> Iterator[str]:
    if not places:
        return
    rows = [(_cut(place.key, _KEY_WIDTH), _cut(_field(place), _FIELD_WIDTH)) for place in places]
    key_width = max(len("key"), *(len(key) for key, _ in rows))
    field_width = max(len(field) for _, field in rows)
    if field_width:
        field_width = max(field_width, len("field"))
    yield from ("", title)
    yield _row("key", "field" if field_width else "", "records", "example", key_width, field_width)
    for (key, field), place in zip(rows, places, strict=True):
        yield _row(key, field, f"{place.records:,}", place.example, key_width, field_width)


def _row(key: str, field: str, records: str, example: str, key_width: int, field_width: int) -> str:
    middle = f"{field:{field_width}}  " if field_width else ""
    head = f"  {key:{key_width}}  {middle}{records:>{_COUNT_WIDTH}}  "
    return f"{head}{_cut(example, _WIDTH - len(head))}".rstrip()


def _field(place: Place) -> str:
    """Return the fields of a place, and as what the feed prints them if that differs."""
    name = label(place.fields)
    prints = [made for made in place.prints if made not in place.fields]
    if not prints or name == "time" or "time" in prints:
        return name
    return f"{name} as {', '.join(prints)}"


def _cut(text: str, width: int) -> str:
    shown = harmless(text)
    return shown if len(shown) <= width else f"{shown[: width - 3]}..."


def _paragraph(title: str, names: Sequence[str]) -> Iterator[str]:
    if names:
        yield from ("", title)
        yield from _wrapped(", ".join(names), "  ")


def _wrapped(text: str, indent: str = "") -> Iterator[str]:
    """Yield harmless lines of at most 80 columns, broken at blanks where there are any."""
    line = indent
    for word in harmless(text).split(" "):
        if line.strip() and len(line) + 1 + len(word) > _WIDTH:
            yield line
            line = indent
        line += word if line == indent else f" {word}"
    yield line


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
