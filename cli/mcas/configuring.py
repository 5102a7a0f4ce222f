"""`nss configure-mcas2`: ask, test, store."""

import asyncio
import sys
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

import typer

from cli.dialogue import Dialogue
from cli.mcas.prompts import (
    LABELS,
    OPTIONS,
    CredentialOptions,
    ask,
    ask_method,
    draft_of,
    show_problem,
)
from cli.mcas.showing import show_checks, stored_lines
from cli.output import error_lines, show_json
from nss.answers import BadAnswer
from nss.config.stored import StoredError
from nss.errors import UsageError
from nss.mcas import McasError
from nss.mcas.connection_test import Check, ConnectionReport
from nss.mcas.credentials import McasCredentials
from nss.mcas.fields import region_advice
from nss.setup.mcas import CredentialsDraft, McasSetup, Name, mcas_setup


def configure(
    path: Path, given: CredentialOptions, *, skip_test: bool, as_json: bool, ask_nobody: bool
) -> int:
    """Collect the answers, test them and store what passed; return the exit code."""
    setup = mcas_setup(path)
    setup.store.check_writable()
    try:
        stored = setup.store.load()
    except StoredError as error:  # damaged: it is replaced
        typer.echo(f"nss: {error_lines(error)}", err=True)
        stored = None
    is_person = sys.stdin.isatty() and not ask_nobody and not as_json
    draft, taken = draft_of(stored, given)
    with Dialogue() if is_person else nullcontext() as dialogue:
        if dialogue is not None:
            _interview(dialogue, draft, stored, taken, setup)
        else:
            _complete(draft)
            _warn(draft)
        return _finish(setup, draft, dialogue, skip_test=skip_test, as_json=as_json)


def _finish(
    setup: McasSetup,
    draft: CredentialsDraft,
    dialogue: Dialogue | None,
    *,
    skip_test: bool,
    as_json: bool,
) -> int:
    setup.store.check_files(draft.credentials())
    if skip_test:
        _store(setup, draft.credentials(), None, as_json=as_json)
        return 0
    return _test_and_store(setup, draft, dialogue, as_json=as_json)


def _interview(
    dialogue: Dialogue,
    draft: CredentialsDraft,
    stored: McasCredentials | None,
    taken: set[str],
    setup: McasSetup,
) -> None:
    typer.echo("Microsoft Defender for Cloud Apps, with OAuth 2.0")
    if stored is None:
        typer.echo(f"Nothing is stored yet ({setup.store.origin}).")
    else:
        typer.echo(f"Stored now ({setup.store.origin}):")
        for line in stored_lines(stored):
            typer.echo(f"  {line}")
        typer.echo("Enter keeps what is in brackets.")
        if stored.method != "secret" and draft.method == stored.method:
            ask_method(dialogue, draft)
    for name in draft.questions:
        if name not in taken:
            ask(dialogue, draft, name)
    _settle(dialogue, draft, "authentication_url", "api_url")


def _settle(dialogue: Dialogue, draft: CredentialsDraft, *names: Name) -> None:
    """Ask for fields again until all of them go together."""
    while (problem := _disagreement(draft)) is not None:
        show_problem(problem)
        for name in names:
            ask(dialogue, draft, name)


def _complete(draft: CredentialsDraft) -> None:
    """See that nothing has to be asked. Raises `UsageError`."""
    if not draft.has("scope"):
        draft.take("scope", "")
    if missing := draft.missing:
        raise UsageError(
            f"configure-mcas2: missing: {', '.join(LABELS[name] for name in missing)}",
            tip=f"give {', '.join(OPTIONS[name] for name in missing)}, or run it at a terminal",
        )
    problem = _disagreement(draft)
    if problem is not None:
        raise UsageError(f"configure-mcas2: {problem.sentence}", tip=problem.tip)


def _warn(draft: CredentialsDraft) -> None:
    """Report what nobody is asked about, and may be wrong."""
    advice = region_advice(draft.values["api_url"])
    if advice is not None:
        typer.echo(f"nss: {advice.sentence}\nTry: {advice.tip}", err=True)


def _disagreement(draft: CredentialsDraft) -> BadAnswer | None:
    try:
        draft.check()
    except BadAnswer as bad:
        return bad
    return None


def _test_and_store(
    setup: McasSetup, draft: CredentialsDraft, dialogue: Dialogue | None, *, as_json: bool
) -> int:
    while True:
        credentials = draft.credentials()
        if not as_json:
            typer.echo("Testing ...")
        report = asyncio.run(setup.test(credentials))
        if not as_json:
            show_checks(report, "  ")
        if report.failed is None:
            _store(setup, credentials, report, as_json=as_json)
            return 0
        if dialogue is None:
            if as_json:
                _print_json(report, stored=False)
            else:
                typer.echo("nss: nothing was stored", err=True)
            return McasError.exit_code
        if not _corrected(dialogue, draft, report.failed):
            typer.echo("Nothing was stored.")
            return McasError.exit_code


def _corrected(dialogue: Dialogue, draft: CredentialsDraft, failed: Check) -> bool:
    """Have a person correct what is wrong; return `False` if they don't want to."""
    name = next((name for name in draft.questions if name == failed.field), None)
    if name is None:
        return dialogue.confirm("Test again?")
    if not dialogue.confirm(f"Correct the {LABELS[name]} and test again?"):
        return False
    ask(dialogue, draft, name)
    _settle(dialogue, draft, name)
    return True


def _store(
    setup: McasSetup,
    credentials: McasCredentials,
    report: ConnectionReport | None,
    *,
    as_json: bool,
) -> None:
    """Store credentials that passed the test of `report`, or were not tested."""
    removed_token = setup.keep(credentials, is_tested=report is not None)
    if as_json:
        _print_json(report, stored=True)
        return
    typer.echo(f"Stored in {setup.store.path}." + ("" if report else " It was NOT tested."))
    if removed_token:
        typer.echo("The legacy token was removed: OAuth 2.0 takes its place.")
    typer.echo("A running service uses it from now on, without a restart.")
    if report is None and setup.store.token_path.exists():
        typer.echo("The legacy token stays, and is not used while these credentials are stored.")
    if not setup.has_upload:
        typer.echo(
            'No feed uploads yet: add one with sink kind "cloud_discovery" (docs/mcas.md), then '
            "nss reload."
        )


def _print_json(report: ConnectionReport | None, *, stored: bool) -> None:
    steps = [] if report is None else [asdict(check) for check in report.steps]
    show_json({"stored": stored, "tested": report is not None, "steps": steps})
