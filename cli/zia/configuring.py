"""`nss configure-zia`: ask, test, store."""

import asyncio
import sys
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

import typer

from cli.dialogue import Dialogue
from cli.output import error_lines, show_json
from cli.zia.prompts import (
    COMMAND,
    LABELS,
    OPTIONS,
    ZiaOptions,
    ask,
    ask_key,
    ask_method,
    draft_of,
)
from cli.zia.showing import show_checks, stored_lines
from nss.answers import BadAnswer
from nss.config.stored import StoredError
from nss.errors import UsageError
from nss.setup.zia import ZiaCheck, ZiaDraft, ZiaReport, ZiaSetup, zia_setup
from nss.zia import ZiaError
from nss.zia.credentials import ZiaCredentials


def configure(
    path: Path, given: ZiaOptions, *, skip_test: bool, as_json: bool, ask_nobody: bool
) -> int:
    """Collect the answers, test them and store what passed; return the exit code."""
    setup = zia_setup(path)
    setup.store.file.check_writable()
    try:
        stored = setup.store.load()
    except StoredError as error:  # damaged: it is replaced
        typer.echo(f"nss: {error_lines(error)}", err=True)
        stored = None
    is_person = sys.stdin.isatty() and not ask_nobody and not as_json
    draft, taken = draft_of(stored, given)
    with Dialogue() if is_person else nullcontext() as dialogue:
        if dialogue is not None:
            draft = _interview(dialogue, draft, stored, taken, given, setup)
        credentials = _complete(draft)
        if skip_test:
            _store(setup, credentials, None, as_json=as_json)
            return 0
        return _test_and_store(setup, draft, dialogue, as_json=as_json)


def _interview(
    dialogue: Dialogue,
    draft: ZiaDraft,
    stored: ZiaCredentials | None,
    taken: set[str],
    given: ZiaOptions,
    setup: ZiaSetup,
) -> ZiaDraft:
    typer.echo("Zscaler Internet Access, for the URL category of unsanctioned apps")
    if stored is None:
        typer.echo(f"Nothing is stored yet ({setup.store.file.origin}).")
    else:
        typer.echo(f"Stored now ({setup.store.file.origin}):")
        for line in stored_lines(stored):
            typer.echo(f"  {line}")
        typer.echo("Enter keeps what is in brackets.")
    gives_key = given.private_key is not None
    if given.method is None and not taken and not gives_key:
        method = ask_method(dialogue, draft)
        if method != draft.method:
            draft = ZiaDraft.of(stored, method)
    for name in draft.questions:
        if name not in taken:
            ask(dialogue, draft, name)
    if draft.method == "oneapi_key" and not gives_key:
        ask_key(dialogue, draft)
    return draft


def _complete(draft: ZiaDraft) -> ZiaCredentials:
    """Return the credentials, if nothing has to be asked. Raises `UsageError`."""
    for name in draft.questions:
        if not draft.has(name) and draft.usual(name):
            draft.take(name, draft.usual(name))
    missing = [name for name in draft.questions if not draft.has(name)]
    if missing:
        raise UsageError(
            f"{COMMAND}: missing: {', '.join(LABELS[name] for name in missing)}",
            tip=f"give {', '.join(OPTIONS[name] for name in missing)}, or run it at a terminal",
        )
    try:
        return draft.credentials()
    except BadAnswer as bad:
        raise UsageError(f"{COMMAND}: {bad.sentence}", tip="give --private-key") from None


def _test_and_store(
    setup: ZiaSetup, draft: ZiaDraft, dialogue: Dialogue | None, *, as_json: bool
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
            return ZiaError.exit_code
        if not _corrected(dialogue, draft, report.failed):
            typer.echo("Nothing was stored.")
            return ZiaError.exit_code


def _corrected(dialogue: Dialogue, draft: ZiaDraft, failed: ZiaCheck) -> bool:
    """Have a person correct what is wrong; return `False` if they don't want to."""
    if failed.field == "private_key":
        if not dialogue.confirm("Correct the private key and test again?"):
            return False
        ask_key(dialogue, draft)
        return True
    name = next((name for name in draft.questions if name == failed.field), None)
    if name is None:
        return dialogue.confirm("Test again?")
    if not dialogue.confirm(f"Correct the {LABELS[name]} and test again?"):
        return False
    ask(dialogue, draft, name)
    return True


def _store(
    setup: ZiaSetup, credentials: ZiaCredentials, report: ZiaReport | None, *, as_json: bool
) -> None:
    """Store credentials that passed the test of `report`, or were not tested."""
    path = setup.keep(credentials, is_tested=report is not None)
    if as_json:
        _print_json(report, stored=True)
        return
    typer.echo(f"Stored in {path}." + ("" if report else " It was NOT tested."))
    typer.echo("A running service uses it from now on, and begins with a sync.")


def _print_json(report: ZiaReport | None, *, stored: bool) -> None:
    steps = [] if report is None else [asdict(check) for check in report.steps]
    show_json({"stored": stored, "tested": report is not None, "steps": steps})
