"""Guards: the characters that must not come out of a value raw, for each slot of a feed format."""

import re
from collections.abc import Mapping, Sequence
from string import ascii_letters, digits

from formats.fields import TIME_FIELDS
from formats.language import Slot
from formats.structure.quoting import Place, quoting_of
from formats.structure.template import CELL, MARK, STATIC, Template, slots_in

PROTECTIONS: Mapping[str, str] = {"quotes": "\"'\\", "pipes": "|", "pairs": "="}
"""What readers stumble over that is legal in a value, by the name it has in `protect_for`.

`quotes` are what readers take for quoting or for an escape, `pairs` a ` key=` inside a value. That
needs a blank before the key, so `=` stays where a value can't have one before it.
"""

_JSON_BARE = '"\\,:{}[]'
"""What ends a value of JSON that stands outside of strings, or makes more of it."""

_COLUMN_END = re.compile(r" *([,;|])(?: *\Z|\S)")
"""Static text between two columns: a separator, and nothing but text without a blank behind it."""
_LAST = re.compile(r"[,;|]\Z")

_KEY_CHARACTERS = ascii_letters + digits + "_.-"


def for_readers(
    guards: Sequence[str], spaced: frozenset[int], protect_for: frozenset[str]
) -> tuple[str, ...]:
    """Return the guards of each slot and what `protect_for` names of `PROTECTIONS`.

    `spaced` are the slots that `pairs` concerns, see `spaced_slots`.
    """
    everywhere = "".join(PROTECTIONS[name] for name in sorted(protect_for - {"pairs"}))
    pairs = PROTECTIONS["pairs"] if "pairs" in protect_for else ""
    return tuple(
        united(guard, everywhere, pairs if index in spaced else "")
        for index, guard in enumerate(guards)
    )


def united(*guards: str) -> str:
    """Return the characters of several guards, each once and in one order."""
    return "".join(sorted(set().union(*guards)))


def spaced_slots(template: Template) -> frozenset[int]:
    """Return the slots in whose text a blank may stand before a key.

    Plain text may hold ` key=`. Encoded text holds no blank, and URLs are full of `=`; but the key
    may be its first word, where the line begins or a blank stands before it.
    """
    spaced = set()
    begins = True  # whether a key that begins here may be taken for that of a pair
    for token in re.findall(f"{MARK}|{STATIC}", template.text):
        if not re.match(MARK, token):
            before = token.rstrip(_KEY_CHARACTERS)
            begins = before[-1].isspace() if before else begins
            continue
        (index,) = slots_in(token)
        if not template.slots[index].field.encoded:
            begins = True
        if begins:
            spaced.add(index)
    return frozenset(spaced)


def guards_of(
    template: Template,
    *,
    separator: str = "",
    keyless: frozenset[int] = frozenset(),
    header_end: int = 0,
    is_columns: bool = False,
    is_sequence: bool = False,
) -> tuple[str, ...]:
    """Return what the value of each slot must not print raw, in any line but LEEF.

    `separator` is that of the line's pieces, which are columns or have keys; `keyless` are the
    slots of pieces without one. Up to `header_end` stands a header of CEF. In a sequence, a value
    ends where the text behind it begins.
    """
    quoting = quoting_of(template.text)
    ends, pairs = [_end(separator)] * len(template.slots), keyless
    unquoted = quoting.quotes + ("{[" if any(place.in_json for place in quoting.places) else "")
    if is_columns:
        unquoted += '"'
    if is_sequence:
        body = quoting_of(template.text[header_end:]).outline if header_end else quoting.outline
        unquoted += _columns_in(body)
        if header_end:  # CEF knows no quotes
            spaced = spaced_slots(template)
            ends = ["=" if index in spaced else "" for index in range(len(template.slots))]
        elif _has_pairs(body):
            pairs = spaced_slots(template)
        else:
            ends = _ends(template)
            unquoted += _common_end(quoting.outline)
    header = frozenset(slots_in(template.text[:header_end]))
    return tuple(
        ""
        if not _is_text(slot)
        else "|"
        if index in header
        else united(end, _quoted(place) or unquoted + ("=" if index in pairs else ""))
        for index, (slot, place, end) in enumerate(
            zip(template.slots, quoting.places, ends, strict=True)
        )
    )


def leef_guards(
    template: Template, separator: str, header_end: int, *, names_delimiter: bool
) -> tuple[str, ...]:
    """Return what the value of each slot must not print raw in a line of LEEF.

    TAB is a control character. A value where a key stands must not be a pair of its own; and where
    the header could name a delimiter, but does not, no pipe may stand before the first key.
    """
    end = "" if separator == "\t" else separator
    first, *others = (
        frozenset(slots_in(piece.partition("=")[0]))
        for piece in template.text[header_end:].split(separator)
    )
    keys = first.union(*others)
    header = frozenset(slots_in(template.text[:header_end]))
    return tuple(
        ""
        if not _is_text(slot)
        else "|"
        if index in header
        else united(
            end,
            "=" if index in keys else "",
            "|" if index in first and not names_delimiter else "",
        )
        for index, slot in enumerate(template.slots)
    )


def _is_text(slot: Slot) -> bool:
    return slot.field.conversion == "s" and slot.field.name not in TIME_FIELDS


def _quoted(place: Place) -> str:
    """Return what ends a value in quotes or in JSON; nothing for a value in neither."""
    if place.quotes:
        return place.quotes + ("\\" if place.escapes else "")
    return _JSON_BARE if place.in_json else ""


def _end(following: str) -> str:
    """Return the character that shows where a value ends, if `following` is behind it.

    Blanks, letters and digits are in too many values, and `%` is in what encodes it.
    """
    first = following[:1]
    return "" if first.isalnum() or first.isspace() or first == "%" else first


def _ends(template: Template) -> list[str]:
    """Return what ends each value of a sequence: the text behind it begins with that."""
    ends: list[str] = []
    end = ""
    for text in reversed(re.split(MARK, template.text)[1:]):
        end = _end(text) if text else end
        ends.append(end)
    return ends[::-1]


def _common_end(outline: str) -> str:
    """Return what every static text between values begins with, if it is the same character."""
    firsts = {text[0] for text in _between(outline)}
    return _end(firsts.pop()) if len(firsts) == 1 else ""


def _between(text: str) -> list[str]:
    """Return the static texts between slots, those inside a time left out."""
    return list(filter(None, re.split(CELL, text)[1:-1]))


def _has_pairs(outline: str) -> bool:
    """Whether what separates `key=value` pairs may be in a value, so that ` key=` forges one."""
    between = _between(outline)
    firsts = {text[0] for text in between}
    return any("=" in text for text in between) and (len(firsts) > 1 or not _end(*firsts))


def _columns_in(outline: str) -> str:
    """Return the separators of columns in a line, and the quote if they may be read as CSV.

    Between pipes, static text stands for keys, and the line is not read as CSV.
    """
    before, *texts = re.split(CELL, outline)
    found = [match for text in texts if (match := _COLUMN_END.match(text))]
    separators = {match[1] for match in found} | set(_LAST.findall(before) if texts else ())
    bare = sum(match.string.strip() == "|" for match in found)
    is_csv = bool(separators - {"|"}) or (bool(found) and bare * 2 >= len(found))
    return "".join(separators) + ('"' if is_csv else "")
