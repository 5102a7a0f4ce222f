"""Records and lines as pages show them: text in which every character can be seen."""

import codecs
import re
from dataclasses import dataclass

from nss.admin.portal.texts import harmless

_ODD = re.compile(r"[^ -~]+")
_DECODER = codecs.getincrementaldecoder("utf-8")


@dataclass(frozen=True, slots=True)
class Shown:
    """The beginning of a record or line, and how much of it is not shown."""

    text: str
    more_bytes: int


def shown(data: bytes, full_bytes: int, most_bytes: int) -> Shown:
    r"""Return what a page shows of `data`, which may be the beginning of `full_bytes`.

    Bytes that are not UTF-8 are shown as `\xff`, control characters and what changes the direction
    of text as escapes. A character is not cut in two.
    """
    decoder = _DECODER("backslashreplace")
    begun = data[:most_bytes]
    text = decoder.decode(begun, final=len(data) <= most_bytes and full_bytes <= len(data))
    undecoded = len(decoder.getstate()[0])
    return Shown(visible(text), full_bytes - len(begun) + undecoded)


def visible(text: str) -> str:
    """Return text with escapes for what can't be seen; quick where it is ASCII."""
    return _ODD.sub(lambda found: harmless(found[0]), text)
