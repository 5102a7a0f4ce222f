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


DESCRIPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "ARCSIGHT_CEF": "ArcSight and other readers of CEF",
        "CSV": "columns in quotes, with commas between",
        "JSON": "what Cloud NSS pushes by default",
        "LOGRHYTHM": "LogRhythm: key=value, with blanks between",
        "MCAS": "Microsoft Defender for Cloud Apps",
        "NAME_VALUE_PAIRS": "key=value, with TABs between",
        "QRADAR": "IBM QRadar: LEEF 1.0, 41 attributes",
        "RSA_SECURITY": "RSA Security: columns, with ^^ between",
        "SPLUNK_CIM": "Splunk: key=value, names of its CIM",
        "SYMANTEC_MSS": "Symantec MSS: keys and values between |",
        "TAB_SEPARATED": "columns, with TABs between",
    }
)
"""Who reads each of today's presets, or what its lines look like: half a sentence."""


@cache
def names() -> tuple[str, ...]:
    """Return the names of all presets, sorted."""
    found = (entry.name for entry in _FOLDER.iterdir())
    return tuple(sorted(name.removesuffix(".fof") for name in found if name.endswith(".fof")))


def find(name: str) -> str | None:
    """Return the preset that a person names in any case of letters, `None` if there is none."""
    return next((known for known in names() if known == name.upper()), None)


def description(name: str) -> str:
    """Return what a preset is for, as half a sentence."""
    newer = OLDER.get(name)
    return f"older variant of {newer}" if newer else DESCRIPTIONS[name]


def text(name: str) -> str:
    """Return a preset's feed output format string. Raises `KeyError` for an unknown name."""
    if name not in names():
        raise KeyError(name)
    return _FOLDER.joinpath(f"{name}.fof").read_text(encoding="utf-8")


@cache
def load(name: str) -> FeedFormat:
    """Return a preset compiled. Raises `KeyError` for an unknown name."""
    return parse(text(name), name=name)
