"""`nss rejects retry` and `nss rejects discard`: what becomes of records that were rejected."""

import sys
from dataclasses import asdict
from pathlib import Path

import typer

from cli.asking import service_of
from cli.output import show_json
from cli.rejects.showing import group_lines
from nss.admin.operations import RetriedRejects
from nss.errors import UsageError
from nss.spool import REASONS_MAX, ReasonCount
from nss.wording import harmless

WAIT_SECS = 10.0
"""How long a retry waits for what becomes of the records."""


def retry(config: Path, feed: str | None, *, as_json: bool) -> int:
    """Have rejects go through their feeds again, and show what became of them. Raises `NssError`.

    The exit code is 0 when all were delivered or filtered out, else 1.
    """
    with service_of(config) as service:
        retried = service.retry_rejects(feed, WAIT_SECS)
    if as_json:
        show_json(asdict(retried))
    else:
        _show(retried)
    return 0 if retried.is_good else 1


def _show(retried: RetriedRejects) -> None:
    if not retried.records and not retried.stay:
        typer.echo("No rejects are kept.", err=True)
        return
    goes = "record went" if retried.records == 1 else "records went"
    typer.echo(f"{retried.records:,} {goes} through again:")
    listed = sum(retried.rejected.values())
    rows = [
        (retried.delivered, "delivered"),
        (retried.filtered, "filtered out: the filter of the feed does not want them"),
        *((number, f"rejected again: {reason}") for reason, number in retried.rejected.items()),
        (retried.rejected_records - listed, "rejected again, for other reasons"),
        (retried.waiting, "still pending: nss status shows why"),
        (retried.unclear, "went through unseen: dropped, or the feed was restarted meanwhile"),
    ]
    shown = [(f"{number:,}", text) for number, text in rows if number > 0]
    width = max((len(number) for number, _ in shown), default=0)
    for number, text in shown:
        typer.echo(harmless(f"  {number:>{width}} {text}"))
    if retried.stay:
        typer.echo(
            f"{retried.stay:,} could not, and stay rejected: they were too long to be kept whole, "
            "or still can't be read.",
            err=True,
        )


def discard(config: Path, feed: str | None, reason: str, *, yes: bool, as_json: bool) -> int:
    """Delete kept rejects, all or those whose reason contains a text. Raises `NssError`.

    Asks, unless `yes`; what comes in the meantime stays. The exit code is 1 when nothing was to
    be deleted, or somebody said no.
    """
    with service_of(config) as service:
        groups = [each for each in service.reject_reasons(feed) if reason in each.reason]
        if not groups:
            typer.echo("No such rejects are kept.", err=True)
        if not groups or not (yes or _agreed(groups)):
            return 1
        newest = max(each.newest.number for each in groups if each.newest is not None)
        if reason:
            discarded = sum(service.discard_rejects(g.feed, g.reason, newest) for g in groups)
        else:
            discarded = service.discard_rejects(feed, None, newest)
    if as_json:
        show_json({"discarded": discarded})
    else:
        what = "1 rejected record is" if discarded == 1 else f"{discarded:,} rejected records are"
        typer.echo(f"{what} deleted; they stay counted as rejected.")
    return 0


def _agreed(groups: list[ReasonCount]) -> bool:
    """Return whether somebody agrees to delete what is shown. Raises `UsageError` without one."""
    if not sys.stdin.isatty():
        raise UsageError("rejects: nobody to ask", tip="give --yes")
    for each in groups:
        typer.echo("\n".join(group_lines(each)))
    number = sum(each.records for each in groups)
    more = " and more" if len(groups) == REASONS_MAX else ""
    return typer.confirm(f"Delete these {number:,} records{more} for good?")
