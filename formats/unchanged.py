"""The format that prints each record as it came, byte for byte, without its line end.

For those who pass records on to another NSS, or keep them as they were. A record is read all the
same: what can't be read is set apart, filters see its fields, and a JSON array becomes a line for
each of its elements. Nothing is escaped, protected, obfuscated or shortened.
"""

from collections.abc import Callable

from formats.language import FeedFormat
from formats.reading import Input
from formats.reading.json_scan import bare
from formats.structure import LineKind, structure_of

UNCHANGED = FeedFormat("unchanged", ())


def text_of_line(source: Input) -> Callable[[bytes], bytes]:
    """Return what makes the text of a record of a line on which there is no other."""
    if source.format is None or structure_of(source.format).kind is LineKind.JSON:
        return _element_of
    return _without_cr


def _without_cr(line: bytes) -> bytes:
    return line.removesuffix(b"\r")


def _element_of(line: bytes) -> bytes:
    """Take the record out of its array, if it stands in one."""
    if not line.startswith(b"{"):
        text = bare(line)
        if text.startswith(b"["):
            return text[1:-1].strip()
    return _without_cr(line)
