"""What a status says of the whole service: spool, sync, uploads, what expires, keys not used."""

from collections.abc import Iterator

from rich.text import Text

from cli.output import time_text
from cli.screen.cells import GAP, wrapped
from cli.screen.wording import ago, count_text
from cli.verdicts import verdict_lines
from formats.reading.unmapped import unmapped_texts
from nss.expiry import last_day
from nss.status.readings import ParsingReading
from nss.status.summary import ExpiryStatus, FeedStatus, SpoolStatus, Status, SyncStatus
from nss.wording import counted, duration_text, harmless, size_text

_LABEL_CELLS = 9
_KEYS_SHOWN = 10


def lines(status: Status, width: int) -> Iterator[Text]:
    """Yield the facts, each with its label before its first line."""
    margin = " " * _LABEL_CELLS
    for label, text in _facts(status):
        first = f"{label:{_LABEL_CELLS - len(GAP)}}{GAP}"
        for line in wrapped(harmless(text), width, first, margin):
            shown = Text(line)
            shown.stylize("bold", 0, len(label))
            yield shown


def _facts(status: Status) -> Iterator[tuple[str, str]]:
    yield "spool", _spool(status.spool)
    if status.sync is not None:
        yield "sync", _sync(status.sync, status.at)
        yield from (("", line) for line in _blocking(status.sync, status.at))
    elif status.elsewhere.sync is not None:
        yield "sync", f"by {status.elsewhere.sync}, as synced_by in [sync] says"
    if status.elsewhere.uploads is not None:
        yield "uploads", f"by {status.elsewhere.uploads}, as uploaded_by in [mcas] says"
    if status.parsing is not None:
        yield "uploads", _uploads(status.parsing, status.at)
        yield from (("", line) for line in _last_failure(status.parsing))
    for label, expiry in zip(_once("expires"), status.expiries, strict=False):
        yield label, _expiry(expiry)
    for label, keys in zip(_once("keys not used"), _unmapped(status.feeds), strict=False):
        yield label, keys
    yield "service", _service(status)


def _once(label: str) -> Iterator[str]:
    yield label
    while True:
        yield ""


def _service(status: Status) -> str:
    up = duration_text(status.at - status.started_at)
    program = f"nss {status.version} ({status.core}), pid {status.pid}, up {up}"
    return f"{program}, at {time_text(status.at)}, {status.config}"


def _spool(spool: SpoolStatus) -> str:
    kept = "durable" if spool.durable else "in memory, not durable"
    used = f"{size_text(spool.used_bytes)} of {size_text(spool.max_bytes)}"
    number = spool.kept_rejects
    rejects = f", {count_text(number)} reject{'' if number == 1 else 's'} kept" if number else ""
    return f"{kept}, {used}{', full' if spool.full else ''}{rejects}"


def _expiry(expiry: ExpiryStatus) -> str:
    what = f"{expiry.component}, {expiry.credential.replace('_', ' ')}"
    place = f" ({expiry.place})" if expiry.place else ""
    left = f"{expiry.days:,} days left" if expiry.days >= 0 else f"{-expiry.days:,} days ago"
    return f"{what}{place}: {left}, last day {last_day(expiry.ends_at)}"


def _unmapped(feeds: tuple[FeedStatus, ...]) -> Iterator[str]:
    """Yield the keys of records that are not used, because no field is known for them."""
    for feed in feeds:
        for gap in feed.gaps:
            names = unmapped_texts(gap.unmapped)
            more = len(names) - _KEYS_SHOWN
            further = f" and {more:,} more" if more > 0 else ""
            if names:
                where = f"feed {feed.name}, source {gap.source} ({gap.form})"
                yield f"{where}: {', '.join(names[:_KEYS_SHOWN])}{further}"


def _uploads(parsing: ParsingReading, at: float) -> str:
    """Return what became of uploaded files."""
    last = parsing.last_parsed_at
    facts = [
        f"parsed {parsing.parsed:,}"
        + ("" if last is None else f" (the last uploaded {ago(last, at)})"),
        f"failed {parsing.failed:,}",
        f"pending {parsing.pending:,}",
    ]
    if parsing.overdue:
        facts.append(f"without a result {parsing.overdue:,}")
    read = "not read yet"
    if parsing.unreadable is not None:
        read = "can't be read"
    elif parsing.read_at is not None:
        read = f"read {ago(parsing.read_at, at)}"
    return f"data source {parsing.data_source}: {', '.join(facts)}; {read}"


def _last_failure(parsing: ParsingReading) -> Iterator[str]:
    failure = parsing.last_failure
    if failure is not None:
        file = "" if failure.file is None else f" {failure.file}"
        yield f"last failure {time_text(failure.at)}{file}: {failure.text}"


def _sync(sync: SyncStatus, at: float) -> str:
    if not sync.ready:
        return "not configured: there are no credentials for MCAS (sudo nss configure-mcas2)"
    parts = [sync.state, sync.destination]
    if sync.last_success_at is not None and sync.urls is not None:
        parts.append(f"{counted(sync.urls, 'URL')} {ago(sync.last_success_at, at)}")
    if sync.last is not None:
        counts = ("added", "removed", "set_aside")
        changed = [(name, getattr(sync.last, name)) for name in counts]
        parts += [f"{number:,} {name.replace('_', ' ')}" for name, number in changed if number]
    if sync.next_at is not None:
        parts.append(f"next in {duration_text(sync.next_at - at)}")
    return ", ".join(parts)


def _blocking(sync: SyncStatus, at: float) -> Iterator[str]:
    """Yield whether ZIA blocks what was synced, where that has been looked up."""
    found = sync.blocking if sync.ready else None
    if found is not None:
        first, *more = verdict_lines(found)
        yield f"{first} (looked up {ago(found.at, at)})"
        yield from more
