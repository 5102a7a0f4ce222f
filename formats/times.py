"""Times of records: read from whatever the record has, shifted into a zone, split into parts.

A record states its moment as Unix seconds (`epochtime`), ctime style (`Fri Dec 31 07:07:07 2021`),
`YYYY-MM-DD HH:MM:SS`, ISO 8601 with an offset, LEEF's `Dec 31 2021 07:07:07 GMT`, or as parts.
Weekdays are ignored: real records carry wrong ones. A distinct second is worked out once.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from itertools import chain, product
from zoneinfo import ZoneInfo

from formats.errors import ZoneError

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

Parts = Mapping[str, str | int]
"""Time fields (see `fields.TIME_FIELDS`) by name, as far as the record states them."""
Stated = Mapping[str, str | int | None]
"""The time fields that a record states, `time` and `datetime` in any known form."""

_PLACEHOLDERS = ("", "-", "none", "na", "n/a", "null", "unknown")
_IN_ANY_CASE = (product(*zip(word, word.upper(), strict=True)) for word in _PLACEHOLDERS)
ABSENT: frozenset[str | None] = frozenset({None, *map("".join, chain.from_iterable(_IN_ANY_CASE))})
"""What stands for a time that is not there, in any case of letters."""

_MONTH_NUMBER = {name.lower(): number for number, name in enumerate(MONTHS, 1)}
_CLOCK = r"(?P<hh>\d{1,2}):(?P<mm>\d{1,2}):(?P<ss>\d{1,2})(?:[.,]\d+)?"
_DAY = r"(?:[A-Za-z]{3},? +)?(?P<mon>[A-Za-z]{3}) +(?P<dd>\d{1,2})"
_YEAR, _TZ = r"(?P<yy>\d{4})", r"(?P<tz>\S+)"
_PATTERNS = [
    re.compile(pattern, re.ASCII)
    for pattern in (
        rf"{_DAY} {_CLOCK} {_YEAR}(?: {_TZ})?",
        rf"{_YEAR}[-/](?P<mth>\d{{1,2}})[-/](?P<dd>\d{{1,2}})[T ]+{_CLOCK} ?{_TZ}?",
        rf"{_DAY} {_YEAR} {_CLOCK}(?: {_TZ})?",
    )
]
_EPOCH = re.compile(r"(\d{1,11})(?:\.\d+)?|(\d{13})", re.ASCII)
_OFFSET = re.compile(r"(?:GMT|UTC)?([+-])(\d{1,2})(?::?([0-5]\d))?", re.ASCII | re.IGNORECASE)
_MACHINE_FILES = frozenset({"localtime", "posixrules", "Factory"})
_MACHINE_FOLDERS = ("posix/", "right/")
"""Files beside those of zones, which are there on some machines, and different on each."""

_EPOCH_START = datetime(1970, 1, 1, tzinfo=UTC)

# What `%s{tz}` and LEEF writers print for zones of the United States, Europe, Japan and
# Australia, in hours from GMT. Ambiguous ones (IST, BST) are left out.
_ABBREVIATIONS = {
    "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7,
    "AKST": -9, "AKDT": -8, "HST": -10, "WET": 0, "WEST": 1, "CET": 1, "CEST": 2, "MET": 1,
    "MEST": 2, "EET": 2, "EEST": 3, "MSK": 3, "JST": 9, "AEST": 10, "AEDT": 11,
}  # fmt: skip

NEVER = "Thu Jan  1 00:00:00 1970"
"""What the service prints for a time that was never set, in every zone."""

_WHOLE = ("epochtime", "time", "datetime")

_MAX_CHARS = 80
"""No statement of a time is longer; a bound keeps what renderers remember small."""


class BadTime(ValueError):  # noqa: N818 - its text is the reason of a reject
    """A record's time can't be read; the text is the reason for people."""


@lru_cache(maxsize=256)
def zone(name: str) -> tzinfo:
    """Return a zone by IANA name or GMT offset (`GMT`, `GMT+2`, `GMT-05:30`, `+0200`).

    Raises `ZoneError` for anything else.
    """
    if name.upper() in {"GMT", "UTC", "Z"}:
        return UTC
    found = _OFFSET.fullmatch(name)
    if found is not None:
        sign, hours, minutes = found.groups()
        offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
        if offset >= timedelta(hours=24):
            raise ZoneError(f"zone {name!r}: an offset is under 24 hours")
        return timezone(-offset if sign == "-" else offset)
    try:
        if name not in _MACHINE_FILES and not name.startswith(_MACHINE_FOLDERS):
            return ZoneInfo(name)
    except (KeyError, OSError, ValueError):  # unknown, a folder such as Europe, or no path at all
        pass
    raise ZoneError(
        f"zone {name!r}: neither an IANA name such as Europe/Berlin nor an offset like GMT+2"
    )


def _record_zone(name: str) -> tzinfo:
    # An abbreviation first: CET in a record is one hour, while the IANA zone CET has summers.
    hours = _ABBREVIATIONS.get(name.upper())
    if hours is not None:
        return timezone(timedelta(hours=hours))
    try:
        return zone(name)
    except ZoneError:
        raise BadTime(f"time zone {name[:40]!r} is not known") from None


def zone_text(moment: datetime) -> str:
    """Return what `%s{tz}` prints: GMT, an abbreviation such as CEST, or GMT+03:30.

    Java's date pattern letter `z`, which LEEF's devTimeFormat names, reads each of these. An
    abbreviation that means other zones too (China's CST, London's BST) is not printed.
    """
    offset = moment.utcoffset() or timedelta(0)
    name = moment.tzname() or ""
    if name in {"UTC", "GMT"} and not offset:
        return "GMT"
    if name in _ABBREVIATIONS and offset == timedelta(hours=_ABBREVIATIONS[name]):
        return name
    minutes = int(offset.total_seconds()) // 60
    sign = "-" if minutes < 0 else "+"
    return f"GMT{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def parts_of(moment: datetime) -> dict[str, str | int]:
    """Return all twelve time fields of an aware moment, in the moment's own zone."""
    mon, day = MONTHS[moment.month - 1], DAYS[moment.weekday()]
    return {
        "time": f"{day} {mon} {moment.day:2d} {moment:%H:%M:%S} {moment.year:04d}",
        "yy": moment.year,
        "yyyy": moment.year,
        "mon": mon,
        "mth": moment.month,
        "dd": moment.day,
        "day": day,
        "hh": moment.hour,
        "mm": moment.minute,
        "ss": moment.second,
        "tz": zone_text(moment),
        "epochtime": (moment - _EPOCH_START) // timedelta(seconds=1),
    }


def parse_text(text: str, default: tzinfo, tz: str | None = None) -> datetime:
    """Return the moment that `text` states; if it names no zone it is in `tz`, or else `default`.

    `tz` is as a record has it, and looked up only if it is needed. Raises `BadTime`.
    """
    text = text.strip()
    epoch = _EPOCH.fullmatch(text)
    if epoch is not None:
        seconds = int(epoch[1] or epoch[2][:-3])
        try:
            return _EPOCH_START + timedelta(seconds=seconds)
        except OverflowError:
            raise BadTime(f"epoch time {seconds} is out of range") from None
    for pattern in _PATTERNS:
        found = pattern.fullmatch(text)
        if found is not None:
            parts = found.groupdict()
            return _assemble(parts | {"tz": parts["tz"] or tz}, default)
    raise BadTime(f"time {text[:60]!r} is in no known form")


def shifted(text: str, tz: str | None, source: tzinfo, target: tzinfo) -> str:
    """Return a time, which stands in zone `tz` or else `source`, as ctime in zone `target`.

    `NEVER`, and text that states no time, is returned as it is.
    """
    if len(text) > _MAX_CHARS or text == NEVER:
        return text
    try:
        moment = parse_text(text, source, None if tz in ABSENT else tz)
        if moment.replace(tzinfo=None) == _EPOCH_START.replace(tzinfo=None):
            return NEVER
        return str(parts_of(moment.astimezone(target))["time"])
    except (BadTime, OverflowError, ValueError):
        return text


def _assemble(stated: Stated, default: tzinfo) -> datetime:
    """Build a moment from year, month (`mth` or `mon`), day and clock parts."""
    tz = stated.get("tz")
    try:
        return datetime(
            _number(stated, "yy" if stated.get("yy") is not None else "yyyy"),
            _month(stated),
            _number(stated, "dd"),
            _number(stated, "hh"),
            _number(stated, "mm"),
            _number(stated, "ss"),
            tzinfo=default if tz is None else _record_zone(str(tz)),
        )
    except BadTime:
        raise
    except (ValueError, OverflowError) as error:
        raise BadTime(f"time is impossible: {error}") from None


def _month(stated: Stated) -> int:
    if stated.get("mon") is None or stated.get("mth") is not None:
        return _number(stated, "mth")
    month = _MONTH_NUMBER.get(str(stated["mon"]).lower())
    if month is None:
        raise BadTime(f"month {str(stated['mon'])[:20]!r} is not known")
    return month


def _number(stated: Stated, name: str) -> int:
    value = stated.get(name)
    if isinstance(value, str) and not (value.strip().isascii() and value.strip().isdigit()):
        raise BadTime(f"{name} {value[:20]!r} is not a number")
    if value is None:
        raise BadTime(f"the time has no {name}")
    number = int(value)
    return 59 if name == "ss" and number == 60 else number  # noqa: PLR2004 - a leap second


def resolve(stated: Stated, source: tzinfo, target: tzinfo) -> Parts:
    """Return the parts of the time that a record states, shifted from zone `source` to `target`.

    A record that states no year (RFC 3164 headers) keeps its parts as they are, unshifted and
    without those that would need the year. Raises `BadTime`.
    """
    known = {name: value for name, value in stated.items() if value not in ABSENT}
    long = next((name for name, value in known.items() if len(str(value)) > _MAX_CHARS), None)
    if long is not None:
        raise BadTime(f"{long} is longer than {_MAX_CHARS} characters")
    if known.get("epochtime") in {0, "0"} and len(known) > 1:
        del known["epochtime"]  # the placeholder of a number
    whole = next((known[name] for name in _WHOLE if name in known), None)
    if whole is not None:
        tz = known.get("tz")
        moment = parse_text(str(whole), source, None if tz is None else str(tz))
    elif known.keys() & {"yy", "yyyy"}:
        moment = _assemble(known, source)
    elif known.keys() >= {"dd", "hh", "mm", "ss"} and known.keys() & {"mon", "mth"}:
        # 2000 is a leap year, so that 29 February passes.
        parts = parts_of(_assemble({**known, "yy": 2000, "tz": None}, source))
        return {name: parts[name] for name in ("mon", "mth", "dd", "hh", "mm", "ss")}
    else:
        raise BadTime("the record has no time")
    try:
        return parts_of(moment.astimezone(target))
    except (OverflowError, ValueError):
        raise BadTime("time is out of range") from None
