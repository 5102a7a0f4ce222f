"""Keys and values as they are written in TOML, for messages, for the page and for dumps."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

_MAX_SHORT_ESCAPE = 0xFFFF
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def written_key(key: str) -> str:
    """Return a key, in quotes if it needs them."""
    return key if _BARE_KEY.fullmatch(key) else toml_text(key)


def key_path(where: str, key: str) -> str:
    """Return the path of a key in the table at `where`, which is empty for the top."""
    return f"{where}.{written_key(key)}" if where else written_key(key)


def toml_text(value: object) -> str:
    """Return a value; what is inside nested lists and tables is left out."""
    match value:
        case bool():
            return "true" if value else "false"
        case str() | Path():
            return printable(json.dumps(str(value), ensure_ascii=False))
        case list() | tuple():
            items = ("[...]" if isinstance(i, list | tuple) else toml_text(i) for i in value)
            return f"[{', '.join(items)}]"
        case Mapping():
            return "{...}"
        case _:
            return str(value)


def literal_text(text: str) -> str:
    """Return a text as it stands, between three quotes, or quoted as any other where it can't.

    A literal string has no escapes: it can't hold three quotes or what a reader would not see.
    """
    fits = all(c.isprintable() or c in "\t\n" for c in text) and not text.endswith("'")
    if not fits or "'''" in text:
        return toml_text(text)
    first = "\n" if text.startswith("\n") else ""  # which would be left out (TOML 1.0, "String")
    return f"'''{first}{text}'''"


def choice_of(words: Sequence[str]) -> str:
    """Return the words in quotes, as a choice reads in a sentence."""
    *most, last = (toml_text(word) for word in words)
    return f"{', '.join(most)} or {last}" if most else last


def printable(text: str) -> str:
    """Return text in which everything but LF that a terminal might obey is a TOML escape."""
    return "".join(c if c.isprintable() or c == "\n" else _escape(ord(c)) for c in text)


def _escape(code: int) -> str:
    return f"\\u{code:04x}" if code <= _MAX_SHORT_ESCAPE else f"\\U{code:08x}"
