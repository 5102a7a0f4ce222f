"""Which fields of a feed format its records lack, so that only placeholders are printed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from formats.fields import TIME_FIELDS, catalogue
from formats.language import FeedFormat
from formats.plan import UNSTATED, Constant, Derived, Own, Shifted, Total, Value
from formats.reading import Input
from formats.record import field_access


@dataclass(frozen=True, slots=True)
class Lacking:
    """In how many of `records` each field is neither stated nor derived, those that none lacks out.

    Fields are in the format's order. Times are left out: a record without one is rejected.
    """

    records: int
    counts: Mapping[str, int]

    @property
    def everywhere(self) -> tuple[str, ...]:
        """The fields that no record has."""
        return tuple(name for name, count in self.counts.items() if count == self.records)


def lacking(feed_format: FeedFormat, source: Input, data: bytes, max_record_bytes: int) -> Lacking:
    """Return what the records of a batch lack. A value that states a placeholder is none."""
    names = dict.fromkeys(slot.field.name for slot in feed_format.slots)
    wanted = [name for name in names if name not in TIME_FIELDS]
    access = field_access(wanted, source.available)
    attributes = [
        replace(attribute, default=UNSTATED if attribute.number else None)
        for attribute in access.attributes
    ]
    records = source.reader(attributes, max_record_bytes)(data).records
    counts = {name: _count(access.values[name], records) for name in wanted}
    return Lacking(len(records), {name: count for name, count in counts.items() if count})


def placeholder(name: str) -> str:
    """Return what is printed of a field that a record lacks."""
    return str(catalogue()[name].placeholder)


def _count(value: Value, records: Sequence[Any]) -> int:
    places = _places(value)
    return sum(all(getattr(record, place) in _ABSENT for place in places) for record in records)


_ABSENT = (None, UNSTATED)


def _places(value: Value) -> tuple[str, ...]:
    """Return the attributes of which any makes the value."""
    match value:
        case Constant():
            return ()
        case Own(attribute) | Shifted(attribute):
            return (attribute,)
        case Total(own, others):
            pass
        case Derived(own, derivations, _):
            others = tuple(way.source for way in derivations)
    return others if own is None else (own, *others)
