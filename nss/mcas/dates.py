"""The end date of a client secret, as people copy or type it: one day, or refused.

    2027-05-31, 2027/5/31, 2027-05-31T14:00:00Z     year first
    31.05.2027                                      day first
    5/31/2027, 31/5/2027, 31-05-2027                whichever makes a date; refused if both do
    31 May 2027, May 31, 2027, 31-May-2027          names in English, short or long

A time after the date is accepted; with an offset the day is that of UTC.
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime

from nss.answers import AROUND, BadAnswer
from nss.expiry import DAY_SECS
from nss.mcas import Field

_FIELD: Field = "client_secret_expires"
_TIP = "write it as YYYY-MM-DD, as Entra's column Expires shows it, or leave it empty"
_UNKNOWN = {"", "-", "none", "never", "unknown"}
_MAX_YEARS = 100
_UNSEEN = re.compile("[\u200b-\u200f\u2060\ufeff]")

_YEAR_FIRST = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})", re.ASCII)
_YEAR_LAST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})", re.ASCII)
_DAY_NAMED = re.compile(r"(\d{1,2})[ -]([a-z]{3,9})\.?,?[ -](\d{4})", re.ASCII | re.IGNORECASE)
_NAME_FIRST = re.compile(r"([a-z]{3,9})\.? (\d{1,2}),? (\d{4})", re.ASCII | re.IGNORECASE)
_TIME = re.compile(r"[, T]+(?:at )?\d{1,2}:\d{2}.{0,30}", re.IGNORECASE)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_LONG = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september"),
    *("october", "november", "december"),
)


def secret_end(text: str, today: date) -> date | None:
    """Return the last day of a secret that is good today, `None` if that is not known.

    Raises `BadAnswer`, also for a day that has passed.
    """
    found = read_date(text)
    if found is None:
        return None
    if found < today:
        raise _bad("has passed: a secret that has expired signs in nowhere", "make a new secret")
    if found.year > today.year + _MAX_YEARS:
        raise _bad("is more than a hundred years away")
    return found


def read_date(text: str) -> date | None:
    """Return the day that a text names, `None` if it says there is none. Raises `BadAnswer`."""
    cleaned = " ".join(_UNSEEN.sub("", text).strip(AROUND).split())
    if cleaned.lower() in _UNKNOWN:
        return None
    moment = _moment(cleaned)
    if moment is not None:
        return moment
    day = _TIME.sub("", cleaned)
    for pattern, read in _FORMS:
        if match := pattern.fullmatch(day):
            return read(match)
    raise _bad("is not a date")


def _moment(text: str) -> date | None:
    """Return the day of a time in ISO 8601, `None` for anything else."""
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo is None else found.astimezone(UTC)).date()
    except (ValueError, OverflowError):
        return None


def _day(year: str, month: int, day: str) -> date:
    try:
        return date(int(year), month, int(day))
    except ValueError:
        raise _bad("is no day of the calendar") from None


def _of_parts(match: re.Match[str]) -> date:
    first, separator, second, year = match.groups()
    if separator == ".":
        return _day(year, int(second), first)
    readings = {(int(first), second), (int(second), first)}
    fitting = sorted(
        (_day(year, month, day) for month, day in readings if month <= len(_MONTHS)), reverse=True
    )
    if len(fitting) > 1:
        both = " or ".join(found.isoformat() for found in fitting)
        raise _bad(f"can be read in two ways: {both}")
    return fitting[0] if fitting else _day(year, int(first), second)


def _named(year: str, name: str, day: str) -> date:
    short = name.lower()
    if short[:3] not in _MONTHS or not _LONG[_MONTHS.index(short[:3])].startswith(short):
        raise _bad("is not a date")
    return _day(year, _MONTHS.index(short[:3]) + 1, day)


_FORMS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], date]], ...] = (
    (_YEAR_FIRST, lambda match: _day(match[1], int(match[3]), match[4])),
    (_YEAR_LAST, _of_parts),
    (_DAY_NAMED, lambda match: _named(match[3], match[2], match[1])),
    (_NAME_FIRST, lambda match: _named(match[3], match[1], match[2])),
)


def end_of(day: date) -> float:
    """Return when a day ends in UTC, in seconds since the epoch: Entra names no hour."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() + DAY_SECS


def _bad(problem: str, tip: str = _TIP) -> BadAnswer:
    return BadAnswer(f"the end date of the Client Secret {problem}", tip, field=_FIELD)
