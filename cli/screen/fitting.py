"""What of a report fits into so many lines: what is wrong first, the rest summed up."""

from collections import Counter
from collections.abc import Sequence

from rich.text import Text

from cli.screen.cells import shortened
from cli.screen.report import Report
from cli.screen.sections import Entry, Section

_MORE = "  …"


def fitted(report: Report, height: int) -> list[Text]:
    """Return at most so many lines; the more of the report the more of them there may be."""
    shorter = (
        report.lines(),
        report.lines(more=False),
        report.lines(more=False, facts=False),
        report.lines(more=False, facts=False, notes=False),
    )
    for lines in shorter:
        if len(lines) <= height:
            return lines
    return _summed_up(report, height)[:height]


def _summed_up(report: Report, height: int) -> list[Text]:
    """Return the head, reasons, and as many rows as there is room for."""
    lines = [*report.head]
    sums = len(report.sections)  # a line for the rest of each
    lines += _reasons(report, height - len(lines) - sums)
    room = height - len(lines) - sums
    drawn = {}
    for section in reversed(report.sections):  # feeds first: they show what becomes of records
        drawn[section.kind] = shown = _rows(section, room, report.width)
        room -= len(shown) - 1
    lines += [line for section in report.sections for line in drawn[section.kind]]
    return [*lines, *report.notes_left_out]


def _reasons(report: Report, room: int) -> list[Text]:
    """Return all reasons, or the first one and a line for each other, as far as there is room."""
    whole = [line for reason in report.wrong for line in reason]
    if len(whole) <= room or room <= 0:
        return whole[: max(0, room)]
    first, *others = report.wrong
    room -= 1 if others else 0  # for what has no line of its own
    lines = [*first] if len(first) <= room else [*first[: room - 1], Text(_MORE)][: max(0, room)]
    free = room - len(lines)
    if len(others) > free + 1:
        named, left = others[:free], len(others) - free
    else:
        named, left = others, 0
    lines += [_line(reason, report.width) for reason in named]
    said = f"! and {left} more that are wrong"
    return [*lines, Text(shortened(said, report.width), style="red")] if left else lines


def _line(reason: Sequence[Text], width: int) -> Text:
    """Return the first line of a reason; a mark at its end says that there is more."""
    first = reason[0]
    return Text(shortened(first.plain + (_MORE if len(reason) > 1 else ""), width), first.style)


def _rows(section: Section, room: int, width: int) -> list[Text]:
    """Return rows in `room` lines and one more, in which those without a row are summed up."""
    entries = section.entries
    if len(entries) <= room:
        return [section.heads, *(entry.row for entry in entries)]
    shown = max(0, room - 1)
    rest = entries[shown:]
    lead = f"and {len(rest)} more" if shown else f"{len(rest)} {section.kind}s"
    summary = shortened(f"{lead}: {_states(rest)}", width)
    heads = [section.heads] if shown else []
    return [*heads, *(entry.row for entry in entries[:shown]), Text(summary)]


def _states(entries: Sequence[Entry]) -> str:
    counts = Counter(entry.state for entry in entries).most_common()
    if len(counts) == 1:
        return f"{'all ' if len(entries) > 1 else ''}{counts[0][0]}"
    return ", ".join(f"{count} {state}" for state, count in counts)
