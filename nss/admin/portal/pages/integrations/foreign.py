"""Texts of others as pages show them: what MCAS, Entra and ZIA answer may have anything in it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from nss.admin.portal.texts import harmless
from nss.checks import Check

MAX_CHARS = 1000
"""Of a sentence."""

MAX_ITEM_CHARS = 300
"""Of a URL, a name."""

MAX_ITEMS = 200
"""Of a list."""


def shown(text: str | None, max_chars: int = MAX_CHARS) -> str:
    """Return a text on one line of which every character can be seen, cut if it is long."""
    found = text or ""
    cut = harmless(found[:max_chars].replace("\n", " "))
    return f"{cut}… ({len(found):,} characters)" if len(found) > max_chars else cut


def shown_checks(checks: Iterable[Check]) -> list[Check]:
    """Return steps of a test with all texts as they may be shown."""
    return [
        replace(
            check,
            name=shown(check.name, MAX_ITEM_CHARS),
            sentence=shown(check.sentence),
            code=shown(check.code, MAX_ITEM_CHARS) or None,
            tip=shown(check.tip) or None,
        )
        for check in checks
    ]


@dataclass(frozen=True, slots=True)
class Shown:
    """The beginning of a list, and how long it is."""

    title: str
    count: int
    items: tuple[str, ...]

    @property
    def more(self) -> int:
        """How many are not shown."""
        return self.count - len(self.items)


def shown_list(title: str, texts: Sequence[str]) -> Shown:
    """Return a list as it may be shown."""
    items = tuple(shown(text, MAX_ITEM_CHARS) for text in texts[:MAX_ITEMS])
    return Shown(title, len(texts), items)
