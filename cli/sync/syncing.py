"""`nss sync-unsanctioned`: what would change, and changing it."""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from cli.output import error_lines, iso_time, show_json
from cli.verdicts import verdict_lines
from nss.errors import ConfigError, NssError
from nss.https.limiter import Limiter
from nss.mcas.access import credentials_store, network_of
from nss.mcas.session import McasSession
from nss.setup.sections import read_sections
from nss.sync.assembling import SyncSetup
from nss.sync.run import Report
from nss.wording import counted, duration_text, harmless
from nss.zia import Quota

MAX_SHOWN = 20
"""URLs of a kind that are shown to people; --json has all."""

_KEYS = ("service.state_directory", "mcas", "zia", "sync")


class _Waits(logging.Handler):
    """Shows what is waited for, on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        """Show it."""
        if getattr(record, "event", "") == "sync_list_awaited":
            reason = record.__dict__["facts"]["why"]
            typer.echo(harmless(f"nss: {record.getMessage()} ({reason})"), err=True)


def sync(path: Path, *, dry_run: bool, allow_shrink: bool, as_json: bool) -> None:
    """Sync, or show what a sync would change. Raises `NssError`."""
    logging.getLogger("nss").addHandler(_Waits())  # the rest of what happens is shown below
    sessions: list[McasSession] = []
    setup = setup_of(path, sessions)
    _check_ready(setup, path)
    try:
        report = asyncio.run(_report(setup, sessions, dry_run=dry_run, allow_shrink=allow_shrink))
    except NssError as error:
        if not as_json:
            raise
        kind, destination = setup.destination()
        failed = {"outcome": "failed", "target": kind, "destination": destination}
        show_json({**failed, "dry_run": dry_run, "error": str(error.args[0]), "tip": error.tip})
        typer.echo(f"nss: {error_lines(error)}", err=True)
        raise typer.Exit(error.exit_code) from None
    if as_json:
        show_json(_plain(report, dry_run=dry_run))
    else:
        for line in _lines(report, dry_run=dry_run):
            typer.echo(harmless(line))


async def _report(
    setup: SyncSetup, sessions: Sequence[McasSession], *, dry_run: bool, allow_shrink: bool
) -> Report:
    work = await setup.sync()
    try:
        if dry_run:
            return await work.preview(allow_shrink=allow_shrink)
        return await work.run(allow_shrink=allow_shrink)
    finally:
        for session in sessions:
            await session.close()


def setup_of(path: Path, sessions: list[McasSession]) -> SyncSetup:
    """Return what a configuration file says of the sync. Raises `NssError`.

    Sessions with MCAS that it opens are added to `sessions`.
    """
    found = read_sections(path, *_KEYS, may_be_missing=True)
    folder, mcas = found.service.state_directory, found.mcas

    def session() -> McasSession:
        store, limiter = credentials_store(folder, mcas), Limiter(mcas.requests_per_minute)
        url = mcas.token_api_url
        sessions.append(McasSession(store, network_of(mcas), limiter, token_api_url=url))
        return sessions[-1]

    return SyncSetup(folder, found.sync, mcas, found.zia, session)


def _check_ready(setup: SyncSetup, path: Path) -> None:
    """Raise `ConfigError` where there is nothing to sync from or to."""
    if setup.settings.target == "off":
        raise ConfigError(
            f'sync-unsanctioned: sync.target is "off" ({path})',
            tip='set target in [sync] to "auto", "zia" or "file"',
        )
    if not setup.is_ready():
        raise ConfigError(
            f"sync-unsanctioned: there are no credentials for MCAS ({setup.state_directory})",
            tip="sudo nss configure-mcas2",
        )


def _lines(report: Report, *, dry_run: bool) -> Iterator[str]:
    run, plan = report.run, report.plan
    would = "would be " if dry_run else ""
    are = "is" if run.urls == 1 else "are"
    yield f"{run.destination}: {counted(run.urls, 'URL')} {are} unsanctioned"
    yield from _urls(f"{would}added", run.added, report.added)
    yield from _urls(f"{would}removed", run.removed, plan.remove)
    if plan.vanished:
        verb = "would be " if dry_run else "were "
        yield f"  of these, somebody had removed {len(plan.vanished):,}, which {verb}added again"
    yield from _urls("kept, because people added them", len(plan.kept), plan.kept)
    yield f"  set aside: {len(report.set_aside):,}"
    for aside in report.set_aside[:MAX_SHOWN]:
        yield f"    {aside.entry}: {aside.reason}"
    yield from _more(len(report.set_aside))
    if report.repeated or report.covered:
        yield f"  left out: {report.repeated:,} repeated, {report.covered:,} covered by others"
    if report.quota_before is not None and report.quota_after is not None:
        before, after = _quota(report.quota_before), _quota(report.quota_after)
        yield f"  quota: {before} before, {after} after"
    if plan.advice:
        yield f"  note: {plan.advice}"
    if dry_run:
        yield "Nothing was changed."
    elif plan.changes_something:
        yield f"Done in {duration_text(run.secs)}, and read back."
    else:
        yield "Nothing had to be changed."
    if report.blocking is not None:
        yield from verdict_lines(report.blocking)


def _urls(what: str, count: int, urls: Sequence[str]) -> Iterator[str]:
    yield f"  {what}: {count:,}"
    for url in urls[:MAX_SHOWN]:
        yield f"    {url}"
    yield from _more(len(urls))


def _more(count: int) -> Iterator[str]:
    if count > MAX_SHOWN:
        yield f"    and {count - MAX_SHOWN:,} more (--json has all)"


def _quota(quota: Quota) -> str:
    return f"{quota.used:,} used and {quota.remaining:,} left"


def _plain(report: Report, *, dry_run: bool) -> dict[str, Any]:
    run, plan = report.run, report.plan
    return {
        "outcome": "planned" if dry_run else run.outcome,
        "target": run.target,
        "destination": run.destination,
        "dry_run": dry_run,
        "at": iso_time(run.at),
        "secs": run.secs,
        "urls": run.urls,
        "added": report.added,
        "removed": plan.remove,
        "added_again": plan.vanished,
        "kept": plan.kept,
        "set_aside": [asdict(aside) for aside in report.set_aside],
        "repeated": report.repeated,
        "covered": report.covered,
        "quota_before": None if report.quota_before is None else asdict(report.quota_before),
        "quota_after": None if report.quota_after is None else asdict(report.quota_after),
        "advice": plan.advice,
        "blocking": None if report.blocking is None else asdict(report.blocking),
        "error": None,
        "tip": None,
    }
