"""How pages show numbers, sizes, times and texts that others wrote."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from nss import wording


def number(value: float) -> str:
    """Return a number with separators, without decimals."""
    return f"{value:,.0f}"


def rate(per_sec: float) -> str:
    """Return records a second; below ten with a decimal, since 0.4 is not nothing."""
    return f"{per_sec:.1f}" if 0 < per_sec < 10 else f"{per_sec:,.0f}"  # noqa: PLR2004 - see above


def iso(at: float) -> str:
    """Return a time, seconds since the epoch, as the attribute of `<time>` has it."""
    return _moment(at).strftime("%Y-%m-%dT%H:%M:%SZ")


def utc(at: float) -> str:
    """Return a time, seconds since the epoch, for people, in UTC."""
    return _moment(at).strftime("%Y-%m-%d %H:%M:%S UTC")


def _moment(at: float) -> datetime:
    try:
        return datetime.fromtimestamp(at, UTC)
    except (OverflowError, ValueError, OSError):
        return datetime.fromtimestamp(0, UTC)


def harmless(text: str | bytes) -> str:
    """Return text of which every character can be seen; line feeds stay."""
    if isinstance(text, bytes):
        text = text.decode(errors="backslashreplace")
    return wording.harmless(text, kept="\n")


def sendable(text: str) -> bytes:
    """Return text as it is sent; what is no Unicode, as in the name of a file, is written out."""
    return text.encode("utf-8", "backslashreplace")


_KINDS = {
    "syslog_udp": "syslog over UDP",
    "syslog_tcp": "syslog over TCP",
    "cloud_discovery": "upload to Cloud Discovery",
    "kafka": "Kafka",
    "tcp": "TCP",
    "http": "HTTP push",
    "stdin": "standard input",
}


def kind(name: str) -> str:
    """Return what people call a kind of source or sink."""
    return _KINDS.get(name, name)


FILTERS: Mapping[str, Callable[..., str]] = {
    "number": number,
    "bytes": wording.size_text,
    "duration": wording.duration_text,
    "rate": rate,
    "iso": iso,
    "utc": utc,
    "harmless": harmless,
    "kind": kind,
}
"""The filters of templates; each returns plain text, which is escaped like any other."""
