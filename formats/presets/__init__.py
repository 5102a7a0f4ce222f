"""The vendor's default feed output format strings, as `.fof` data files, and their loader."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from formats.language import FeedFormat, parse

_FOLDER = Path(__file__).parent  # `importlib.resources` takes 5 ms to import

OLDER: Mapping[str, str] = MappingProxyType(
    {
        "CEF_MULTILINE": "ARCSIGHT_CEF",
        "CSV_OLD": "CSV",
        "QRADAR_OLD": "QRADAR",
        "TAB_SEPARATED_OLD": "TAB_SEPARATED",
    }
)
"""Presets that the vendor no longer hands out, and what took the place of each."""


@cache
def names() -> tuple[str, ...]:
    """Return the names of all presets, sorted."""
    found = (entry.name for entry in _FOLDER.iterdir())
    return tuple(sorted(name.removesuffix(".fof") for name in found if name.endswith(".fof")))


def text(name: str) -> str:
    """Return a preset's feed output format string. Raises `KeyError` for an unknown name."""
    if name not in names():
        raise KeyError(name)
    return _FOLDER.joinpath(f"{name}.fof").read_text(encoding="utf-8")


@cache
def load(name: str) -> FeedFormat:
    """Return a preset compiled. Raises `KeyError` for an unknown name."""
    return parse(text(name), name=name)
