"""The time of a record as docs/formats.md has it: from any field that states it, into any zone."""

import re
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from tests.formats.second.language import FIELDS, Part, Spec
from tests.formats.second.values import BadError, Record, digits

MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
WHOLE = ["epochtime", "time", "datetime"]
PARTS = ["yy", "yyyy", "mon", "mth", "dd", "hh", "mm", "ss"]
FROM_TIME = {"time", "tz", "day", "epochtime", *PARTS}
NEEDS_YEAR = {"time", "tz", "day", "epochtime", "yy", "yyyy"}
NO_TIME = {"", "none", "na", "n/a", "null", "-", "unknown"}  # in any case of letters
ABBREVIATIONS: Mapping[str, float] = {
    "UTC": 0, "GMT": 0, "Z": 0, "WET": 0, "WEST": 1, "CET": 1, "CEST": 2, "MET": 1, "MEST": 2,
    "EET": 2, "EEST": 3, "MSK": 3, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7,
    "MDT": -6, "PST": -8, "PDT": -7, "AKST": -9, "AKDT": -8, "HST": -10, "JST": 9, "AEST": 10,
    "AEDT": 11,
}  # fmt: skip
NO_ZONES = {"localtime", "Factory"}  # files of the machine

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

STATED_ZONE = re.compile(
    r" ?(?P<zone>Z|(?:GMT|UTC)(?:[+-][0-9]{1,2}(?::?[0-9]{2})?)?|[+-][0-9]{2}:?[0-9]{2}"
    r"|[A-Za-z_]+/[A-Za-z_/]+)(?![\w/:+-])"
)
CLOCK = r"(?P<hh>[0-9]{1,2}):(?P<mm>[0-9]{1,2}):(?P<ss>[0-9]{1,2})([.,][0-9]+)?"
ZONE = r" ?(?P<zone>[^ ]*)"
MONTH_DAY = r"(?P<mon>[A-Za-z]{3}) +(?P<dd>[0-9]{1,2})"
FORMS = [
    rf"(?P<yy>[0-9]{{4}})[-/](?P<mth>[0-9]{{1,2}})[-/](?P<dd>[0-9]{{1,2}})(T| +){CLOCK}{ZONE}",
    rf"([A-Za-z]{{3}},? +)?{MONTH_DAY} +{CLOCK} +(?P<yy>[0-9]{{4}})( {ZONE[2:]})?",
    rf"{MONTH_DAY} +(?P<yy>[0-9]{{4}}) +{CLOCK}( {ZONE[2:]})?",
]


@dataclass(frozen=True)
class Moment:
    when: datetime  # in the feed's zone, where the year is known
    year_is_known: bool = True


def moment_of(record: Record, source_zone: tzinfo, zone: tzinfo) -> Moment:
    """Return when a record happened; Bad where it does not say."""
    stated = {name: text.strip() for name, text in record.items() if text.lower() not in NO_TIME}
    wholes = [name for name in WHOLE if name in stated]
    if wholes[1:] and float_or_none(stated[wholes[0]]) == 0:
        wholes.pop(0)  # the epoch itself is a placeholder
    try:
        if wholes:
            return Moment(whole(stated[wholes[0]], stated, source_zone).astimezone(zone))
        if not any(name in stated for name in PARTS if name not in {"hh", "mm", "ss"}):
            raise BadError("no time")
        year = "yy" in stated or "yyyy" in stated
        when = from_parts(stated)
        if not year:
            return Moment(when, year_is_known=False)
        return Moment(when.replace(tzinfo=own_zone(stated, source_zone)).astimezone(zone))
    except (ValueError, OverflowError) as error:
        raise BadError(str(error)) from error


def float_or_none(text: str) -> float | None:
    return float(text) if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text) else None


def whole(text: str, stated: Record, source_zone: tzinfo) -> datetime:
    if re.fullmatch(r"[0-9]{1,11}(\.[0-9]+)?|[0-9]{13}", text):
        digits_before = text.partition(".")[0]
        seconds = int(digits_before) // (1000 if len(digits_before) == 13 else 1)
        return EPOCH + timedelta(seconds=seconds)
    for form in FORMS:
        found = re.fullmatch(form, text)
        if found is None:
            continue
        parts = {name: part for name, part in found.groupdict().items() if part is not None}
        own = parts.get("zone")
        zone = zone_of(own) if own else own_zone(stated, source_zone)
        return from_parts(parts).replace(tzinfo=zone)
    raise BadError(f"time {text!r}")


def from_parts(parts: Record) -> datetime:
    numbers = {}
    for name in PARTS:
        if name in parts and name != "mon":
            if re.fullmatch(r"[0-9]{1,40}", parts[name]) is None:
                raise BadError(f"{name} {parts[name]!r} is no number")
            numbers[name] = int(parts[name])
    if "mth" not in numbers and "mon" in parts:
        if parts["mon"].title() not in MONTHS:
            raise BadError("month")
        numbers["mth"] = MONTHS.index(parts["mon"].title()) + 1
    year = numbers.get("yy", numbers.get("yyyy", 2024))
    try:
        second = 59 if numbers["ss"] == 60 else numbers["ss"]  # a leap second
        day = year, numbers["mth"], numbers["dd"]
        return datetime(*day, numbers["hh"], numbers["mm"], second)  # noqa: DTZ001 -- the zone comes later
    except KeyError as error:
        raise BadError(f"the time has no {error}") from error


def zones_of_the_text(parts: list[Part]) -> dict[int, str]:
    """Return the zone of each time behind which the format's own text states one (QRADAR_OLD)."""
    zones: dict[int, str] = {}
    run: list[int] = []  # parts of time with nothing but their own punctuation between them
    for number, part in enumerate(parts):
        if isinstance(part, Spec):
            run = [*run, number] if part.name in FROM_TIME else []
            continue
        if re.fullmatch(r"[ ,./:T-]{1,3}", part):
            continue
        named = STATED_ZONE.match(part)
        specs = [part for part in (parts[each] for each in run) if isinstance(part, Spec)]
        if (
            named is not None
            and is_zone(named["zone"])
            and all(spec.name != "tz" for spec in specs)
        ):
            zones |= dict.fromkeys(run, named["zone"])
        run = []
    return zones


def is_zone(name: str) -> bool:
    try:
        zone_of(name)
    except BadError:
        return False
    return True


def own_zone(stated: Record, source_zone: tzinfo) -> tzinfo:
    return zone_of(stated["tz"]) if "tz" in stated else source_zone


def zone_of(text: str) -> tzinfo:
    offset = re.fullmatch(r"(?:GMT|UTC)?([+-])([0-9]{1,2})(?::?([0-9]{2}))?", text, re.IGNORECASE)
    if offset is not None:
        sign, hours, minutes = offset.groups()
        if int(hours) > 23 or int(minutes or 0) > 59:
            raise BadError(f"zone {text}")
        ahead = timedelta(hours=int(hours), minutes=int(minutes or 0))
        return timezone(ahead if sign == "+" else -ahead)
    if text.upper() in ABBREVIATIONS:
        return timezone(timedelta(hours=ABBREVIATIONS[text.upper()]))
    if text in zoneinfo.available_timezones() - NO_ZONES:
        return zoneinfo.ZoneInfo(text)
    raise BadError(f"zone {text!r}")


def zone_name(when: datetime) -> str:
    """Return what `%s{tz}` prints: an abbreviation that readers know, or GMT and the offset."""
    name = when.tzname() or ""
    offset = when.utcoffset() or timedelta()
    if name in ABBREVIATIONS and offset == timedelta(hours=ABBREVIATIONS[name]):
        return "GMT" if name in {"UTC", "Z"} else name
    minutes = offset // timedelta(minutes=1)
    hours = f"{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    return f"GMT{'-' if minutes < 0 else '+'}{hours}"


def printed_time(moment: Moment, spec: Spec) -> str:
    if spec.name in NEEDS_YEAR and not moment.year_is_known:
        raise BadError("no year")
    when = moment.when
    clock = f"{when.hour:02}:{when.minute:02}:{when.second:02}"
    month, day = MONTHS[when.month - 1], DAYS[when.weekday()]
    texts = {
        "time": f"{day} {month} {when.day:2} {clock} {when.year:04}",
        "tz": zone_name(when),
        "mon": month,
        "day": day,
    }
    if FIELDS[spec.name]["conversion"] == "s":
        return texts[spec.name]
    numbers = {
        "yy": when.year, "yyyy": when.year, "mth": when.month, "dd": when.day, "hh": when.hour,
        "mm": when.minute, "ss": when.second,
        "epochtime": (when - EPOCH) // timedelta(seconds=1) if moment.year_is_known else 0,
    }  # fmt: skip
    return digits(numbers[spec.name], spec)
