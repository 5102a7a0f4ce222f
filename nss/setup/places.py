"""Where in a TOML text a key is written: the lines that problems are about."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field

from nss.config.toml import key_path

_TOKEN = re.compile(
    r'(?P<text>"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}'
    r'|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\')'
    r"|(?P<blank>[ \t\r]+|#[^\n]*)"
    r"|(?P<mark>[\[\]{},=.\n])"
    r"|(?P<word>[^\s\[\]{},=.\"'#]+)",
    re.DOTALL,
)
_PART = re.compile(r'\.(?:"(?:\\.|[^"\\])*"|[^."\[]+)$|\[[0-9]+\]$')


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    line: int


@dataclass(slots=True)
class _Path:
    """A dotted key while it is read."""

    parts: list[str] = field(default_factory=list)
    line: int = 0

    def add(self, token: _Token) -> None:
        if token.kind in {"text", "word"}:
            self.parts.append(_key(token.text))
            self.line = self.line or token.line

    def within(self, where: str) -> str:
        for part in self.parts:
            where = key_path(where, part)
        return where


class Places:
    """The lines of a text, which must be valid TOML, that its keys are on."""

    def __init__(self, text: str) -> None:
        self._lines: dict[str, int] = {}
        self._read(list(_tokens(text)))

    def line(self, key: str) -> int | None:
        """Return the line of a key path like `feeds.mcas.sink.destinations[1]`, or of its table.

        The first line is 1; `None` when neither it nor a table that it would be in is there.
        """
        while key not in self._lines:
            shorter = _PART.sub("", key)
            if shorter == key:
                return None
            key = shorter
        return self._lines[key]

    def is_written(self, key: str) -> bool:
        """Return whether the text has the key itself."""
        return key in self._lines

    def _read(self, tokens: list[_Token]) -> None:
        table, at = "", 0
        while at < len(tokens):
            if tokens[at].text == "\n":
                at += 1
            elif tokens[at].text == "[":
                path = _Path()
                while at < len(tokens) and tokens[at].text != "\n":
                    path.add(tokens[at])
                    at += 1
                table = path.within("")
                self._note(table, path.line)
            else:
                at = self._pair(tokens, at, table)

    def _pair(self, tokens: list[_Token], at: int, table: str) -> int:
        """Read `key = value`; return where the next statement begins."""
        path = _Path()
        while at < len(tokens) and tokens[at].text != "=":
            path.add(tokens[at])
            at += 1
        where = path.within(table)
        self._note(where, path.line)
        return self._value(tokens, at + 1, where)

    def _value(self, tokens: list[_Token], at: int, where: str) -> int:
        """Pass a value; return what is behind it."""
        opening = tokens[at].text if at < len(tokens) else ""
        if opening == "[":
            return self._list(tokens, at + 1, where)
        if opening == "{":
            return self._inline_table(tokens, at + 1, where)
        while at < len(tokens) and tokens[at].text not in {"\n", ",", "]", "}"}:
            at += 1
        return at

    def _list(self, tokens: list[_Token], at: int, where: str) -> int:
        number = 0
        while at < len(tokens) and tokens[at].text != "]":
            if tokens[at].text in {"\n", ","}:
                at += 1
                continue
            item = f"{where}[{number}]"
            self._note(item, tokens[at].line)
            at, number = self._value(tokens, at, item), number + 1
        return at + 1

    def _inline_table(self, tokens: list[_Token], at: int, where: str) -> int:
        while at < len(tokens) and tokens[at].text != "}":
            at = at + 1 if tokens[at].text in {"\n", ","} else self._pair(tokens, at, where)
        return at + 1

    def _note(self, key: str, line: int) -> None:
        """Remember where a key is, and where each table begins that it is in."""
        while key and key not in self._lines:
            self._lines[key] = line
            key = _PART.sub("", key) if _PART.search(key) else ""


def _tokens(text: str) -> Iterator[_Token]:
    line, at = 1, 0
    while found := _TOKEN.match(text, at):
        kind, token = str(found.lastgroup), found[0]
        if kind != "blank":
            yield _Token(kind, token, line)
        line += token.count("\n")
        at = found.end()


def _key(token: str) -> str:
    """Return a part of a key without its quotes."""
    return tomllib.loads(f"x = {token}")["x"] if token[0] in "\"'" else token
