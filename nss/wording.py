"""How people read it: sizes, the nearest name, the reason of a system error, our own version."""

import difflib
from collections.abc import Iterable

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_UNIT = 1024


def size_text(size_bytes: float) -> str:
    """Return a number of bytes with the largest unit that leaves at least 1 of it."""
    size, unit = float(size_bytes), 0
    while size >= _UNIT and unit < len(_UNITS) - 1:
        size, unit = size / _UNIT, unit + 1
    return f"{size:.1f} {_UNITS[unit]}" if unit else f"{size:.0f} B"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the entry of `known` that `word` was probably meant to be."""
    spelled = {name.casefold(): name for name in known}
    found = difflib.get_close_matches(word.casefold(), spelled, n=1)
    return spelled[found[0]] if found else None


def error_text(error: OSError) -> str:
    """Return the reason as half a sentence: the system's words begin with a small letter.

    For errors of TLS there is `nss.tls.error_text`.
    """
    reason = error.strerror
    return reason[:1].lower() + reason[1:] if reason else str(error)


def own_version() -> str | None:
    """Return the version of the installed package, `None` when it is not installed."""
    # Imported with the module it would take a quarter of the time that `nss --help` may take.
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

    try:
        return version("nss-streamer")
    except PackageNotFoundError:
        return None
