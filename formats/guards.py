"""Guards: the characters that must not come out of a value raw, for each slot of a feed format."""

import re
from collections.abc import Mapping, Sequence

from formats.template import MARK, STATIC, Template, slots_in

READERS: Mapping[str, str] = {"quotes": "\"'\\", "pipes": "|", "pairs": "="}
"""What readers stumble over that is legal in a value, by the name it has in `protect_for`.

`quotes` are what readers take for quoting or for an escape, `pairs` a ` key=` inside a value. That
needs a blank before the key, so `=` stays where a value can't have one before it.
"""

_CEF = re.compile(r"CEF:\d+\|")
_WORD_END = re.compile(r"[\w.\-]+\Z", re.ASCII)
"""What the key of a pair may begin with."""


def for_readers(
    guards: Sequence[str], spaced: frozenset[int], protect_for: frozenset[str]
) -> tuple[str, ...]:
    """Return the guards of each slot and what `protect_for` names of `READERS`.

    `spaced` are the slots that `pairs` concerns, see `spaced_slots`.
    """
    everywhere = "".join(READERS[name] for name in sorted(protect_for - {"pairs"}))
    pairs = READERS["pairs"] if "pairs" in protect_for else ""
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
    may be its first word, where the line begins or a blank stands before it. In CEF an equals sign
    of a value is escaped, wherever it stands, so its readers take any that is not for a pair.
    """
    if _CEF.search(template.text):
        return frozenset(range(len(template.slots)))
    spaced = set()
    begins = True  # whether a key that begins here may be taken for that of a pair
    for token in re.findall(f"{MARK}|{STATIC}", template.text):
        if not re.match(MARK, token):
            before = _WORD_END.sub("", token)
            begins = before[-1].isspace() if before else begins
            continue
        (index,) = slots_in(token)
        if not template.slots[index].field.encoded:
            begins = True
        if begins:
            spaced.add(index)
    return frozenset(spaced)
