"""The vendor's default feed output format strings, as `.fof` data files, and their loader."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from formats.language import FeedFormat, parse

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
    found = (entry.name for entry in files("formats.presets").iterdir())
    return tuple(sorted(name.removesuffix(".fof") for name in found if name.endswith(".fof")))


def text(name: str) -> str:
    """Return a preset's feed output format string. Raises `KeyError` for an unknown name."""
    if name not in names():
        raise KeyError(name)
    return files("formats.presets").joinpath(f"{name}.fof").read_text(encoding="utf-8")


@cache
def load(name: str) -> FeedFormat:
    """Return a preset compiled. Raises `KeyError` for an unknown name."""
    return parse(text(name), name=name)
