"""Differences that are known: what the product does not yet do as docs/formats.md has it.

Empty is what this list should be. Each entry says what differs, and for which cases.
"""

import re
from collections.abc import Callable

from tests.formats.second.cases import Case

KNOWN: dict[str, Callable[[Case], object]] = {
    "pairs are encoded more often: in headers of CEF and LEEF, and in keys": lambda case: (
        "pairs" in case.choices.get("protect_for", ())
        and re.search(r"CEF:|LEEF:|\}[^%]{0,3}=", case.format)
    ),
}


def known(case: Case) -> bool:
    """Return whether a case meets a known difference."""
    return any(meets(case) for meets in KNOWN.values())
