"""Numbers as people write them."""

import difflib
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

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


def own_version() -> str:
    """Return the version of the installed package."""
    try:
        return version("nss-streamer")
    except PackageNotFoundError:
        return "not installed"
