"""Answers as people type or paste them: what is around them taken off, or refused.

A refusal is one sentence that names the question, and a tip; it quotes nothing of what was typed,
since a secret is easily pasted into the wrong place.
"""

import re
from urllib.parse import SplitResult, urlsplit

MAX_CHARS = 4096

QUOTES = "\"'`\u2018\u2019\u201c\u201d"
AROUND = f" \t\r\n\v\f\u00a0\u200b\u200c\u200d\u2060\ufeff{QUOTES}"
"""What copy and paste leave around a text; also characters that nobody can see."""

MASK = re.compile(r"\*{3}|[\u2022\u25cf\u2026]|\.{3}\s*\Z")
"""What is shown instead of a secret."""

HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}", re.ASCII)
"""A name with a domain, in lower case."""

NO_URL = "is not a URL that begins with https://"

_BRACKET = re.compile(r"[<>{}\[\]$*\u2026]|\.\.\.|%3c|%7b", re.IGNORECASE)


class BadAnswer(ValueError):  # noqa: N818 - named as people read it
    """An answer that can't be right. `sentence` says what is wrong with it, `tip` what to do."""

    def __init__(self, sentence: str, tip: str = "", *, field: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.tip = tip
        self.field = field


class Question:
    """A field that is asked for: what it is called, and where its answer comes from."""

    def __init__(self, field: str, name: str, tip: str) -> None:
        self.field = field
        self.name = name
        self.tip = tip

    def bad(self, problem: str, tip: str | None = None) -> BadAnswer:
        """Return the refusal of an answer."""
        return BadAnswer(
            f"the {self.name} {problem}", self.tip if tip is None else tip, field=self.field
        )

    def cleaned(self, text: str) -> str:
        """Return what was typed, without what is around it: visible ASCII, and some of it."""
        found = text.strip(AROUND)
        if not found:
            raise self.bad("is empty")
        if len(found) > MAX_CHARS:
            raise self.bad("is too long to be one")
        if any(letter in AROUND or letter.isspace() for letter in found):
            raise self.bad("has a blank or a quote inside")
        if not found.isprintable() or not found.isascii():
            raise self.bad("has a character inside that does not belong there")
        return found

    def url(self, text: str, placeholder: str) -> SplitResult:
        """Return the parts of a URL that is https, or says nothing about it, and has no user.

        Its host is not looked at. `placeholder` is what is wrong with one that is not filled in.
        """
        scheme, found, _ = text.partition("://")
        if found and scheme.lower() == "http":
            raise self.bad("begins with http, which is not encrypted", "use https")
        if found and scheme.lower() != "https":
            raise self.bad(NO_URL)
        try:
            parts = urlsplit(text if found else f"https://{text}")
            _ = parts.port
        except ValueError:  # a port that is none, or brackets
            raise self.bad(placeholder if is_placeholder(text) else NO_URL) from None
        if "@" in parts.netloc:
            raise self.bad("has a user in it")
        return parts


def is_placeholder(text: str) -> bool:
    """Return whether a text has what manuals write where something has to be filled in."""
    return _BRACKET.search(text) is not None
