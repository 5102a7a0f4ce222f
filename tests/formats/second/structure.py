"""Places in a line: which characters must not come out of a value raw at each."""

import re

from tests.formats.second.language import FIELDS, Part, RefusedError, Spec

SLOT = "\ue000"
LEEF = re.compile(r"LEEF:(?P<version>[12]\.0)\|(?:[^|]*\|){4}")
DELIMITER = re.compile(r"(?P<one>[^|]?)\||0?x(?P<hex>[0-9A-Fa-f]{1,4})\|")
COLUMN = rf'(?:"{SLOT}"|{SLOT}|[a-z]+)'
COLUMNS = re.compile(rf"{COLUMN}(?:(?P<separator>[,;\t]){COLUMN}(?:(?P=separator){COLUMN})*)")
KEYED = re.compile(rf"\w+={SLOT}(?:\t\w+={SLOT})*|\w+={SLOT}(?:\^\^\w+={SLOT})+")
TEXT = rf'"[^"\\{SLOT}]*"'
VALUE = rf'(?:{TEXT}|"{SLOT}"|{SLOT}|[0-9]+)'
FLAT = rf"\{{ *{TEXT} *: *{VALUE} *(?:, *{TEXT} *: *{VALUE} *)*\}}"
JSON = re.compile(
    rf"[^\"'{{\[]*(?:{FLAT}|\[{FLAT}(?:,{FLAT})*\]|\{{\"event\":{FLAT}(?:,\"z\":1)?\}})"
)
EXTENSION = re.compile(rf"(?:[\w ]+=(?:{SLOT})+)+")
CEF = re.compile(r"CEF:[0-9]+\|(?:[^|]*\|){6}")
# In keys, times, addresses, %HH and the mark of a cut; or in no line at all.
WRITTEN_BY_US = re.compile(r"[A-Za-z0-9 %+./:=\[\]\\\0\n\r\ud800-\udfff-]")
READERS = {"quotes": "\"'\\", "pipes": "|"}


def shape(parts: list[Part]) -> str:
    """Return a format's static text with one character for each slot."""
    return "".join(part if isinstance(part, str) else SLOT for part in parts)


class Places:
    """What a format's line is built like."""

    def __init__(self, parts: list[Part]) -> None:
        self.parts = parts
        self.text = shape(parts)
        self.leef = LEEF.search(self.text)
        self.cef = None if self.leef else CEF.search(self.text)
        header = self.leef or self.cef
        self.header_end = header.end() if header else 0
        self.delimiter = "\t"
        self.version = self.leef["version"] if self.leef else ""
        if self.version == "2.0":
            found = DELIMITER.match(self.text, self.header_end)
            if found and found["one"] != SLOT:
                self.header_end = found.end()
                self.delimiter = (
                    chr(int(found["hex"], 16)) if found["hex"] else found["one"] or "\t"
                )

    def slots(self) -> list[tuple[int, int, Spec]]:
        """Return where each spec stands: among the parts and in the text."""
        found, at = [], 0
        for number, part in enumerate(self.parts):
            if isinstance(part, Spec):
                found.append((number, at, part))
            at += len(part) if isinstance(part, str) else 1
        return found

    def quoted(self, at: int) -> bool:
        """Whether a place in the text stands between double quotes."""
        before = re.sub(r"\\.", "", self.text[:at])
        return before.count('"') % 2 == 1 and '"' in self.text[at:]

    def behind(self, at: int) -> str:
        """Return the first character of static text behind a slot, nothing at the end."""
        return self.text[at:].lstrip(SLOT)[:1]

    def guard(self, at: int, spec: Spec) -> str:
        """Return what a value must not print raw so that the line keeps its structure."""
        if self.leef:
            return "|" if at < self.header_end else self.delimiter + self.key_guard(at)
        if self.cef:
            return "|" if at < self.header_end else "=" * may_be_a_pair(self, at, spec)
        if self.quoted(at):
            return '"' if self.columns() else '"\\'
        return self.bare_guard(at)

    def key_guard(self, at: int) -> str:
        """Return what a value in the place of a LEEF key must not make of itself."""
        before = self.text[self.header_end : at]
        if "=" in before.rpartition(self.delimiter)[2]:
            return ""
        names_no_delimiter = self.leef is not None and self.leef.end() == self.header_end
        is_first = self.version == "2.0" and names_no_delimiter and "=" not in before
        return "=|" if is_first else "="

    def bare_guard(self, at: int) -> str:
        """Return the same for a value that no quotes stand around."""
        if self.columns():
            return '"' + self.columns()
        if self.is_json():
            return '",:[\\]{}' if self.inside_json(at) else '"[{'
        if KEYED.fullmatch(self.text):
            return "^" if "^" in self.text else ""
        following = self.behind(at) or self.behind_all()
        return "" if re.match(r"[\w\s%]", following) else following

    def columns(self) -> str:
        """Return what separates the columns of a format that has nothing else, if it does."""
        found = COLUMNS.fullmatch(self.text)
        return found["separator"] if found and found["separator"] else ""

    def behind_all(self) -> str:
        """Return what all texts behind fields but the last begin with, if it is the same."""
        found = {self.behind(at) for _, at, _ in self.slots()} - {""}
        return found.pop() if len(found) == 1 else ""

    def is_json(self) -> bool:
        found = JSON.fullmatch(self.text)
        return found is not None and any(self.inside_json(at) for _, at, _ in self.slots())

    def inside_json(self, at: int) -> bool:
        return re.search(r"[{\[]", self.text[:at]) is not None

    def is_of_a_kind(self) -> bool:
        """Whether the page says which characters are encoded; not so of free text."""
        return bool(
            self.leef
            or (self.cef and EXTENSION.fullmatch(self.text, self.header_end))
            or self.columns()
            or self.is_json()
            or KEYED.fullmatch(self.text)
        )

    def closes(self, at: int) -> bool:
        """Whether a value ends a field of a header or an attribute, where readers may unescape."""
        if self.leef is None and (self.cef is None or at >= self.header_end):
            return False
        if at < (self.leef or self.cef).start():  # type: ignore[union-attr]
            return False
        following = self.text[at + 1 : at + 2]
        return following == "|" if at < self.header_end else following in {"", self.delimiter}


def encoded(spec: Spec) -> bool:
    return FIELDS[spec.name]["group"] == "Hex-encoded"


def guards(
    parts: list[Part], protect_for: frozenset[str], *, protect_separators: bool
) -> list[str]:
    """Return for each part the characters that its value must not print raw."""
    places = Places(parts)
    found = [""] * len(parts)
    for number, at, spec in places.slots():
        if FIELDS[spec.name]["conversion"] != "s":
            continue
        if protect_separators or places.leef:
            found[number] += places.guard(at, spec)
        for reader in protect_for & READERS.keys():
            found[number] += READERS[reader]
        if "pairs" in protect_for and (
            CEF.search(places.text) or at < places.text.find("=") or may_be_a_pair(places, at, spec)
        ):
            found[number] += "="
    return found


def may_be_a_pair(places: Places, at: int, spec: Spec) -> bool:
    """Whether an equals sign of this value may stand behind a blank and a key."""
    if not encoded(spec):
        return True
    specs = {at: spec for _, at, spec in places.slots()}
    for before in range(at - 1, -1, -1):
        if before in specs:
            if not encoded(specs[before]):
                return True
        elif places.text[before].isspace():
            return True
        elif re.match(r"[A-Za-z0-9_.-]", places.text[before]) is None:
            return False
    return True


def closing(parts: list[Part]) -> list[int]:
    """Return the parts at whose end no backslash may stand."""
    places = Places(parts)
    return [number for number, at, _ in places.slots() if places.closes(at)]


def check(parts: list[Part]) -> None:
    """Refuse what can't be printed so that it is read again: delimiters that NSS writes itself."""
    places = Places(parts)
    names_no_delimiter = places.leef is not None and places.leef.end() == places.header_end
    following = places.text[places.header_end :]
    if places.version == "2.0" and names_no_delimiter and re.match(rf"[^|={SLOT}]+\|", following):
        raise RefusedError("a LEEF delimiter of several characters")
    if places.leef and WRITTEN_BY_US.match(places.delimiter):
        raise RefusedError(f"LEEF delimiter {places.delimiter}")
