"""`nss status`: what the service knows of itself, for people, for pipes and as JSON."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from cli.asking import status_of
from cli.output import show_json, time_text
from cli.refusals import refusal_lines
from cli.verdicts import verdict_lines
from formats.reading.unmapped import unmapped_texts
from nss.expiry import last_day
from nss.status.summary import (
    ExpiryStatus,
    FeedStatus,
    Reason,
    SourceStatus,
    Status,
    SyncStatus,
)
from nss.wording import duration_text, harmless, size_text

_GAP = "  "
_KEYS_SHOWN = 10
_STATES = {
    **dict.fromkeys(("failing", "stuck", "degraded", "unconfirmed", "stopped"), "red"),
    "held": "yellow",
    "healthy": "green",
}


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table before it is drawn; `numbers` are the columns that are aligned at the right."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[str]


def show_status(config: Path, *, as_json: bool) -> int:
    """Print the status; the exit code is 0 when healthy, 1 when degraded."""
    status = status_of(config)
    if as_json:
        show_json(status)
    else:
        console = Console(highlight=False)
        if console.is_terminal:
            console.print(picture(status))
        else:
            typer.echo(plain(status))
    return 0 if status.health.ok else 1


def picture(status: Status) -> Group:
    """Return a status drawn for a terminal."""
    word = "healthy" if status.health.ok else "degraded"
    head = Text.assemble((word, f"bold {_STATES[word]}"), _GAP, _head(status))
    reasons = [
        Text(line, style="red" if reason.degrades else "dim")
        for reason in status.health.reasons
        for line in reason_lines(reason, status.at)
    ]
    sheets = [_drawn(sheet) for sheet in _sheets(status)]
    spool = Text(f"spool  {_spool(status)}")
    return Group(head, *reasons, *sheets, spool, *map(Text, _last_lines(status)))


def plain(status: Status) -> str:
    """Return a status as aligned text."""
    word = "healthy" if status.health.ok else "degraded"
    reasons = (reason_lines(reason, status.at) for reason in status.health.reasons)
    lines = [f"{word}{_GAP}{_head(status)}", *(line for each in reasons for line in each)]
    for sheet in _sheets(status):
        lines += ["", *aligned(sheet)]
    return "\n".join([*lines, "", f"spool{_GAP}{_spool(status)}", *_last_lines(status)])


def aligned(sheet: Sheet) -> Iterator[str]:
    """Yield the lines of a table without a frame."""
    rows = (sheet.columns, *(tuple(map(harmless, row)) for row in sheet.rows))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    adjust: list[Callable[[str, int], str]] = [
        str.rjust if name in sheet.numbers else str.ljust for name in sheet.columns
    ]
    for row in rows:
        cells = (fit(cell, width) for fit, cell, width in zip(adjust, row, widths, strict=True))
        yield _GAP.join(cells).rstrip()


def _drawn(sheet: Sheet) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in sheet.columns:
        right = name in sheet.numbers
        table.add_column(name, justify="right" if right else "left", overflow="fold")
    for row in sheet.rows:
        table.add_row(*(Text(harmless(cell), style=_STATES.get(cell, "")) for cell in row))
    return table


def _head(status: Status) -> str:
    up = duration_text(status.at - status.started_at)
    program = f"nss {status.version} ({status.core})"
    return harmless(f"{program}, pid {status.pid}, up {up}, {status.config}")


def reason_lines(reason: Reason, at: float) -> Iterator[str]:
    """Yield a reason of the health: what and why, since when, what it means, and what to do."""
    yield harmless(f"{'!' if reason.degrades else '-'} {reason}")
    times = []
    if reason.since is not None:
        times.append(f"since {time_text(reason.since)} ({duration_text(at - reason.since)})")
    if reason.next_try_at is not None:
        times.append(f"next try in {duration_text(reason.next_try_at - at)}")
    details = (", ".join(times), reason.meaning, reason.remedy and f"try: {reason.remedy}")
    yield from (harmless(f"  {detail}") for detail in details if detail)


def _spool(status: Status) -> str:
    spool = status.spool
    kept = "durable" if spool.durable else "in memory, not durable"
    full = ", full" if spool.full else ""
    used = f"{size_text(spool.used_bytes)} of {size_text(spool.max_bytes)}"
    return f"{kept}, {used}{full}, {spool.kept_rejects:,} rejects kept"


def _sheets(status: Status) -> list[Sheet]:
    sheets = [_source_sheet(status.sources, status.at), _feed_sheet(status.feeds, status.at)]
    others = (_upload_sheet(status.feeds, status.at), _expiry_sheet(status.expiries))
    return [*sheets, *(sheet for sheet in others if sheet.rows)]


def _last_lines(status: Status) -> Iterator[str]:
    yield from refusal_lines(status)
    if status.sync is not None:
        yield f"sync{_GAP} {_sync(status.sync, status.at)}"
        yield from _blocking(status.sync, status.at)
    yield from _parsing(status)
    yield from _unmapped(status.feeds)


def _unmapped(feeds: tuple[FeedStatus, ...]) -> Iterator[str]:
    """Yield the keys of records that are not used, because no field is known for them."""
    for feed in feeds:
        for gap in feed.gaps:
            names = unmapped_texts(gap.unmapped)
            more = len(names) - _KEYS_SHOWN
            further = f" and {more:,} more" if more > 0 else ""
            if names:
                where = f"feed {feed.name}, source {gap.source} ({gap.form})"
                shown = ", ".join(names[:_KEYS_SHOWN])
                yield harmless(f"keys not used{_GAP}{where}: {shown}{further}")


def _parsing(status: Status) -> Iterator[str]:
    """Yield what became of uploaded files, if there may be any."""
    parsing = status.parsing
    if parsing is None:
        return
    last = parsing.last_parsed_at
    facts = [
        f"parsed {parsing.parsed:,}"
        + ("" if last is None else f" (the last uploaded {duration_text(status.at - last)} ago)"),
        f"failed {parsing.failed:,}",
        f"pending {parsing.pending:,}",
    ]
    if parsing.overdue:
        facts.append(f"without a result {parsing.overdue:,}")
    read = "not read yet"
    if parsing.unreadable is not None:
        read = "can't be read"
    elif parsing.read_at is not None:
        read = f"read {duration_text(status.at - parsing.read_at)} ago"
    yield harmless(f"uploads{_GAP}data source {parsing.data_source}: {', '.join(facts)}; {read}")
    failure = parsing.last_failure
    if failure is not None:
        file = "" if failure.file is None else f" {failure.file}"
        at = time_text(failure.at)
        yield harmless(f"{' ' * len('uploads')}{_GAP}last failure {at}{file}: {failure.text}")


def _expiry_sheet(expiries: tuple[ExpiryStatus, ...]) -> Sheet:
    rows = tuple(
        (
            expiry.component,
            expiry.credential.replace("_", " "),
            f"{expiry.days:,}",
            last_day(expiry.ends_at),
            expiry.place,
        )
        for expiry in expiries
    )
    columns = ("expires", "credential", "days left", "last day", "place")
    return Sheet(columns, rows, frozenset({"days left"}))


def _sync(sync: SyncStatus, at: float) -> str:
    if not sync.ready:
        return "not configured: there are no credentials for MCAS (sudo nss configure-mcas2)"
    parts = [sync.state, harmless(sync.destination)]
    if sync.last_success_at is not None and sync.urls is not None:
        parts.append(f"{sync.urls:,} URLs {duration_text(at - sync.last_success_at)} ago")
    if sync.last is not None:
        changed = (f"{sync.last.added:,} added", f"{sync.last.removed:,} removed")
        parts += [*changed, f"{sync.last.set_aside:,} set aside"]
    if sync.next_at is not None:
        parts.append(f"next in {duration_text(sync.next_at - at)}")
    return ", ".join(parts)


def _blocking(sync: SyncStatus, at: float) -> Iterator[str]:
    """Yield whether ZIA blocks what was synced, where that has been looked up."""
    found = sync.blocking if sync.ready else None
    if found is None:
        return
    margin = " " * len(f"sync{_GAP} ")
    first, *more = verdict_lines(found)
    yield f"{margin}{first} (looked up {duration_text(at - found.at)} ago)"
    for line in more:
        yield f"{margin}{line}"


def _source_sheet(sources: tuple[SourceStatus, ...], at: float) -> Sheet:
    columns = ("source", "kind", "state", "records/s", "bytes/s", "records", "bytes", "last")
    rows = tuple(
        (
            source.name,
            source.kind,
            source.state,
            f"{source.records_per_sec:,.0f}",
            size_text(source.bytes_per_sec),
            f"{source.records:,}",
            size_text(source.data_bytes),
            "none yet" if source.last_at is None else f"{duration_text(at - source.last_at)} ago",
        )
        for source in sources
    )
    return Sheet(columns, rows, frozenset({"records/s", "bytes/s", "records", "bytes", "last"}))


def _upload_sheet(feeds: tuple[FeedStatus, ...], at: float) -> Sheet:
    columns = ("upload", "state", "last confirmed", "next due", "held until")
    rows = []
    for feed in feeds:
        upload = feed.upload
        if upload is None:
            continue
        confirmed, due, held = upload.last_confirmed_at, upload.next_due_at, upload.held_until
        cells = (
            "none yet" if confirmed is None else f"{duration_text(at - confirmed)} ago",
            "nothing collected" if due is None else f"in {duration_text(due - at)}",
            "not held" if held is None else time_text(held),
        )
        rows.append((feed.name, upload.state, *cells))
    return Sheet(columns, tuple(rows), frozenset())


def _feed_sheet(feeds: tuple[FeedStatus, ...], at: float) -> Sheet:
    counts = ("accepted", "delivered", "filtered", "rejected", "dropped", "pending")
    columns = ("feed", "kind", "state", "records/s", *counts, "lag", "last delivery", "destination")
    rows = tuple(
        (
            feed.name,
            feed.kind,
            feed.state,
            f"{feed.records_per_sec:,.0f}",
            *(f"{getattr(feed, count):,}" for count in counts),
            duration_text(feed.lag_secs),
            _last_delivery(feed, at),
            feed.destination,
        )
        for feed in feeds
    )
    return Sheet(columns, rows, frozenset({"records/s", *counts, "lag", "last delivery"}))


def _last_delivery(feed: FeedStatus, at: float) -> str:
    """Return when records last got to the destination, in the word for what is known of it."""
    last = feed.last_delivered_at
    return "none yet" if last is None else f"{feed.confirmation} {duration_text(at - last)} ago"
