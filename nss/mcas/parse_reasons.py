"""Why Cloud Discovery could not use a file: the reasons that are known, and what to do about each.

The portal shows them as sentences, the API also as codes such as
`REPOOPER_COMPLETION_STATUS_BASELOGPARSER_UNEXPECTED_FORMAT`. docs/mcas.md has the same table.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ParseReason:
    """A reason that is known: words that its text has, and the remedy as half a sentence."""

    words: tuple[str, ...]
    """In upper case, separated by single blanks; one of them is in the text."""
    remedy: str


UNKNOWN_REMEDY = (
    "look for the entry in the portal (Cloud Apps, Governance log), and compare a line of nss tap "
    "with the sample log of the data source"
)

REASONS = (
    ParseReason(
        ("UNEXPECTED FORMAT", "FORMAT DOESN T MATCH", "FORMAT DOES NOT MATCH", "FORMAT MISMATCH"),
        'give the feed format = "MCAS", and the data source the source "Zscaler QRadar LEEF"; '
        "nss check compares format and source_type",
    ),
    ParseReason(
        ("UNSUPPORTED FILE", "INVALID FILE"),
        "set gzip = false for the sink; if it is so already, something on the way changes the file",
    ),
    ParseReason(
        ("90 DAYS", "TOO OLD"),
        "see that the sources' records are recent and that zone and clocks are right",
    ),
    ParseReason(
        ("NO TRANSACTIONS", "NO RELEVANT TRANSACTIONS"),
        "see that the records are of traffic to the internet and that the feed's filter does not "
        "leave out cloud apps; a file from a quiet hour may have none",
    ),
    ParseReason(
        ("UNSUPPORTED LOG", "UNSUPPORTED DATA SOURCE"),
        'set source_type = "ZSCALER_QRADAR_SYSLOG" in [mcas], and in the portal the data source\'s '
        'source to "Zscaler QRadar LEEF"',
    ),
    ParseReason(
        ("NOT FOUND INPUT STREAM", "INPUT STREAM NOT FOUND"),
        "add the data source in the portal, named exactly as data_source in [mcas]",
    ),
    ParseReason(
        ("INTERNAL ERROR",),
        "press Retry at the entry in the portal (Cloud Apps, Governance log); if it stays, ask "
        "Microsoft's support",
    ),
)


def reason_of(text: str) -> ParseReason | None:
    """Return the known reason that a text of the governance log gives, `None` for another."""
    words = f" {re.sub('[^A-Z0-9]+', ' ', text.upper())} "
    found = (reason for reason in REASONS if any(f" {each} " in words for each in reason.words))
    return next(found, None)


def remedy_of(text: str) -> str:
    """Return what to do about a failure with this text."""
    found = reason_of(text)
    return UNKNOWN_REMEDY if found is None else found.remedy
