"""How people read it: sizes, durations, names, texts that others wrote, errors of the system."""

import difflib
import math
from collections.abc import Iterable
from pathlib import Path

_PAGES = (Path("/usr/share/doc/nss-streamer/docs"), Path(__file__).parents[1] / "docs")
"""Of the package, and of a working copy."""

_DIST, _INFO = "nss_streamer-", ".dist-info"
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_UNIT = 1024
_SPANS = ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))


def size_text(size_bytes: float) -> str:
    """Return a number of bytes with the largest unit that leaves at least 1 of it."""
    size, unit = float(size_bytes), 0
    while size >= _UNIT and unit < len(_UNITS) - 1:
        size, unit = size / _UNIT, unit + 1
    return f"{size:.1f} {_UNITS[unit]}" if unit else f"{size:.0f} B"


def duration_text(secs: float) -> str:
    """Return a duration in its two largest units; the second is left out when it is 0."""
    whole = max(0, int(secs)) if math.isfinite(secs) else 0
    for unit_secs, unit, smaller_secs, smaller in _SPANS:
        if whole >= unit_secs:
            rest = whole % unit_secs // smaller_secs
            return f"{whole // unit_secs} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{whole} s"


def counted(number: int, noun: str) -> str:
    """Return how many there are of what has a plural in -s: `1 record`, `1,204 records`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def harmless(text: str, kept: str = "") -> str:
    """Return text that no terminal obeys and of which every character shows.

    What is not printable is escaped, but for the characters of `kept`.
    """
    return "".join(
        letter
        if letter.isprintable() or letter in kept
        else letter.encode("unicode_escape").decode()
        for letter in text
    )


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


def page(name: str) -> str | None:
    """Return where a page of the docs is on this machine, `None` where none is installed."""
    found = (folder / name for folder in _PAGES)
    return next((str(path) for path in found if path.is_file()), None)


def own_version() -> str | None:
    """Return the version of the installed package, `None` when it is not installed."""
    found = version_in(Path(__file__).parents[1])
    if found is not None:
        return found
    # It knows every way of installing, and takes 10 ms to import and as long to look.
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

    try:
        return version("nss-streamer")
    except PackageNotFoundError:
        return None


def version_in(folder: Path) -> str | None:
    """Return the version that a folder of packages names; `None` without one, or with several."""
    found = [
        each.name.removeprefix(_DIST).removesuffix(_INFO)
        for each in folder.iterdir()
        if each.name.startswith(_DIST) and each.name.endswith(_INFO)
    ]
    return found[0] if len(found) == 1 else None
