"""Differences that are known: what the product does not yet do as docs/formats.md has it.

Empty is what this list should be. Each entry says what differs, and for which cases.
"""

import re
from collections.abc import Callable

from tests.formats.second.cases import Case
from tests.formats.second.synonyms import field_of

KNOWN: dict[str, Callable[[Case], object]] = {
    # JSON
    "JSON takes the names of fields only, and the last of two": lambda case: any(
        mixes_keys(record) for record in case.records
    ),
    # what remains
    "an absent address counts beside text that is none": lambda case: (
        "public_ips" in str(case.choices)
    ),
    "one column in quotes is held against its kind": lambda case: re.fullmatch(
        r'"%s\{\w+\}"', case.source
    ),
    "base64 of a placeholder is decoded": lambda case: re.search(
        r'"b64\w+": ?"(NA|N/A|Unknown)"', "".join(case.records)
    ),
    "pairs are encoded more often: in headers of CEF and LEEF, and in keys": lambda case: (
        "pairs" in case.choices.get("protect_for", ())
        and re.search(r"CEF:|LEEF:|\}\w*=", case.format)
    ),
}


def mixes_keys(record: str) -> bool:
    """Whether a record has keys of presets, or one twice."""
    keys = re.findall(r'"(\w+)":', record)
    return len({*keys}) < len(keys) or any(field_of(key) not in {key, None} for key in keys)


def known(case: Case) -> bool:
    """Return whether a case meets a known difference."""
    return any(meets(case) for meets in KNOWN.values())
