"""`nss verify-mcas2`: whether logs arrive, and whether unsanctioned apps come back."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import typer

from cli.asking import status_if_running
from cli.mcas.showing import expiry_lines, plain_expiries
from cli.output import iso_time, show_checks, show_json, time_text
from cli.sync.syncing import setup_of
from cli.uploading import resume_uploads
from nss.checks import Check, first_failed
from nss.errors import ConfigError
from nss.mcas.connection_test import ConnectionReport
from nss.mcas.parse_results import ParseSummary
from nss.mcas.session import McasSession
from nss.setup.mcas import UPLOAD, McasSetup, mcas_setup
from nss.sync.way_back import WayBack, examine
from nss.wording import duration_text, harmless

MAX_SHOWN = 5
"""How many parse errors are shown; JSON has all of them."""


def verify_both_ways(path: Path, *, as_json: bool) -> int:
    """Verify, and show the result; the exit code is 0 when all is right, else 1.

    When all is right with uploads, a running service tries those that it holds.
    """
    setup = mcas_setup(path)
    found = asyncio.run(_verified(setup, path))
    if found is None:
        raise ConfigError(
            f"verify-mcas2: there are no credentials ({setup.store.origin})",
            tip="sudo nss configure-mcas2",
        )
    report, way_back = found
    if as_json:
        show_json(_plain(report, way_back))
    else:
        _show(report, setup.data_source)
    if report.failed is None:
        for feed in resume_uploads(path):
            typer.echo(f"Uploads of feed {feed} are tried again now.", err=True)
    return 0 if first_failed(report.all_checks) is None else 1


async def _verified(setup: McasSetup, path: Path) -> tuple[ConnectionReport, WayBack] | None:
    """Return what was found, `None` when nothing is stored. Raises `NssError`."""
    sessions: list[McasSession] = []
    sync = setup_of(path, sessions)
    found: list[WayBack] = []

    async def examined(report: ConnectionReport) -> list[Check]:
        if setup.has_upload:
            report.steps.append(await asyncio.to_thread(_service, path, setup.feeds))
        answers = any(check.name == "API" and check.ok for check in report.steps)
        found.append(await examine(sync, asks_mcas=answers, time_text=time_text))
        return found[0].checks

    try:
        report = await setup.verify(examined)
    finally:
        for session in sessions:
            await session.close()
    return None if report is None else (report, found[0])


def _service(path: Path, feeds: Sequence[str]) -> Check:
    """Return whether the service has the feeds that upload by the configuration."""
    status = status_if_running(path)
    if status is None:
        sentence = "the service does not answer: while it is stopped nothing is uploaded"
        return Check("service", ok=True, sentence=sentence, tip="sudo nss start", warns=True)
    there = {feed.name for feed in status.feeds if feed.kind == UPLOAD}
    if missing := [name for name in feeds if name not in there]:
        sentence = f"the running service has no feed {', '.join(missing)}: the file has changed"
        return Check("service", ok=False, sentence=sentence, tip="sudo nss reload")
    return Check("service", ok=True, sentence="it runs, with all feeds that upload")


def _show(report: ConnectionReport, data_source: str) -> None:
    show_checks(report.steps)
    if report.expires_at is not None:
        left = duration_text(report.expires_at - time.time())
        typer.echo(f"      token type {report.token_type}, expires in {left}")
        for line in expiry_lines(report.expiries):
            typer.echo(f"      {line}")
        typer.echo(f"      roles: {harmless(', '.join(report.roles)) or 'none'}")
    if report.stream is not None:
        last = report.stream.last_received
        typer.echo(
            f'      data source "{data_source}": last data received '
            f"{harmless(last) if last else 'never'}, files failed {report.stream.failed_files}"
        )
    for failure in (report.failures or ())[:MAX_SHOWN]:
        file = "" if failure.file is None else f" {failure.file}"
        text = f"parse error {time_text(failure.at)}{file}: {failure.text}"
        typer.echo(f"      {harmless(text)}\n        Try: {harmless(failure.remedy)}")
    if report.unreadable is not None:
        typer.echo(f"      parse results can't be read: {harmless(report.unreadable)}")
        typer.echo("        So nothing is known of whether Cloud Discovery could use the files.")
    elif report.parsing is not None:
        typer.echo(f"      {_results(report.parsing)}")
    show_checks(report.way_back)


def _results(found: ParseSummary) -> str:
    """Return what became of uploaded files, on one line."""
    if not (found.parsed or found.failed or found.pending or found.overdue):
        return "parse results: no upload from this machine is known"
    last = "" if found.last_parsed_at is None else f", the last {time_text(found.last_parsed_at)}"
    overdue = f", {found.overdue:,} without a result after two days" if found.overdue else ""
    return (
        f"parse results: {found.parsed:,} parsed{last}, {found.failed:,} failed, "
        f"{found.pending:,} pending{overdue}"
    )


def _plain(report: ConnectionReport, way_back: WayBack) -> dict[str, object]:
    return {
        "ok": first_failed(report.all_checks) is None,
        "steps": [asdict(check) for check in report.all_checks],
        "token_type": report.token_type,
        "token_expires_at": iso_time(report.expires_at),
        "roles": list(report.roles),
        "expiries": plain_expiries(report.expiries),
        "data_source": None if report.stream is None else asdict(report.stream),
        "parse_failures": None
        if report.failures is None
        else [asdict(failure) for failure in report.failures],
        "parse_results": None if report.parsing is None else asdict(report.parsing),
        "parse_results_unreadable": report.unreadable,
        "way_back": _plain_way_back(way_back),
    }


def _plain_way_back(found: WayBack) -> dict[str, object]:
    last = found.last
    return {
        "target": found.target,
        "destination": found.destination,
        "urls": found.urls,
        "last_sync": None if last is None else {**asdict(last), "at": iso_time(last.at)},
        "last_success_at": iso_time(found.last_success_at),
        "blocked": found.is_blocked,
    }
