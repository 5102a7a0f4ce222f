"""`nss rejects`: records that were rejected, by reason or one by one."""

import shutil
import sys
import textwrap
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import typer

from cli.asking import service_of
from cli.output import harmless_bytes, show_json, time_text
from nss.spool import REASONS_MAX, KeptReject, ReasonCount
from nss.wording import harmless

_SHOWN_CHARACTERS = 200
_LEAST_COLUMNS = 40


def show_rejects(config: Path, feed: str | None, limit: int, *, as_json: bool) -> None:
    """Print the newest rejects, oldest first. Raises `NssError`."""
    with service_of(config) as service:
        rejects = service.rejects(feed, limit)
    if as_json:
        show_json([_row(kept) for kept in rejects])
        return
    for kept in rejects:
        typer.echo(_described(kept))
    if not rejects:
        typer.echo("No rejects are kept.", err=True)
    elif len(rejects) == limit:
        typer.echo(f"Shown: the newest {limit}. --limit N shows more.", err=True)


def show_reasons(config: Path, feed: str | None, *, as_json: bool) -> None:
    """Print how many rejects there are by feed and reason, each with a sample: the newest first.

    Raises `NssError`.
    """
    with service_of(config) as service:
        reasons = service.reject_reasons(feed)
    if as_json:
        show_json([_plain(each) for each in reasons])
        return
    if not reasons:
        typer.echo("No rejects are kept.", err=True)
        return
    for each in reasons:
        typer.echo("\n".join(group_lines(each)))
    if len(reasons) == REASONS_MAX:
        typer.echo(f"Shown: the newest {REASONS_MAX} reasons.", err=True)
    typer.echo(
        "nss rejects --records shows each; nss rejects retry sends them again, once the cause is "
        "fixed; nss rejects discard deletes them.",
        err=True,
    )


def group_lines(count: ReasonCount) -> Iterator[str]:
    """Yield what there is to see of the rejects for one reason: numbers, reason, a sample."""
    records = "1 record" if count.records == 1 else f"{count.records:,} records"
    yield harmless(f"feed {count.feed}: {records}, the newest {time_text(count.newest_at)}")
    columns = max(_LEAST_COLUMNS, shutil.get_terminal_size().columns)
    yield from textwrap.wrap(
        harmless(count.reason), columns, initial_indent="  ", subsequent_indent="  "
    )
    if count.newest is not None and count.newest.reject.data:
        sample, width = harmless_bytes(count.newest.reject.data), columns - len("    ")
        yield f"    {sample if len(sample) <= width else f'{sample[: width - 4]} ...'}"


def _plain(count: ReasonCount) -> dict[str, object]:
    return {
        "feed": count.feed,
        "reason": count.reason,
        "records": count.records,
        "newest_at": count.newest_at,
        "sample": None if count.newest is None else _row(count.newest),
    }


def _row(kept: KeptReject) -> dict[str, object]:
    """Return a reject as JSON; `data` is base64, since records may hold any bytes."""
    return {
        "number": kept.number,
        "feed": kept.feed,
        "source": kept.reject.source,
        "connection": kept.reject.connection,
        "rejected_at": kept.rejected_at,
        "reason": kept.reject.reason,
        "record_bytes": kept.record_bytes,
        "records": kept.records,
        "text": kept.reject.data.decode(errors="backslashreplace"),
        "data": b64encode(kept.reject.data).decode(),
    }


def _described(kept: KeptReject) -> str:
    reject = kept.reject
    sender = f" {reject.connection}" if reject.connection else ""
    head = (
        f"{kept.number} {time_text(kept.rejected_at)} feed {kept.feed} source {reject.source}"
        f"{sender}: {reject.reason}"
    )
    text = harmless_bytes(reject.data)
    if sys.stdout.isatty() and len(text) > _SHOWN_CHARACTERS:
        text = f"{text[:_SHOWN_CHARACTERS]} ... {kept.record_bytes:,} bytes"
    return f"{harmless(head)}\n    {text}"
