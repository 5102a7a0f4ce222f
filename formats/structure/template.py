"""A feed format as one text, so that its static text can be looked at as a whole.

One private character stands for each slot; those of time fields are of another plane. Static text
has neither: `formats.language` refuses private characters.
"""

import re

from formats.fields import TIME_FIELDS
from formats.language import FeedFormat, Literal, Part

_FIRST_MARK, _FIRST_TIME_MARK = 0xF0000, 0x100000
MARK = "[\U000f0000-\U0010fffd]"
"""A slot."""
TIME_MARK = "[\U00100000-\U0010fffd]"
STATIC = "[^\U000f0000-\U0010fffd]+"
CELL = rf"{TIME_MARK}(?:[ :,./T\-]*{TIME_MARK})*|{MARK}"
"""A field, or time fields that nothing but glue stands between."""


class Template:
    """A feed format as a text in which one private character stands for each slot."""

    def __init__(self, feed_format: FeedFormat) -> None:
        self.slots = feed_format.slots
        marks = (
            chr(number + (_FIRST_TIME_MARK if slot.field.name in TIME_FIELDS else _FIRST_MARK))
            for number, slot in enumerate(self.slots)
        )
        self.text = "".join(
            part.text if isinstance(part, Literal) else next(marks) for part in feed_format.parts
        )

    def parts(self, piece: str) -> tuple[Part, ...]:
        """Turn a piece of the text back into literals and slots."""
        return tuple(
            self.slots[slots_in(token)[0]] if re.match(MARK, token) else Literal(token)
            for token in re.findall(f"{MARK}|{STATIC}", piece)
        )

    def before(self, following: str, start: int = 0, end: int | None = None) -> frozenset[int]:
        """Return the slots directly before the text `following`, or the end of the piece."""
        found = re.findall(rf"({MARK})(?={re.escape(following)}|\Z)", self.text[start:end])
        return frozenset(slots_in("".join(found)))


def slots_in(piece: str) -> list[int]:
    """Return the numbers of the slots in a piece."""
    return [ord(mark) & 0xFFFF for mark in re.findall(MARK, piece)]
