"""How a sample of records is understood, and what a feed makes of it: for people, key by key."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from formats.errors import NotReadable
from formats.essentials import Essential, essentials
from formats.fields import TIME_FIELDS, catalogue
from formats.lacking import Lacking, lacking, sources_of
from formats.pipeline import FeedSettings, Pipeline
from formats.reading import MAX_RECORD_BYTES, BadRecord, Input, split_lines
from formats.reading.json import json_names
from formats.reading.recognise import recognise, unrecognised
from formats.reading.statements import Statement, statement_reader
from formats.record import field_access

MAX_PLACES = 512
"""Keys that are told apart; a sender can make up any number."""

EXAMPLE_CHARS = 200
KEY_CHARS = 64

Use = Literal["printed", "unprinted", "constant", "unknown"]
"""Whether the feed prints what stands there; `constant`: static text, `unknown`: no field."""

_SAYS_NOTHING = frozenset({"", "none", "na", "n/a", "null", "0", "0.0.0.0", "-", "unknown"})  # noqa: S104 - values


@dataclass(slots=True)
class Place:
    """A key, attribute or column: the fields it is taken for, how many records have it, an example.

    `prints` are the fields that the feed makes of it, which may be called otherwise: `eurl` is
    printed of a `url`.
    """

    key: str
    fields: tuple[str, ...]
    use: Use
    prints: tuple[str, ...] = ()
    records: int = 0
    example: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What was found in a sample.

    `input` is the form that its records are read in, `None` if no form is known; `places` are then
    the keys of JSON objects, if there are any. Of the sample's records `rendered` have a line,
    `filtered` were left out by the filter, and `bad` can't be read or printed. `is_any_printed` is
    whether the feed prints anything of any record; `missing` is what of address, user and URL no
    record states, `empty` what all of them state with a placeholder.
    """

    input: str | None
    rendered: int
    filtered: int
    bad: tuple[BadRecord, ...]
    places: tuple[Place, ...]
    lacking: Lacking
    is_any_printed: bool
    missing: tuple[Essential, ...] = ()
    empty: tuple[Essential, ...] = ()

    @property
    def records(self) -> int:
        """How many records the sample has."""
        return self.rendered + self.filtered + len(self.bad)

    @property
    def good(self) -> bool:
        """Whether every record is understood, with address, user and URL if the feed prints any."""
        is_understood = self.input is not None and self.records > 0 and not self.bad
        return is_understood and self.is_any_printed and not self.missing


def explanation(data: bytes, settings: FeedSettings, known: Input | None = None) -> Explanation:
    """Explain whole lines of records. Never raises for anything in them."""
    source = known
    if source is None:
        try:
            source = recognise(data)
        except NotReadable:
            return _unknown(data)
    rendered = Pipeline(source, settings).run(data)
    gone = {(bad.line, bad.data) for bad in rendered.bad}  # of an array, the others stay
    statements = statement_reader(source)
    lines = [line for place, (_, line) in enumerate(split_lines(data)) if (place, line) not in gone]
    states = [record for line in lines for record in statements(line)]
    stated = frozenset(name for record in states for each in record for name in each.fields)
    places = _places(states, _Uses(settings, stated))
    needs = essentials(settings.format)
    missing = tuple(each for each in needs if states and each.sources.isdisjoint(stated))
    return Explanation(
        source.name,
        len(rendered.lines),
        rendered.filtered,
        tuple(rendered.bad),
        places,
        lacking(settings.format, source, data, settings.max_record_bytes),
        is_any_printed=any(place.use == "printed" for place in places),
        missing=missing,
        empty=tuple(each for each in needs if each not in missing and _is_empty(each, places)),
    )


def _is_empty(essential: Essential, places: Sequence[Place]) -> bool:
    """Return whether every key that it is printed of has nothing but placeholders."""
    found = [place for place in places if not essential.sources.isdisjoint(place.fields)]
    return bool(found) and all(_says_nothing(place.example) for place in found)


def _says_nothing(text: str) -> bool:
    return text.strip().lower() in _SAYS_NOTHING


def _unknown(data: bytes) -> Explanation:
    """Explain what is in no known format: as JSON, as far as it is JSON."""
    names = json_names()
    access = field_access(names.available, names.available)
    rejects = names.reader(access.attributes, MAX_RECORD_BYTES)(data).bad
    reasons = {reject.offset: reject.reason for reject in rejects}
    statements = statement_reader(names)
    bad, states = [], []
    for reject in unrecognised(data):
        found = list(statements(reject.data))
        states += found
        reason = reasons.get(reject.offset) if found else None
        bad.append(reject if reason is None else replace(reject, reason=reason))
    places = _places(states, None)
    return Explanation(None, 0, 0, tuple(bad), places, Lacking(0, {}), is_any_printed=False)


@dataclass(slots=True)
class _Uses:
    """What a feed uses the fields of a sample for; `stated` are those of any record."""

    settings: FeedSettings
    stated: frozenset[str]
    _made: dict[str, list[str]] = field(default_factory=dict)
    """The fields that are printed of another."""

    def __post_init__(self) -> None:
        printed = dict.fromkeys(slot.field.name for slot in self.settings.format.slots)
        values = field_access(printed, catalogue()).values
        for name in printed:
            is_stated = name in self.stated or name in TIME_FIELDS
            for source in (name,) if is_stated else sources_of(values[name]):
                self._made.setdefault(source, []).append(name)
        if TIME_FIELDS.intersection(printed):
            self._made |= {name: ["time"] for name in TIME_FIELDS}

    def of(self, statement: Statement) -> tuple[Use, tuple[str, ...]]:
        """Return what a feed does with a statement, and the fields that it prints of it."""
        if not statement.fields:
            return "constant" if statement.is_constant else "unknown", ()
        prints = [made for name in statement.fields for made in self._made.get(name, ())]
        if prints:
            return "printed", tuple(dict.fromkeys(prints))
        kept = self.settings.filter
        if kept is not None and kept.fields.intersection(statement.fields):
            return "printed", ("the filter",)
        return "unprinted", ()


def _places(records: Sequence[Sequence[Statement]], uses: _Uses | None) -> tuple[Place, ...]:
    places: dict[tuple[str, tuple[str, ...]], Place] = {}
    for record in records:
        for statement in record:
            key = statement.key[:KEY_CHARS], statement.fields
            place = places.get(key)
            if place is None:
                if len(places) >= MAX_PLACES:
                    continue
                use, prints = uses.of(statement) if uses is not None else ("unknown", ())
                place = places[key] = Place(*key, use, prints)
            place.records += 1
            if statement.text and _says_nothing(place.example):
                place.example = statement.text[:EXAMPLE_CHARS]
    return tuple(places.values())


def unread(bad: Sequence[BadRecord]) -> Mapping[str, list[BadRecord]]:
    """Return the records that can't be read or printed, by reason, the most frequent first."""
    reasons: dict[str, list[BadRecord]] = {}
    for record in bad:
        reasons.setdefault(record.reason, []).append(record)
    return dict(sorted(reasons.items(), key=lambda reason: -len(reason[1])))
