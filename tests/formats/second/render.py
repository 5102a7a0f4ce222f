"""Lines of docs/formats.md: what each spec prints of a record, guarded for its place."""

from dataclasses import dataclass, field
from datetime import UTC, tzinfo

from tests.formats.second import structure
from tests.formats.second.language import Part, Spec
from tests.formats.second.times import (
    FROM_TIME,
    moment_of,
    printed_time,
    zone_of,
    zones_of_the_text,
)
from tests.formats.second.values import BadError, Record, hh, printed, without_controls


@dataclass(frozen=True)
class Settings:
    zone: tzinfo = UTC
    source_zone: tzinfo = UTC
    escape_characters: str = ""
    protect_separators: bool = True
    protect_for: frozenset[str] = field(default=frozenset())


def line(parts: list[Part], record: Record, settings: Settings) -> bytes:
    """Return the line of a record; Bad where it has none."""
    guards = structure.guards(
        parts, settings.protect_for, protect_separators=settings.protect_separators
    )
    named = zones_of_the_text(parts)
    times = [n for n, part in enumerate(parts) if isinstance(part, Spec) and part.name in FROM_TIME]
    zones = {n: zone_of(named[n]) if n in named else settings.zone for n in times}
    moments = {n: moment_of(record, settings.source_zone, zone) for n, zone in zones.items()}
    out = []
    for at, part in enumerate(parts):
        if isinstance(part, str):
            out.append(part)
        elif at in moments:
            out.append(printed_time(moments[at], part))
        else:
            value = printed(record, part, settings.escape_characters)
            if part.name == "bypassed_etime":
                value = bypassed(value, record, settings)
            value = without_controls(value)
            value = "".join(hh(each) if each in guards[at] else each for each in value)
            out.append(value)
    for at in structure.closing(parts):
        close(parts, out, at)
    return "".join(out).encode()


def bypassed(text: str, record: Record, settings: Settings) -> str:
    """Return the other time of a record, which stays as it is where it is none, or never was."""
    if text == "Thu Jan  1 00:00:00 1970":
        return text
    stated = {"time": text} | {name: record[name] for name in ("tz",) if name in record}
    try:
        moment = moment_of(stated, settings.source_zone, settings.zone)
    except BadError:
        return text
    return printed_time(moment, Spec("time", "s"))


def close(parts: list[Part], out: list[str], at: int) -> None:
    """Encode a backslash at the end of the values that end at this place."""
    while at >= 0 and isinstance(parts[at], Spec):
        if out[at]:
            if out[at].endswith("\\"):
                out[at] = out[at][:-1] + hh("\\")
            return
        at -= 1
