"""Secrets in a text that somebody edits: what is shown in their place, and how they come back."""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nss.secret import SHOWN

Clean = Callable[[bytes], bytes]
"""Returns a text without its secrets: `nss.setup.redaction.Redactor.clean`."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """A text without what is secret in it; each of its lines stands for the same line of it."""

    lines: tuple[str, ...]
    _originals: tuple[str, ...]

    @property
    def text(self) -> str:
        """The text that may be shown."""
        return "\n".join(self.lines)

    def restored(self, edited: str) -> tuple[str, list[int]]:
        """Return an edited text with the secrets back in the lines that are as they were.

        Also returns the numbers of the lines, from 1, that have stars for a secret which did not
        come back.
        """
        waiting: dict[str, deque[str]] = defaultdict(deque)
        for shown, original in zip(self.lines, self._originals, strict=True):
            if shown != original:
                waiting[shown].append(original)
        if not waiting:
            return edited, []
        missing = Counter({shown: len(originals) for shown, originals in waiting.items()})
        lines, starred = [], []
        for number, line in enumerate(edited.split("\n"), 1):
            originals = waiting.get(line)
            if originals is None:
                starred += [number] if SHOWN in line and line not in self._originals else []
                lines.append(line)
                continue
            missing[line] -= 1
            # A line that is there more often than before was copied.
            lines.append(originals.popleft() if len(originals) > 1 else originals[0])
        return "\n".join(lines), starred if any(count > 0 for count in missing.values()) else []


def hidden(text: str, clean: Clean) -> Hidden:
    """Return a text without its secrets."""
    originals = tuple(text.split("\n"))
    cleaned = _cleaned(text, clean)
    if cleaned == text:
        return Hidden(originals, originals)
    kept = set(cleaned.split("\n"))
    return Hidden(tuple(_shown(line, kept, clean) for line in originals), originals)


def _shown(line: str, kept: set[str], clean: Clean) -> str:
    """Return a line without secrets; a part of one that goes over several lines is all stars."""
    if line in kept:
        return line
    cleaned = _cleaned(line, clean)
    return cleaned if cleaned in kept else SHOWN


def _cleaned(text: str, clean: Clean) -> str:
    return clean(text.encode(errors="replace")).decode(errors="replace")


def cleaned_lines(lines: Sequence[str], clean: Clean) -> list[str]:
    """Return lines without secrets, one for each."""
    return list(hidden("\n".join(lines), clean).lines)
