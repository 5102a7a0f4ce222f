"""A status in parts, most urgent first: what is wrong, the rows of sources and feeds, facts."""

from collections.abc import Iterator
from dataclasses import dataclass

from rich.text import Text

from cli.screen import facts
from cli.screen.cells import GAP, shortened, wrapped
from cli.screen.grid import STYLES
from cli.screen.sections import Section, sections_of
from cli.screen.wording import count_text, moment, next_try, rate_text
from nss.status.remedies import explained
from nss.status.summary import Reason, Status
from nss.wording import harmless

_INDENT = "  "


@dataclass(frozen=True, slots=True)
class Report:
    """A status drawn for some width."""

    width: int
    head: tuple[Text, ...]
    wrong: tuple[tuple[Text, ...], ...]
    """Reasons for which the service is degraded, some lines each."""
    notes: tuple[tuple[Text, ...], ...]
    """Reasons that are only mentioned."""
    sections: tuple[Section, ...]
    facts: tuple[Text, ...]

    @property
    def notes_left_out(self) -> tuple[Text, ...]:
        """What stands for the notes where there is no room for them."""
        text = shortened(f"- and {len(self.notes)} more to know: nss status", self.width)
        return (Text(text),) if self.notes else ()

    def lines(self, *, more: bool = True, facts: bool = True, notes: bool = True) -> list[Text]:
        """Return all of it, or without the further lines of parts, without facts or notes."""
        lines = [*self.head]
        reasons = [*self.wrong, *(self.notes if notes else (self.notes_left_out,))]
        if reasons:
            lines += [Text(), *(line for reason in reasons for line in reason)]
        for section in self.sections:
            lines += [Text(), section.heads]
            for entry in section.entries:
                lines += [entry.row, *(entry.more if more else ())]
        return [*lines, Text(), *self.facts] if facts else lines


def report_of(status: Status, width: int) -> Report:
    """Return a status drawn in lines of at most `width` cells."""
    reasons = status.health.reasons
    return Report(
        width=width,
        head=tuple(_head(status, width)),
        wrong=tuple(tuple(_reason(each, status, width)) for each in reasons if each.degrades),
        notes=tuple(tuple(_reason(each, status, width)) for each in reasons if not each.degrades),
        sections=sections_of(status, width),
        facts=tuple(facts.lines(status, width)),
    )


def _head(status: Status, width: int) -> Iterator[Text]:
    word = "healthy" if status.health.ok else "degraded"
    since = [reason.since for reason in status.health.reasons if reason.degrades and reason.since]
    begun = f"since {moment(min(since), status.at)}, " if since else ""
    rate = sum(feed.records_per_sec for feed in status.feeds)
    pending = sum(feed.pending for feed in status.feeds)
    rest = f"{rate_text(rate)}, {count_text(pending)} pending"
    for line in wrapped(f"{begun}{rest}", width, f"{word}{GAP}", _INDENT):
        text = Text(line)
        if line.startswith(word):
            text.stylize(STYLES[word], 0, len(word))
        yield text


def _reason(reason: Reason, status: Status, width: int) -> Iterator[Text]:
    """Yield what is wrong; since when; what it means for records; what to do."""
    known = explained(reason, status)
    mark, style = ("! ", "red") if reason.degrades else ("- ", "")
    sentence = harmless(f"{reason.component}: {known.sentence}")
    yield from (Text(line, style=style) for line in wrapped(sentence, width, mark, _INDENT))
    times = []
    if reason.since is not None:
        times.append(f"since {moment(reason.since, status.at)}")
    if reason.next_try_at is not None:
        times.append(next_try(reason.next_try_at - status.at))
    texts = [", ".join(times), harmless(reason.meaning)]
    for text in filter(None, texts):
        yield from map(Text, wrapped(text, width, _INDENT, _INDENT))
    if remedy := harmless(reason.remedy or known.remedy):
        lines = wrapped(f"Try: {remedy}", width, _INDENT, _INDENT * 2)
        yield from (Text(line, style="bold" if reason.degrades else "") for line in lines)
