"""What Cloud Discovery can parse: the types of files that it documents, and formats that fit them.

A file in another format is taken, confirmed, and thrown away some hours later, so this is found
out before. Only what is known is refused:

- a `source_type` that is on none of Microsoft's lists (those lag behind the portal);
- for the types of LEEF and CEF, a format without that header, or without one of the keys that each
  line needs: its time, source address, destination (or URL) and action;
- for the vendor's CSV, a format that is LEEF, CEF, JSON or key=value.

Nothing is known of other types, and a parser of the customer's own takes anything: hence
`check_source_type`.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from formats import FeedFormat
from formats.errors import Problem
from formats.language import Literal
from formats.leef import HEADER
from formats.structure import LineKind, structure_of
from nss.config.files import UnfitFile, load_format
from nss.config.model import Config, FeedConfig
from nss.config.sinks import CloudDiscoverySinkConfig
from nss.config.toml import key_path
from nss.config.values import FormatChoice
from nss.wording import nearest

# "Initiate file upload" and "Supported log types" of the Cloud Discovery API (2021 to 2025).
_DOCUMENTED = """
    BARRACUDA BARRACUDA_NEXT_GEN_FW BARRACUDA_NEXT_GEN_FW_WEBLOG BLUECOAT CHECKPOINT CHECKPOINT_CEF
    CHECKPOINT_OPSEC_LEA CHECKPOINT_SMART_VIEW_TRACKER CHECKPOINT_XML CISCO_ASA CISCO_ASA_FIREPOWER
    CISCO_FIREPOWER_V6 CISCO_FWSM CISCO_IRONPORT_PROXY CISCO_IRONPORT_WSA_II CISCO_IRONPORT_WSA_III
    CISCO_SCAN_SAFE CLAVISTER CONTENTKEEPER CORRATA FORCEPOINT FORCEPOINT_LEEF FORTIGATE FORTIOS
    GENERIC_CEF GENERIC_LEEF GENERIC_W3C I_FILTER IBOSS JUNIPER_SRX JUNIPER_SRX_SD JUNIPER_SRX_WELF
    JUNIPER_SSG MACHINE_ZONE_MERAKI MCAFEE_SWG MENLO_SECURITY_CEF MICROSOFT_ISA_W3C
    OPEN_SYSTEMS_SECURE_WEB_GATEWAY PALO_ALTO PALO_ALTO_LEEF SONICWALL SOPHOS_CYBEROAM SOPHOS_SG
    SOPHOS_XG SQUID SQUID_NATIVE STORMSHIELD WANDERA WATCHGUARD_XTM WEBSENSE WEBSENSE_SIEM_CEF
    WEBSENSE_V7_5 ZSCALER ZSCALER_CEF ZSCALER_QRADAR
"""
_OF_SYSLOG = "_SYSLOG"

SOURCE_TYPES = frozenset(
    kind + end for kind in (*_DOCUMENTED.split(), "CUSTOM_PARSER") for end in ("", _OF_SYSLOG)
)
"""Each as a file and as what a collector received; the lists have one or both of the two."""

_CEF = re.compile(r"CEF:\d+\|")
_SLOT = "\0"
# The vendor's table of sources shows some of which only the URL is read.
_ENDS = (("src",), ("dst", "url", "request", "hostname", "dhost"))


@dataclass(frozen=True, slots=True)
class _Dialect:
    """What a line must be like for a parser of Cloud Discovery; of each of `keys`, one."""

    name: str
    keys: tuple[tuple[str, ...], ...]
    remedy: str


_LEEF = _Dialect("LEEF", (("devTime",), *_ENDS, ("cat", "act", "action")), 'format = "MCAS"')
_CEF_LINES = _Dialect("CEF", (*_ENDS, ("act", "cat", "action")), 'format = "ARCSIGHT_CEF"')
_CSV = _Dialect("CSV", (), 'format = "CSV"')
_DIALECTS = {
    "ZSCALER_QRADAR": _LEEF,
    "GENERIC_LEEF": _LEEF,
    "ZSCALER_CEF": _CEF_LINES,
    "GENERIC_CEF": _CEF_LINES,
    "ZSCALER": _CSV,
}


def unparsable(config: Config) -> Iterator[Problem]:
    """Yield what Cloud Discovery would not parse. A format whose file can't be read is left out."""
    mcas = config.mcas
    uploads = [feed for feed in config.feeds if isinstance(feed.sink, CloudDiscoverySinkConfig)]
    if not uploads or not mcas.check_source_type:
        return
    if mcas.source_type not in SOURCE_TYPES:
        near = nearest(mcas.source_type, SOURCE_TYPES)
        meant = f'source_type = "{near}", or ' if near else ""
        reason = (
            "is no type of files that Cloud Discovery documents\n"
            f"Try: {meant}check_source_type = false if the portal offers it"
        )
        yield Problem("mcas.source_type", mcas.source_type, reason)
        return
    dialect = _DIALECTS.get(mcas.source_type.removesuffix(_OF_SYSLOG))
    if dialect is not None:
        for feed in uploads:
            yield from _misfits(feed, dialect, mcas.source_type)


def suits_collector(choice: FormatChoice) -> bool:
    """Return whether a log collector's data source "Zscaler QRadar LEEF" parses a format.

    False as well where its file can't be read, or where it is none that can be written.
    """
    try:
        feed_format = load_format(choice)
    except UnfitFile:
        return False
    return feed_format is not None and _lack(feed_format, _LEEF) is None


def shortcoming(feed_format: FeedFormat, source_type: str) -> str | None:
    """Return what Cloud Discovery would miss in lines of a type, as the beginning of a sentence.

    `None` is no promise: of most types nothing is known, see `knows`.
    """
    dialect = _DIALECTS.get(source_type.removesuffix(_OF_SYSLOG))
    return None if dialect is None else _lack(feed_format, dialect)


def knows(source_type: str) -> bool:
    """Return whether anything is known of what lines of a type must be like."""
    return source_type.removesuffix(_OF_SYSLOG) in _DIALECTS


def _misfits(feed: FeedConfig, dialect: _Dialect, source_type: str) -> Iterator[Problem]:
    try:
        feed_format = load_format(feed.format)
    except UnfitFile:
        return  # which is a problem of its own
    lack = None if feed_format is None else _lack(feed_format, dialect)
    if lack is None:
        return
    key = "format_string" if feed.format.kind == "string" else "format"
    reason = (
        f"{lack}: Cloud Discovery parses files of source_type {source_type} as {dialect.name}, and "
        f"throws others away hours after it took them\nTry: {dialect.remedy}, or another "
        "source_type in [mcas]; check_source_type = false if the data source has a parser of your "
        "own"
    )
    yield Problem(f"{key_path('feeds', feed.name)}.{key}", feed.format.value, reason)


def _lack(feed_format: FeedFormat, dialect: _Dialect) -> str | None:
    """Return what a format lacks, as the beginning of a sentence."""
    if not feed_format.slots:  # a format string has some
        return "passes records on as they came"
    text = "".join(part.text if isinstance(part, Literal) else _SLOT for part in feed_format.parts)
    found = _dialect_of(feed_format, text)
    if dialect is _CSV:
        return f"writes {found}" if found else None
    if found != dialect.name:
        return f"has no {dialect.name} header"
    missing = [names[0] for names in dialect.keys if not _has_key(text, names)]
    if not missing:
        return None
    return f"lacks the key{'s' if len(missing) > 1 else ''} {', '.join(missing)}"


def _dialect_of(feed_format: FeedFormat, text: str) -> str | None:
    """Return the name of a format's dialect; what is in columns, or like nothing, has none."""
    if HEADER.search(text) is not None:
        return "LEEF"
    if _CEF.search(text) is not None:
        return "CEF"
    return {LineKind.JSON: "JSON", LineKind.KEYED: "key=value"}.get(structure_of(feed_format).kind)


def _has_key(text: str, names: Sequence[str]) -> bool:
    """Return whether the static text has one of the keys, in whatever case."""
    return re.search(rf"(?<![\w.\-])(?:{'|'.join(names)})=", text, re.IGNORECASE) is not None
