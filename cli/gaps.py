"""What `nss render` could not use of its input, and what that lacked: reported once, at the end."""

from collections.abc import Iterator

from formats import FeedFormat, Input, Rendered
from formats.essentials import Essential, Survey, listed
from formats.reading.unmapped import add_unmapped, unmapped_texts
from nss.wording import harmless


class Gaps:
    """Watches what is read for keys that no field is known for, and for missing essentials."""

    def __init__(self, feed_format: FeedFormat) -> None:
        self._format = feed_format
        self._unmapped: dict[str, int] = {}
        self._surveys: list[tuple[str, Survey]] = []

    def begin(self, name: str, source: Input) -> None:
        """Take note of a file whose records come next."""
        self._surveys.append((name, Survey(source, self._format)))

    def look(self, data: bytes, rendered: Rendered) -> None:
        """Look at what was read last."""
        add_unmapped(self._unmapped, rendered.unmapped)
        self._surveys[-1][1].look(data, rendered.records)

    def lines(self) -> Iterator[str]:
        """Yield the report, line by line; nothing if nothing was lacking."""
        if self._unmapped:
            names = ", ".join(unmapped_texts(self._unmapped))
            yield harmless(f"nss: render: not used, no field is known for it: {names}")
        lacking: dict[tuple[Essential, ...], list[str]] = {}
        for name, survey in self._surveys:
            if survey.never_stated:
                lacking.setdefault(survey.never_stated, []).append(name)
        for missing, (name, *others) in lacking.items():
            more = f" and {len(others):,} more" if others else ""
            yield harmless(
                f"nss: render: warning: no record states {listed(missing)}: placeholders are "
                f"printed instead ({name}{more})"
            )
            yield harmless(f"Try: nss explain {'-' if name == 'stdin' else name}")
