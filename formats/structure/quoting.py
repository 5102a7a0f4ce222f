"""The quoting that the slots of a feed format stand in, found by one scan of its static text.

Which characters end a value follows from the string or the brackets around it, wherever these
stand in the line: behind a syslog header, in an array, in one column of several.
"""

import re

from formats.dataclass import dataclass
from formats.structure.template import MARK

CSV_SEPARATORS = frozenset(",;|\t")
"""What columns are separated by where quotes are those of CSV: doubled inside, not escaped."""

OUTLINED = "\U000ffffd"
"""Stands in an outline for a string or JSON with slots in it; it is matched like a slot."""

_CLOSING = {"(": ")", "[": "]", "{": "}"}
_TOKEN = re.compile(
    rf"""(?P<slot>{MARK})
    | (?P<pair>\\["'\\]|"")
    | (?P<plain>[^"'\\()\[\]{{}}\U000f0000-\U0010fffd]+)
    | .""",
    re.VERBOSE | re.DOTALL,
)
_NEXT = re.compile(r" *(.?)", re.DOTALL)


@dataclass(eq=False, slots=True)
class _Span:
    """A quoted string, or JSON from its first bracket to the last; `end` is behind it.

    `before` is the character before it, blanks left out; `nested` is whether it stands in brackets
    or in another string. `holds_strings` and `holds_slots` are found on the way.
    """

    start: int
    end: int
    before: str = ""
    nested: bool = False
    holds_strings: bool = False
    holds_slots: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where a slot stands: `quotes` end the strings around it.

    `escapes` is whether a backslash may be an escape in these strings, as in JSON; in CSV it is
    not. `in_json` is whether brackets with strings in them, as JSON has, are around the slot.
    """

    quotes: str
    escapes: bool
    in_json: bool


@dataclass(frozen=True, slots=True)
class Quoting:
    """The place of each slot, and the text with its strings and its JSON left out.

    `quotes` are the characters that quote a string anywhere in the text.
    """

    places: tuple[Place, ...]
    outline: str
    quotes: str


def quoting_of(text: str) -> Quoting:
    """Return the quoting of a format's text, in which private characters stand for slots."""
    scan = _Scan(text)
    for token in _TOKEN.finditer(text):
        scan.take(token)
    return scan.found()


class _Scan:
    """The state of the scan: which strings and brackets are open."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._before = ""
        self._double: _Span | None = None
        self._single: _Span | None = None
        self._json: _Span | None = None
        self._brackets: list[str] = []
        self._json_depth = 0
        self._strings: list[_Span] = []
        self._jsons: list[_Span] = []
        self._slots: list[tuple[_Span | None, _Span | None, _Span | None]] = []

    def take(self, token: re.Match[str]) -> None:
        """Take the next token of the text."""
        text = token[0]
        if token.lastgroup == "slot":
            self._slot()
        elif token.lastgroup == "pair":
            self._pair(text, token.start())
        elif text in {'"', "'"}:
            self._quote(text, token.start())
        elif self._double is None and text in _CLOSING:
            self._open(text, token.start())
        elif self._double is None and self._brackets and text == self._brackets[-1]:
            self._close(token.end())
        self._before = text.rstrip(" ")[-1:] or self._before

    def _slot(self) -> None:
        for span in (self._double, self._single, self._json):
            if span is not None:
                span.holds_slots = True
        self._slots.append((self._double, self._single, self._json))

    def _pair(self, text: str, at: int) -> None:
        """Take an escape or a doubled quote, which in a string does not end it."""
        if self._double is not None or (self._single is not None and text != '""'):
            return
        if text != r"\\":
            for index, character in enumerate(text):
                if character != "\\":
                    self._quote(character, at + index)

    def _quote(self, quote: str, at: int) -> None:
        if quote == '"':
            self._double = self._string(self._double, at)
        elif self._double is None and (self._single is not None or self._opens(at)):
            self._single = self._string(self._single, at)

    def _string(self, open_string: _Span | None, at: int) -> _Span | None:
        """Open a string, or close the one that is open; returns what is open then."""
        if open_string is not None:
            open_string.end = at + 1
            return None
        nested = bool(self._brackets) or self._single is not None
        span = _Span(at, len(self._text), self._before, nested)
        self._strings.append(span)
        if self._json is not None:
            self._json.holds_strings = True
        return span

    def _opens(self, at: int) -> bool:
        """Whether an apostrophe quotes: not in or behind a word, and another one follows."""
        behind = self._text[at - 1 : at]
        word = behind.isalnum() or behind == "_" or re.match(MARK, behind) is not None
        return not word and self._text.find("'", at + 1) >= 0

    def _open(self, bracket: str, at: int) -> None:
        if self._json is None and bracket != "(":
            self._json = _Span(at, len(self._text))
            self._json_depth = len(self._brackets)
            self._jsons.append(self._json)
        self._brackets.append(_CLOSING[bracket])

    def _close(self, end: int) -> None:
        self._brackets.pop()
        if self._json is not None and len(self._brackets) == self._json_depth:
            self._json.end = end
            self._json = None

    def found(self) -> Quoting:
        """Return what was found once all of the text is taken."""
        columns = self._columns()
        places = tuple(
            Place(
                ('"' if double is not None else "") + ("'" if single is not None else ""),
                any(span is not None and span not in columns for span in (double, single)),
                json is not None and json.holds_strings,
            )
            for double, single, json in self._slots
        )
        quotes = "".join(sorted({self._text[span.start] for span in self._strings}))
        return Quoting(places, self._outline(), quotes)

    def _columns(self) -> set[_Span]:
        """Return the strings that are columns of CSV: between separators, or an end of the line.

        The first may stand behind a header.
        """
        outer = [span for span in self._strings if not span.nested]
        follows = [self._following(span) for span in outer]
        found = {
            span
            for span, following in zip(outer, follows, strict=True)
            if (not span.before or span.before in CSV_SEPARATORS)
            and (not following or following in CSV_SEPARATORS)
        }
        header = bool(outer) and outer[0].before != "=" and follows[0] in CSV_SEPARATORS
        if header and found.issuperset(outer[1:]):
            found.add(outer[0])
        return found

    def _following(self, span: _Span) -> str:
        found = _NEXT.match(self._text, span.end)
        return found[1] if found is not None else ""

    def _outline(self) -> str:
        jsons = [span for span in self._jsons if span.holds_strings]
        covered = sorted([*jsons, *self._strings], key=lambda span: span.start)
        pieces, at = [], 0
        for span in covered:
            if span.holds_slots and span.start >= at:
                pieces += [self._text[at : span.start], OUTLINED]
                at = span.end
        return "".join([*pieces, self._text[at:]])
