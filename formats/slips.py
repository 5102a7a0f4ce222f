r"""What people write who know another language: `${login}`, `%-20s{login}`, `%(login)s`.

Most of it is refused, and the error says what is meant. Some is legal text, such as `\{login\}`:
`suspicions` finds what probably should have been a field.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from formats.fields import catalogue, nearest

_WORD = "[A-Za-z0-9_]{1,64}"

PATTERN = rf"""(?P<slip>%\{{{_WORD}\}}[sdx](?![A-Za-z0-9_{{])
      | %[-+#.'0-9]{{0,12}}[A-Za-z]{{0,8}}[ \t]{{0,4}}\{{{_WORD}\}}
      | %[0-9]{{0,4}}[A-Za-z]{{0,4}}(?:\({_WORD}\)|\[{_WORD}\]|<{_WORD}>)[sdx]?
      | \{{{_WORD}\}})"""
"""Tokens of a format string that are wrong as a whole; not one of them is anything else."""

_SLIP = re.compile(
    r"(?P<percent>%?)(?P<flags>[-+#.']*)(?P<digits>[0-9]*)(?P<precision>[-+#.'0-9]*)"
    rf"(?P<letters>[A-Za-z]*)(?P<blank>[ \t]*)(?P<open>[\[({{<])(?P<word>{_WORD}).(?P<after>[sdx]?)"
)
CONVERSIONS = frozenset({"s", "d", "x", "ld", "lu", "llu", "lld"})

_SURELY_MEANT = 0.8
"""How alike a word in braces and a field are, before the word is taken for a misspelled one."""

_SUSPICIOUS = re.compile(
    rf"%[0-9]{{0,4}}[sdx]\{{(?P<whole>{_WORD})\}}|\$?\{{(?P<braced>{_WORD})\}}"
    rf"|[$%](?P<bare>{_WORD})|(?P<escape>\\[tn])(?=[A-Za-z0-9_]{{1,64}}=)"
)
_MAX_SUSPICIONS = 5


class Slip(NamedTuple):
    """What is wrong with a token, and what would be right, if that can be known."""

    reason: str
    tip: str | None


def slip(token: str, before: str) -> Slip | None:
    """Return what a token that matches `PATTERN` is; `before` is the character in front of it.

    `None` for text that has nothing to do with a field.
    """
    found = _SLIP.fullmatch(token)
    if found is None or (found["open"] != "{" and found["word"] not in catalogue()):
        return None
    word, letters = found.group("word", "letters")
    if not found["percent"]:
        return _braced(word, before)
    right = _written(word, letters[-1:].lower(), found["digits"])
    written = token[: token.index(found["open"])]
    reason = f"{written} is no conversion: only a width may precede {letters}"
    if found["open"] != "{":
        reason = f"the name of a field stands in braces, not in {found['open']}"
    elif not letters:
        reason = f"no conversion between % and {{{word}}}"
    elif found["blank"]:
        reason = f"a blank between %{letters} and {{{word}}}"
    elif letters not in CONVERSIONS:
        reason, right = f"unknown conversion %{letters}", right or "%s, %d or %x"
    elif letters == "s":
        reason = "%s takes no width"
    return Slip(reason, right)


def _braced(word: str, before: str) -> Slip:
    """Return what is wrong with a word in braces that no conversion stands before."""
    known = nearest(word, cutoff=_SURELY_MEANT)
    if before == "$":
        right = _written(word, "", "") or rf"write \{{{word}\}} for braces"
        return Slip("a field begins with % and its conversion, not with $", right)
    if known is None:
        return Slip("unescaped { and }", rf"write \{{{word}\}} for braces")
    return Slip(
        f"no conversion before {{{word}}}",
        rf"{_written(known, '', '')} for the field, \{{{word}\}} for braces",
    )


def _written(word: str, letter: str, digits: str) -> str | None:
    """Return the field that a word names, or is nearest to, as a slot with that conversion."""
    name = word if word in catalogue() else nearest(word)
    if name is None:
        return None
    own = catalogue()[name].conversion
    conversion = letter if own == "d" and letter in {"d", "x", "s"} else own
    width = digits if conversion != "s" and len(digits) <= len("032") else ""
    return f"%{width}{conversion}{{{name}}}"


def suspicions(texts: list[str]) -> Iterator[str]:
    """Yield sentences on static text that was probably meant to be a field or an escape."""
    has_tab = any("\t" in text for text in texts)
    seen: dict[str, str] = {}
    for text in texts:
        for found in _SUSPICIOUS.finditer(text):
            word = found["whole"] or found["braced"] or found["bare"] or ""
            if word in catalogue():
                seen.setdefault(found[0], f"{_written(word, '', '')} prints the value")
            elif found["escape"] and not has_tab:
                seen.setdefault(found[0], f"one backslash is enough: {found[0]}")
    for text, right in list(seen.items())[:_MAX_SUSPICIONS]:
        yield f"prints {text} as it stands; {right}"
