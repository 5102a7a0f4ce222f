"""Values that are times beside that of the record: they move with the zone as it does."""

from collections.abc import Mapping
from datetime import tzinfo
from functools import partial
from typing import Any

from formats.plan import FieldAccess, Shifted, TimeKey
from formats.reading.time_key import zone_of
from formats.record import Deriver
from formats.times import shifted


def shifters(
    access: FieldAccess, time_key: TimeKey, zones: tuple[tzinfo, tzinfo]
) -> Mapping[str, Deriver]:
    """Return the functions that work out the `Shifted` values of a pipeline, by field.

    `zones` are that of times that carry none, and that of what is printed.
    """
    stated_zone = zone_of(time_key)

    def shift(attribute: str, record: Any) -> str:  # noqa: ANN401 - made at run time
        return shifted(getattr(record, attribute), stated_zone(record), *zones)

    return {
        field: partial(shift, value.own)
        for field, value in access.values.items()
        if isinstance(value, Shifted)
    }
