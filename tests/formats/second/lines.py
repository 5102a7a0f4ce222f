"""Lines read back: a format's cells, found in a line by key, by column or by the text between."""

import ipaddress
import json
import re
from collections.abc import Iterator
from contextlib import suppress

from tests.formats.second.language import FIELDS, Part, Spec
from tests.formats.second.read import objects
from tests.formats.second.structure import LEEF
from tests.formats.second.structure import shape as shape_of
from tests.formats.second.times import FROM_TIME, zones_of_the_text
from tests.formats.second.values import ADDRESSES, BadError

Cell = list[Part]
Fields = dict[str, object]  # as an object of JSON states them, by the names of fields

HEADER = re.compile(
    r"(?:<[0-9]{1,3}>)?(?:"
    r"1 \S+ \S+ \S+ \S+ \S+ (?:-|(?:\[[^\]]*\])+)(?: \ufeff?|$)"
    r"|[A-Z][a-z]{2} [ 0-9][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2} (?:\S+ )?\S+: )"
    r"|<[0-9]{1,3}>"
)
PRI = re.compile(r"(?:<[0-9]{1,3}>)?")
SAMPLES = {"mon": "Oct", "dd": "06", "hh": "09", "mm": "05", "ss": "08"}
WORDS = {
    "action": {"Allowed", "Blocked"},
    "status": {"Sanctioned", "Unsanctioned"},
    "severity": {"Critical", "High", "Medium", "Low"},
    "method": {"GET", "POST", "PUT", "HEAD", "DELETE", "CONNECT", "OPTIONS", "PATCH", "TRACE"},
}
CLOSED = {"action": "action", "app_status": "status", "threatseverity": "severity"} | dict.fromkeys(
    ADDRESSES, "address"
)
SHAPES = {
    "time": r"(?:[A-Z][a-z]{2} ){2}[ 0-9][0-9] [0-9:]{8} [0-9]{4}",
    "mon": "[A-Za-z]{3}",
    "day": "[A-Za-z]{3}",
    "tz": r'[^ ",|\t^]+',
}


def whole(cells: list[Cell]) -> Cell:
    return [part for cell in cells for part in cell]


def split(parts: list[Part], separator: str) -> list[Cell]:
    """Return what stands between the separators in a format's static text."""
    cells: list[Cell] = [[]]
    for part in parts:
        if isinstance(part, Spec):
            cells[-1].append(part)
            continue
        first, *others = part.split(separator)
        if first:
            cells[-1].append(first)
        cells += [[other] if other else [] for other in others]
    return cells


def key_of(cell: Cell) -> tuple[str, Cell] | None:
    """Return the key that a cell begins with, and the value behind its equals sign."""
    if not cell or not isinstance(cell[0], str) or "=" not in cell[0]:
        return None
    key, rest = cell[0].split("=", 1)
    return key, ([rest] if rest else []) + cell[1:]


def has_spec(cell: Cell) -> bool:
    return any(isinstance(part, Spec) for part in cell)


def stated(cell: Cell, text: str) -> Fields:
    """Return what the fields of a cell are where it prints this text."""
    if not has_spec(cell):
        return {}
    if len(cell) == 1 and isinstance(cell[0], Spec):
        return {cell[0].name: value_of(cell[0], text)}
    pattern = "".join(
        re.escape(part) if isinstance(part, str) else f"({shape(part)})" for part in cell
    )
    found = re.fullmatch(pattern, text, re.DOTALL)
    if found is None and all(part.name in FROM_TIME for part in cell if isinstance(part, Spec)):
        return {"time": text}  # of no use, unless nobody asks for it
    if found is None:
        raise BadError(f"{text!r} is not as {pattern}")
    fields: Fields = {}
    specs = [part for part in cell if isinstance(part, Spec)]
    for spec, value in zip(specs, found.groups(), strict=True):
        fields.setdefault(spec.name, value_of(spec, value))
    return fields


def value_of(spec: Spec, text: str) -> str:
    """Return what a text in the place of a spec states: a number in decimal digits."""
    if spec.conversion == "x" and re.fullmatch(r" *-?[0-9A-Fa-f]{1,32}", text):
        return str(int(text, 16))
    return text


def shape(spec: Spec) -> str:
    if spec.name in SHAPES:
        return SHAPES[spec.name]
    if spec.conversion == "x":
        return " *-?[0-9a-f]+"
    return " *-?[0-9]+" if FIELDS[spec.name]["conversion"] == "d" else ".*?"


def with_prefix(fields: Fields, prefix: Fields, text: str) -> Fields:
    """Return fields with those before them, whose time counts only if there is no other."""
    dated = {"time", "epochtime"} & fields.keys() or {"yy", "ss"} <= fields.keys()
    useless = {"time": text}
    added = {
        name: value
        for name, value in prefix.items()
        if name not in FROM_TIME or not (dated or (prefix == useless and fields))
    }
    return added | fields


class Reader:
    """Reads what one format prints, for a feed that reads the fields `names`."""

    def __init__(self, parts: list[Part], names: set[str]) -> None:
        self.parts = parts
        self.names = names
        sample = "".join(
            part if isinstance(part, str) else SAMPLES.get(part.name, "x") for part in parts
        )
        self.has_header = HEADER.match(sample) is not None
        texts = "".join(part if isinstance(part, str) else "\ue000" for part in parts)
        if LEEF.search(shape_of(parts)):
            self.records = self.leef
        elif re.match(r'[^"\ue000{]*\{', texts) and (cells := json_cells(parts)):
            self.cells = cells
            self.records = self.json
        else:
            self.records = self.line
            self.separator = next((each for each in ("\t", "^^", '","') if each in texts), "")

    def read(self, data: str) -> list[Fields]:
        """Return the records of a line; Bad where one can't be read."""
        data = data.removeprefix("\ufeff")
        header = HEADER.match(data)
        first = self.parts[0]
        if isinstance(first, Spec) and self.records != self.json and shape(first) == ".*?":
            header = None  # it could not be told from the value
        if header is None:
            return [self.zoned(each) for each in self.records(data)]
        starts = [header.end(), PRI.match(data).end(), 0]  # type: ignore[union-attr]
        if self.has_header:  # of its own
            starts.reverse()
        for start in starts[:-1]:
            with suppress(BadError):
                found = [*self.records(data[start:])]
                if found != [{"time": data[start:]}] or len(self.parts) == 1:  # else of no use
                    return [self.zoned(each) for each in found]
        return [self.zoned(each) for each in self.records(data[starts[-1] :])]

    def zoned(self, fields: Fields) -> Fields:
        """Return fields with the zone that the format's own text states."""
        zones = [*zones_of_the_text(self.parts).values()]
        return {"tz": zones[0]} | fields if zones else fields

    def json(self, data: str) -> Iterator[Fields]:
        for found in objects(data[min(data.find("{"), data.find("[") % 2**62) :].encode()):
            fields: Fields = {}
            for path, cell in self.cells.items():
                value = found
                for key in path:
                    value = value.get(key) if isinstance(value, dict) else None
                if value is None:
                    continue
                if len(cell) == 1 and isinstance(cell[0], Spec):
                    read = value_of(cell[0], value) if isinstance(value, str) else value
                    fields.setdefault(cell[0].name, read)
                elif isinstance(value, str):
                    fields |= stated(cell, value) | fields
            yield fields

    def leef(self, data: str) -> Iterator[Fields]:
        written = self.leef_parts(self.parts)
        read = self.leef_parts([data])
        texts = ["".join(map(str, cell)) for cell in read[0]]
        fields: Fields = {}
        for cell, text in zip(written[0][1:], texts[1:], strict=True):
            fields |= stated(cell, text) | fields
        fields = self.pairs(written[1], read[1], fields)
        with suppress(BadError):  # what stands before LEEF: may be another's header
            header = HEADER.match(texts[0])
            for start in {0, header.end() if header else 0}:
                prefix = stated(written[0][0], texts[0][start:])
                fields = with_prefix(fields, prefix, texts[0][start:])
        yield fields

    def leef_parts(self, parts: list[Part]) -> tuple[list[Cell], list[Cell]]:
        """Return what stands before LEEF:, the header's four other fields, and the attributes."""
        head, *rest = split(parts, "|")
        while not (head and isinstance(head[-1], str) and re.search(r"LEEF:[12]\.0$", head[-1])):
            if not rest:
                raise BadError("no LEEF header")
            head, rest = merged([*head, "|", *rest[0]]), rest[1:]
        if len(rest) < 5:
            raise BadError("no LEEF header")
        version = str(head[-1])[-3:]
        head = [*head[:-1], str(head[-1])[: -len("LEEF:1.0")]]
        delimiter = "\t"
        attributes = rest[4:]
        if version == "2.0" and len(rest) > 5 and is_delimiter(rest[4]):
            delimiter = delimiter_of("".join(map(str, rest[4])))
            attributes = rest[5:]
        joined = whole([cell if n == 0 else ["|", *cell] for n, cell in enumerate(attributes)])
        return [[part for part in head if part], *rest[:4]], split(merged(joined), delimiter)

    def pairs(self, written: list[Cell], read: list[Cell], fields: Fields) -> Fields:
        found: dict[str, str] = {}
        twice = set()
        for cell in read:
            key, equals, value = "".join(map(str, cell)).partition("=")
            if equals and found.setdefault(key, value) != value:
                twice.add(key)
        pairs = [pair for pair in map(key_of, written) if pair and has_spec(pair[1])]
        for key, cell in pairs:
            if key in twice and self.names & {each.name for each in cell if isinstance(each, Spec)}:
                raise BadError(f"{key} comes twice with different values")
            if key in found:
                fields |= stated(cell, found[key]) | fields
        if pairs and not any(key in found for key, _ in pairs):
            raise BadError("no known key")
        return fields

    def line(self, data: str) -> Iterator[Fields]:
        cells = split(self.parts, self.separator) if self.separator else [self.parts]
        keys = [pair[0] for pair in map(key_of, cells) if pair is not None]
        if self.separator and len(keys) >= len(cells) - 1 and not any(" " in key for key in keys):
            read = data.split(self.separator)
            placed = [n for n, cell in enumerate(cells) if key_of(cell) is None and has_spec(cell)]
            others: list[Cell] = [[text] for n, text in enumerate(read) if n not in placed]
            fields = self.pairs(cells, others, {})
            for n in (n for n in placed if n < len(read)):
                found = stated(cells[n], read[n])
                fields = found | fields if n else with_prefix(fields, found, read[n])
            yield fields
        elif self.separator == "\t":
            columns = data.split("\t")
            if len(columns) != len(cells):
                raise BadError("columns")
            check_columns(cells, columns)
            fields = {}
            for cell, text in zip(cells, columns, strict=True):
                fields |= stated(cell, text) | fields
            yield fields
        else:
            if self.separator and all(is_one_field(cell) for cell in cells):
                check_columns(cells, data[1:-1].split(self.separator))
            yield stated(self.parts, data)


def is_one_field(cell: Cell) -> bool:
    return sum(isinstance(part, Spec) for part in cell) == 1


def check_columns(cells: list[Cell], columns: list[str]) -> None:
    """Reject a record of another layout: more columns hold what is another's than their own."""
    own = foreign = 0
    for cell, text in zip(cells, columns, strict=False):
        name = next((part.name for part in cell if isinstance(part, Spec)), "")
        if name in CLOSED:
            own += kind_of(text) == CLOSED[name]
            foreign += kind_of(text) not in {CLOSED[name], ""}
    if foreign > own:
        raise BadError("the columns are another layout's")


def kind_of(text: str) -> str:
    """Return what kind of value a text can only be: of an address, of one of some words."""
    for kind, words in WORDS.items():
        if text in words:
            return kind
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return ""
    return "address"


def is_delimiter(cell: Cell) -> bool:
    text = "".join(map(str, cell))
    return len(text) <= 1 or re.fullmatch(r"0?x[0-9A-Fa-f]{1,4}", text) is not None


def delimiter_of(text: str) -> str:
    return text if len(text) == 1 else chr(int(text.split("x")[1], 16)) if text else "\t"


def merged(parts: list[Part]) -> list[Part]:
    out: list[Part] = []
    for part in parts:
        if out and isinstance(part, str) and isinstance(out[-1], str):
            out[-1] += part
        else:
            out.append(part)
    return out


def json_cells(parts: list[Part]) -> dict[tuple[str, ...], Cell]:
    """Return the place of each value that a format of JSON prints, and what stands there."""
    specs = [part for part in parts if isinstance(part, Spec)]
    text, quoted, number = "", False, 0
    for part in parts:
        if isinstance(part, str):
            text += part
            quoted ^= len(re.findall(r'(?<!\\)"', part)) % 2 == 1
        else:
            text += f"\ue000{number}\ue001" if quoted else f'"\ue000{number}\ue001"'
            number += 1
    text = text[text.index("{") :]
    try:
        return dict(places(json.loads(text), (), specs))
    except ValueError:
        return {}


def places(
    value: object, path: tuple[str, ...], specs: list[Spec]
) -> Iterator[tuple[tuple[str, ...], Cell]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*path, key), specs)
    elif isinstance(value, str) and "\ue000" in value:
        pieces = re.split("\ue000([0-9]+)\ue001", value)
        cell = [specs[int(each)] if n % 2 else each for n, each in enumerate(pieces)]
        yield path, [part for part in cell if part != ""]
