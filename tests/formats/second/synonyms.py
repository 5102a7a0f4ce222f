"""What keys of JSON records mean: names of fields, and what the presets print under a key."""

import re

from formats import presets
from tests.formats.second.language import FIELDS

# The same key may mean two things: the first of these that has it decides.
PRECEDENCE = [
    *("JSON", "MCAS", "QRADAR", "QRADAR_OLD", "SPLUNK_CIM", "NAME_VALUE_PAIRS", "RSA_SECURITY"),
    *("LOGRHYTHM", "SYMANTEC_MSS", "ARCSIGHT_CEF", "CEF_MULTILINE"),
]
PAIR = re.compile(
    r'(?<![\w%{])(?P<key>[A-Za-z_]\w*)(?:=|\||" ?: ?")(?P<value>(?:%[0-9]*[sdx]\{\w+\}[ :-]?)+)'
)
LABELLED = re.compile(r"c[ns][0-9]")  # of CEF, whose meaning stands under another key
OF_A_MOMENT = {"yy", "yyyy", "mon", "mth", "day", "dd", "hh", "mm", "ss", "tz"}


def plain(name: str) -> str:
    """Return the field that an `e*` field is the twin of."""
    for derivation in FIELDS[name]["derivations"].split():
        if derivation.startswith("encode:"):
            return derivation.removeprefix("encode:")
    return name


def exact_keys() -> dict[str, str]:
    """Return the field of each key as it is written."""
    table = {name: name for name in FIELDS} | {"datetime": "time", "hostname": "host"}
    for preset in PRECEDENCE:
        for pair in PAIR.finditer(presets.text(preset).replace("\\t", "\t")):
            names = re.findall(r"\{(\w+)\}", pair["value"])
            if LABELLED.match(pair["key"]):
                continue
            if len(names) == 1 and names[0] not in OF_A_MOMENT - {"tz"}:
                table.setdefault(pair["key"], plain(names[0]))
            elif {"yy", "ss"} <= {*names}:
                table.setdefault(pair["key"], "time")
    return table


EXACT = exact_keys()
FOLDED: dict[str, str] = {}
for each, field in EXACT.items():
    if each not in OF_A_MOMENT:
        FOLDED.setdefault(each.lower(), field)


def field_of(key: str) -> str | None:
    """Return what a key stands for: as it is written, or else in any case of its letters."""
    return EXACT.get(key) or FOLDED.get(key.lower())
