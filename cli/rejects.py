"""`nss rejects`: records that were rejected, and another try for them."""

import sys
from base64 import b64encode
from dataclasses import asdict
from pathlib import Path

import typer

from cli.asking import service_of
from cli.output import harmless_bytes, show_json, time_text
from cli.status import Sheet, aligned
from nss.spool import REASONS_MAX, KeptReject
from nss.wording import harmless

_SHOWN_CHARACTERS = 200


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
    """Print how many rejects there are for each reason, the newest first. Raises `NssError`."""
    with service_of(config) as service:
        reasons = service.reject_reasons(feed)
    if as_json:
        show_json([asdict(each) for each in reasons])
        return
    if not reasons:
        typer.echo("No rejects are kept.", err=True)
        return
    rows = tuple(
        (f"{each.records:,}", time_text(each.newest_at), each.feed, each.reason) for each in reasons
    )
    columns = ("records", "newest", "feed", "reason")
    typer.echo("\n".join(aligned(Sheet(columns, rows, frozenset({"records"})))))
    if len(reasons) == REASONS_MAX:
        typer.echo(f"Shown: the newest {REASONS_MAX} reasons.", err=True)


def retry(config: Path, feed: str | None) -> None:
    """Have rejects go through their feeds again. Raises `NssError`."""
    with service_of(config) as service:
        retried, cut = service.retry_rejects(feed)
    typer.echo(f"{retried:,} {'record goes' if retried == 1 else 'records go'} through again.")
    if cut:
        typer.echo(
            f"{cut:,} could not, and stay rejected: they were too long to be kept whole, or still "
            "can't be read.",
            err=True,
        )


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
