"""How the screen words numbers and times: short, and readable at one look."""

from datetime import datetime

from nss.wording import duration_text

_MOST = 10**15
_IMPOSSIBLE = "at no possible time"


def count_text(number: float) -> str:
    """Return a count, with thousands apart while people can read it."""
    return f"{number:,.0f}" if abs(number) < _MOST else f"{float(number):.1e}"


def rate_text(per_sec: float) -> str:
    """Return a rate; one that is not 0 never looks like it."""
    return "<1/s" if 0 < per_sec < 1 else f"{count_text(per_sec)}/s"


def ago(at: float, now: float) -> str:
    """Return how long ago a time was."""
    return f"{duration_text(now - at)} ago"


def moment(at: float, now: float) -> str:
    """Return a time in this machine's zone and how long ago it was: `02:58 (4 min)`."""
    try:
        then, today = (datetime.fromtimestamp(secs).astimezone() for secs in (at, now))
    except (OverflowError, ValueError, OSError):
        return _IMPOSSIBLE
    day = "" if then.date() == today.date() else f"{then:%Y-%m-%d} "
    return f"{day}{then:%H:%M} ({duration_text(now - at)})"


def clock_text(at: float) -> str:
    """Return a time of day in this machine's zone."""
    try:
        return f"{datetime.fromtimestamp(at).astimezone():%H:%M:%S}"
    except (OverflowError, ValueError, OSError):
        return _IMPOSSIBLE


def next_try(secs: float) -> str:
    """Return when something is tried again, so many seconds from now."""
    return "next try now" if secs < 1 else f"next try in {duration_text(secs)}"
