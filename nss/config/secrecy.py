"""What messages show of the configuration: nothing that may be a secret, and rather too little.

No key holds a secret, only names of files that do. But people write secrets where none belong, and
these messages reach logs, the status and the portal.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from formats.errors import Problem
from nss.config.model import SECTION_TYPES
from nss.config.setting import declared
from nss.config.toml import toml_text
from nss.secret import SHOWN

MAX_LINE = 2000
"""Characters; of a longer line nothing is shown."""

_WORDS = (
    "secret|pass|pwd|kennwort|token|credential|auth|key|cookie|session|signature|bearer|private"
)
_WORD = re.compile(
    rf"(?i)(?:{_WORDS}|(?<![a-z])(?:pw|pin|sig)(?![a-z])|basic[ \t\\'\"]|-----BEGIN)"
    r"(?![a-z_]{0,30}_file\b[\"']?[ \t]*=[ \t]*[\"']{0,3}[./~])"
)
"""What may stand before a secret, unless it is the key of a file and a path follows."""

_NAMED = re.compile(
    rf"(?i)(?:{_WORDS})[\w-]{{0,60}}[\"']?[ \t]*[:=]|\b(?:bearer|basic)\s|-----BEGIN"
)
"""The same in a value, where such words also stand in paths."""

_KEY = re.compile(r"[ \t]*([\w-]+(?:[ \t]*\.[ \t]*[\w-]+){0,8})[ \t]*=")
_RANDOM = re.compile(r"[A-Za-z0-9+/_.~-]{32,}={0,2}")
_LOGIN = re.compile(r"://[^/:\s\[\]]{0,255}:(?!\d{1,5}(?:[/\"'\s,\])]|$))")
"""A user, a colon, and no port: a password, cut off before its `@`."""

_TOKEN = re.compile(
    r'"""(?:[^"\\]++|\\.|"(?!""))*+(?:"{3,5})?'
    r"|'''(?:[^']++|'(?!''))*+(?:'{3,5})?"
    r'|"(?:[^"\\\n]|\\.)*+"?'
    r"|'[^'\n]*+'?"
    r"|#[^\n]*+|[\[\]{}]",
    re.DOTALL,
)
"""What of TOML goes over lines, or looks as if it did."""

_PLACE = re.compile(r"\[\d+\]$")
_SETTINGS = {entry.key for section in SECTION_TYPES for entry in declared(section)} | {"kind"}


class ShownLine(NamedTuple):
    """What may be shown of a line; `text` is empty if it is nothing."""

    text: str
    key: str
    """How advice names the key that it sets."""
    is_whole: bool
    """Whether nothing is hidden."""


class _Around(NamedTuple):
    """Where a line begins."""

    is_inside: bool
    """Whether that is inside a text that began above."""
    above: str
    """The rest of the heading and of the assignment that the line belongs to."""


def shown_line(text: str, number: int, key: str) -> ShownLine:
    """Return what may be shown of a line, counted from 1; `key` is the one that it seems to set.

    All lines before it must be TOML.
    """
    lines = text.split("\n")
    line = lines[number - 1].rstrip("\r")
    if len(line) > MAX_LINE:
        return ShownLine("", "key", is_whole=False)
    around = _around(text, sum(len(each) + 1 for each in lines[: number - 1]))
    if around.is_inside or _WORD.search(around.above):
        return ShownLine(SHOWN, "key", is_whole=False)
    word = _WORD.search(line)
    if word is not None:
        return _up_to_value(line, word.end())
    cleaned = without_logins(_RANDOM.sub(SHOWN, line))
    if cleaned == line:
        return ShownLine(line, key, is_whole=True)
    found = _KEY.match(cleaned)
    return ShownLine(cleaned, found[1] if found else "key", is_whole=False)


def _up_to_value(line: str, end: int) -> ShownLine:
    """Return the key of a line with a word, up to which `end` is, and stars for all else."""
    found = _KEY.match(line)
    if found is None:
        return ShownLine(SHOWN, "key", is_whole=False)
    if end < found.end(1) and not re.fullmatch(r"[a-z_-]{0,20}", line[end : found.end(1)]):
        return ShownLine(SHOWN, "key", is_whole=False)
    return ShownLine(f"{found[0]} {SHOWN}", found[1], is_whole=False)


def _around(text: str, begin: int) -> _Around:
    depth, opened, heading = 0, 0, ""
    for token in _tokens(text, begin):
        if token.end() > begin:
            return _Around(is_inside=token[0][0] != "#", above="")
        if token[0] in {"[", "{"}:
            row = text.rfind("\n", 0, token.start()) + 1
            if not depth and not text[row : token.start()].strip():
                heading = text[row : text.find("\n", row)]
            opened = opened if depth else row
            depth += 1
        elif token[0] in {"]", "}"}:
            depth = max(0, depth - 1)
    return _Around(is_inside=False, above=f"{heading}\n{text[opened:begin] if depth else ''}")


def _tokens(text: str, end: int) -> Iterator[re.Match[str]]:
    for token in _TOKEN.finditer(text):
        if token.start() >= end:
            return
        yield token


def without_logins(text: str) -> str:
    """Return a text up to the first password that it has in an address."""
    at = text.rfind("@")
    colon = text.find(":", 0, at) if at >= 0 else -1
    if colon >= 0:
        begin = colon + (3 if text.startswith("://", colon) else 1)
        return text[:begin] + SHOWN
    found = _LOGIN.search(text)
    return text if found is None else text[: found.end()] + SHOWN


def shown_value(problem: Problem) -> str | None:
    """Return the value of a problem as TOML, stars for what may be a secret; `None`: it has none.

    Values of known keys are shown, as these hold no secrets: names of files, for example.
    """
    if problem.value is None:
        return None
    text = toml_text(problem.value)
    key = _PLACE.sub("", problem.key).rpartition(".")[2]
    if key not in _SETTINGS and (_WORD.search(f"{problem.key} {text}") or _RANDOM.search(text)):
        return SHOWN
    if _NAMED.search(text):
        return SHOWN
    cleaned = without_logins(text)
    return cleaned if cleaned == text else SHOWN
