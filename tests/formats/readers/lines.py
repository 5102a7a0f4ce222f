"""Rendered lines, and what their attributes must be read as: known from the pieces of a line.

Nothing is read back here. A line is joined from static text and values, so the same pieces with one
private character for each value make its template; that is taken apart with ordinary string
functions, and only then are the values put in.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import msgspec

from formats.fields import TIME_FIELDS
from formats.language import FeedFormat
from formats.pipeline import FeedSettings, Pipeline
from formats.plan import ValuePiece
from formats.reading.json import json_names

Attributes = dict[str, str]

MOMENT = {"epochtime": 1_696_583_108}
_FIRST_MARK = 0xF0000
_MARK = re.compile("[\U000f0000-\U000ffffd]")
_SPACED_PAIR = re.compile(r"(?:^| )([A-Za-z]\w*)=(.*?)(?= [A-Za-z]\w*=|$)")


@dataclass(frozen=True, slots=True)
class Line:
    """A line as it is sent, and the same line with a mark for each value that a record states."""

    text: str
    template: str
    values: tuple[str, ...]

    def filled(self, piece: str) -> str:
        """Return a piece of the template with the values in their places."""
        if not self.values:
            return piece
        return _MARK.sub(lambda mark: self.values[ord(mark[0]) - _FIRST_MARK], piece)


def text_fields(feed_format: FeedFormat) -> list[str]:
    """Return the fields that a record can state any text for, in the order they are printed in."""
    names = (slot.field.name for slot in feed_format.slots if slot.field.conversion == "s")
    return list(dict.fromkeys(name for name in names if name not in TIME_FIELDS))


def rendered(
    feed_format: FeedFormat,
    records: Iterable[Mapping[str, str]],
    **settings: Any,  # noqa: ANN401 - those of `FeedSettings`
) -> list[Line]:
    """Render records that state text fields; checks that no value is anything but what was put in.

    That is: each value says what the record says, once `%HH` is decoded in both.
    """
    stated = list(records)
    pipeline = Pipeline(json_names(), FeedSettings(feed_format, **settings))
    batch = b"".join(msgspec.json.encode({**MOMENT, **record}) + b"\n" for record in stated)
    result = pipeline.run(batch)
    assert result.bad == []
    lines = []
    for record, line, given in zip(result.records, result.lines, stated, strict=True):
        texts = pipeline.renderer._pieces(record)
        template: list[str] = []
        values: list[str] = []
        for piece, text in zip(pipeline.renderer.plan.pieces, texts, strict=True):
            if not isinstance(piece, ValuePiece) or not piece.variable_text:
                template.append(text)
                continue
            template.append(chr(_FIRST_MARK + len(values)))
            values.append(text)
            assert unquote(text) == unquote(given[piece.name])
        lines.append(Line("".join(texts), "".join(template), tuple(values)))
        assert lines[-1].text.encode() == line
    return lines


def leef(line: Line, separator: str = "\t", header_fields: int = 5) -> Attributes:
    """Return the attributes of a LEEF line, with its event id as `#event_id`."""
    *header, attributes = line.template.split("|", header_fields)
    pairs = (piece.partition("=") for piece in attributes.split(separator))
    found = {key: line.filled(value) for key, _, value in pairs}
    return found | {"#event_id": line.filled(header[4])}


def keyed(line: Line, separator: str) -> Attributes:
    """Return the attributes of a line of key=value pairs; pieces without a key are left out."""
    pairs = (piece.partition("=") for piece in line.template.split(separator))
    return {key: line.filled(value) for key, equals, value in pairs if equals}


def spaced(line: Line) -> Attributes:
    """Return the attributes of a line whose pairs stand behind single spaces."""
    return {key: line.filled(value) for key, value in _SPACED_PAIR.findall(line.template)}


def cef(line: Line) -> Attributes:
    """Return the extension of a CEF line, with its class and name as `#class` and `#name`."""
    *header, extension = line.template.split("|", 7)
    pairs = {key: line.filled(value) for key, value in _SPACED_PAIR.findall(extension)}
    return pairs | {"#class": line.filled(header[4]), "#name": line.filled(header[5])}


def columns(line: Line, separator: str = ",") -> list[str]:
    """Return the columns of a line, whose quotes are all static text."""
    return [line.filled(piece.strip('"')) for piece in line.template.split(separator)]


def members(line: Line, tree: object) -> Iterator[tuple[str, str]]:
    """Yield the scalars of the template as JSON, each with the keys that lead to it."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            for path, text in members(line, value):
                yield f"{key}.{path}".rstrip("."), text
    elif isinstance(tree, list):
        for number, value in enumerate(tree):
            for path, text in members(line, value):
                yield f"{number}.{path}".rstrip("."), text
    else:
        yield "", line.filled(str(tree))
