"""Turns JSON values that span lines, or share one, into records, one a line.

Pretty-printed objects, several objects on a line, and arrays of objects over any number of lines
all become one object a line. JSON with one record a line needs none of this: `AutoFramer`
recognises that and leaves the latter to `nss.sources.framing.lines.LineFramer`.
"""

import re

import msgspec

from formats.reading.json_scan import is_too_deep
from nss.sources.framing.lines import BOM, DecidingFramer, Framer, LineFramer, joined
from nss.sources.framing.scan import Scan, compiled_scan

DECIDE_BYTES = 64 << 10
"""`AutoFramer` decides after this much at the latest."""

_QUOTE, _BACKSLASH, _LF = b'"\\\n'
_MAY_PRECEDE = {ord("{"): b":", ord("["): b"[,"}
_OPENER = {ord("}"): ord("{"), ord("]"): ord("[")}
_BLANKS = b" \t\r\n"

# A bounded number of strings a match, because the regex engine keeps a mark for each.
_TO_BRACKET = re.compile(rb'[^"{}\[\]]*+(?:"[^"\\\n]*+"[^"{}\[\]]*+){0,100}')
_TO_QUOTE = re.compile(rb'[^"\\\n]*+(?:\\[^\n][^"\\\n]*+){0,100}')
_BETWEEN = re.compile(rb"[ \t\r\n,\[\]]*+")
_MAX_INDENT = 64
_JSON_STARTS = {b"{": {b"", b'"', b"}"}, b"[": {b"", b"{", b"[", b"]"}}


class JsonFramer:
    """Finds where JSON objects begin and end by their brackets, strings respected.

    Arrays around objects are removed. Text that is no object becomes a record line by line. Of a
    broken object (a line feed inside a string, a bracket that closes another kind, an object where
    none may be) the beginning becomes a record, and the next line that begins like an object, not
    deeper than the broken object, is where records begin again. So broken input always leaves a
    record that shows it.
    """

    def __init__(self, max_record_bytes: int) -> None:
        self.records = 0
        self.held_bytes = 0
        self._max_bytes = max_record_bytes
        self._buffer = bytearray()
        self._at_start = True
        self._open = bytearray()
        """The brackets open now, outermost first; empty between objects."""
        self._at = 0
        """How far the object at the start of the buffer has been scanned."""
        self._in_string = False
        self._before = 0
        """The last byte before `_at` that is not blank."""
        self._broken: bytes | None = None
        """A broken object, kept until it is clear where records begin again."""
        self._passed_bytes = 0
        self._scan = compiled_scan()
        self._column = 0
        self._indent: int | None = None
        """How deep the object begins on its line; `None` for text that is no object."""

    def feed(self, block: bytes) -> bytes:
        """Return the objects that `block` completes."""
        self._buffer += block
        records: list[bytes] = []
        while self._advance(records):
            pass
        self.held_bytes = len(self._buffer) + self._passed_bytes
        self.records = len(records)
        return joined(records)

    def flush(self) -> bytes:
        """Return what is left: an object that does not end, or a line without LF."""
        left = bytes(self._buffer).strip(_BLANKS) if self._broken is None else self._broken
        records = [] if not left or left.isspace() else [self._one_line(left)]
        self._buffer.clear()
        self._open.clear()
        self._broken = None
        self._in_string = False
        self.held_bytes = self._passed_bytes = self._at = 0
        self.records = len(records)
        return joined(records)

    def _advance(self, records: list[bytes]) -> bool:
        """Advance one step in the buffer; return False when it needs more bytes."""
        if self._broken is not None:
            return self._find_resume(records)
        if not self._open:
            return self._find_object(records)
        if self._scan is None or len(self._open) >= self._scan.DEPTH:
            return self._in_object(records)
        return self._scan_object(self._scan, records)

    def _find_object(self, records: list[bytes]) -> bool:
        buffer = self._buffer
        if self._at_start:
            if len(buffer) < len(BOM) and BOM.startswith(buffer):
                return False
            self._at_start = False
            del buffer[: len(BOM) if buffer.startswith(BOM) else 0]
        match = _BETWEEN.match(buffer)
        skipped = match[0] if match else b""
        del buffer[: len(skipped)]
        line_end = skipped.rfind(b"\n")
        self._column = len(skipped) - line_end - 1 + (self._column if line_end < 0 else 0)
        if not buffer:
            return False
        if buffer[0] == ord("{"):
            self._indent = min(self._column, _MAX_INDENT)
            self._column = 0
            self._open.append(ord("{"))
            self._before = ord("{")
            self._at = 1
            return True
        end = buffer.find(b"\n")
        if end >= 0:
            line = buffer[:end].rstrip(b"\r")
            records += [] if line.isspace() else [self._one_line(line)]
            del buffer[:end]
            return True
        self._indent = None
        return self._break_if_too_long()

    def _scan_object(self, scan: Scan, records: list[bytes]) -> bool:
        """Scan to the end of the object, as `_in_object` does step by step."""
        what, self._at, opened, self._before, self._in_string = scan.scan_object(
            self._buffer, self._at, bytes(self._open), self._before, self._in_string
        )
        self._open[:] = opened
        if what == scan.DEEP:
            return self._in_object(records)
        if what == scan.BROKEN:
            return self._break(self._at)
        return self._ended(records) if what == scan.DONE else self._break_if_too_long()

    def _ended(self, records: list[bytes]) -> bool:
        records.append(self._one_line(self._buffer[: self._at]))
        del self._buffer[: self._at]
        return True

    def _in_object(self, records: list[bytes]) -> bool:
        """Scan to the next bracket or quote."""
        buffer = self._buffer
        if self._in_string:
            return self._scan_string()
        match = _TO_BRACKET.match(buffer, self._at)
        text = match[0].rstrip(_BLANKS) if match else b""
        self._at = match.end() if match else self._at
        self._before = text[-1] if text else self._before
        if self._at == len(buffer):
            return self._break_if_too_long()
        token = buffer[self._at]
        if token == _QUOTE:
            self._in_string = True
        elif token in _OPENER:
            if self._open.pop() != _OPENER[token]:
                return self._break(self._at)
        elif self._before not in _MAY_PRECEDE[self._open[-1]]:
            return self._break(self._at)
        else:
            self._open.append(token)
        self._before = token
        self._at += 1
        return True if self._open else self._ended(records)

    def _scan_string(self) -> bool:
        buffer = self._buffer
        match = _TO_QUOTE.match(buffer, self._at)
        self._at = match.end() if match else self._at
        stop = buffer[self._at : self._at + 2]
        if not stop or stop == b"\\":
            return self._break_if_too_long()
        if stop[0] == _QUOTE:
            self._in_string = False
            self._at += 1
            return True
        if stop[0] == _LF or stop[1] == _LF:
            return self._break(buffer.index(b"\n", self._at))
        return True

    def _break_if_too_long(self) -> bool:
        """Give up the object in the buffer when it is longer than any record may be."""
        if len(self._buffer) <= self._max_bytes + 1:
            return False
        return self._break(self._max_bytes + 1, whole_lines=False)

    def _break(self, end: int, *, whole_lines: bool = True) -> bool:
        """Set the bytes up to `end` apart, or the lines before the line that shows the fault."""
        line_end = self._buffer.rfind(b"\n", 0, end + 1) if whole_lines else -1
        end = line_end if line_end > 0 else end
        self._broken = self._one_line(self._buffer[:end])
        self._passed_bytes = end
        del self._buffer[:end]
        self._open.clear()
        self._in_string = False
        return True

    def _find_resume(self, records: list[bytes]) -> bool:
        resume = rb"\n" if self._indent is None else rb"\n[ \t]{0,%d}[{\[]" % self._indent
        match = re.search(resume, self._buffer)
        if match is not None:
            passed = match.start()
        else:
            passed = self._buffer.rfind(b"\n")
            if passed < 0 or len(self._buffer) - passed > _MAX_INDENT + 1:
                passed = len(self._buffer)
        del self._buffer[:passed]
        self._passed_bytes += passed
        if match is None or self._broken is None:
            return False
        records.append(self._broken)
        self._broken = None
        self._passed_bytes = 0
        return True

    def _one_line(self, value: bytes | bytearray) -> bytes:
        return bytes(value[: self._max_bytes + 1]).replace(b"\n", b" ")


class AutoFramer(DecidingFramer):
    """Decides whether JSON spans lines.

    `spans_lines` is the decision, `None` before it. A caller that continues in the middle of a
    stream gives the decision of its start.
    """

    def __init__(
        self, max_record_bytes: int, *, spans_lines: bool | None = None, at_start: bool = True
    ) -> None:
        super().__init__(max_record_bytes)
        self.spans_lines = spans_lines
        self._at_start = at_start
        self._framer = self._chosen()

    def _choose(self, start: bytes, *, ended: bool) -> Framer | None:
        self.spans_lines = spans_lines(start, ended=ended)
        return self._chosen()

    def _chosen(self) -> Framer | None:
        if self.spans_lines is None:
            return None
        if self.spans_lines:
            return JsonFramer(self._max_bytes)
        return LineFramer(self._max_bytes, at_start=self._at_start)


def spans_lines(start: bytes, *, ended: bool = False) -> bool | None:
    """Return whether a stream that begins with `start` holds JSON that isn't one value a line.

    An array does, even on a line of its own: it may be longer than any record may be. `None`
    means that more bytes are needed; with `ended`, or 64 KiB, there are enough.
    """
    enough = ended or len(start) >= DECIDE_BYTES
    text = start.removeprefix(BOM).lstrip(_BLANKS)
    if not enough and (not text or BOM.startswith(text)):
        return None
    if not _begins_like_json(text):
        return False
    line, line_feed, rest = text.partition(b"\n")
    if not line_feed and not ended:
        return True if enough else None
    if text[0] == ord("{") and _is_one_value(line):
        return False
    if line.strip() in {b"{", b"["} or _holds_object(line):
        return True
    return _continues(rest.lstrip(_BLANKS), ended=ended, enough=enough)


def _continues(following: bytes, *, ended: bool, enough: bool) -> bool | None:
    """Return whether what follows an incomplete first line continues its value."""
    if not following and ended:
        return False
    line, line_feed, _ = following.partition(b"\n")
    if not line_feed and not enough:
        return None
    return not (line.startswith(b"{") and _is_one_value(line))


def _begins_like_json(text: bytes) -> bool:
    following = _JSON_STARTS.get(text[:1])
    return following is not None and text[1:].lstrip(_BLANKS)[:1] in following


def _is_one_value(line: bytes) -> bool:
    if is_too_deep(line):
        return False
    try:
        msgspec.json.decode(line, type=msgspec.Raw)
    except msgspec.DecodeError:
        return False
    return True


def _holds_object(line: bytes) -> bool:
    framer = JsonFramer(len(line))
    framer.feed(line)
    return framer.records > 0
