"""`nss configure-mcas2`: ask, test, store."""

import asyncio
import sys
from contextlib import nullcontext
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
from cli.mcas.showing import stored_lines
from cli.output import Configured, error_lines, show_checks, show_json
from cli.zia.configuring import ZiaConfiguring
from cli.zia.prompts import ZiaOptions
from nss.answers import BadAnswer
from nss.checks import Check
from nss.config.stored import StoredError
from nss.errors import UsageError
from nss.mcas import McasError
from nss.mcas.connection_test import ConnectionReport
from nss.mcas.credentials import McasCredentials
from nss.mcas.fields import region_advice
from nss.setup.mcas import CredentialsDraft, McasSetup, Name, mcas_setup


def configure(
    path: Path,
    given: CredentialOptions,
    zia: ZiaOptions | None,
    *,
    skip_test: bool,
    as_json: bool,
    ask_nobody: bool,
) -> int:
    """Collect the answers, test them and store what passed; return the exit code.

    With `zia` the same comes for ZIA then, with the application that is stored by now.
    """
    setup = mcas_setup(path)
    setup.store.check_writable()
    try:
        stored = setup.store.load()
    except StoredError as error:  # damaged: it is replaced
        typer.echo(f"nss: {error_lines(error)}", err=True)
        stored = None
    is_person = sys.stdin.isatty() and not ask_nobody and not as_json
    draft, taken = draft_of(stored, given)
    second = None if zia is None else ZiaConfiguring(path, zia, as_json=as_json)
    with Dialogue() if is_person else nullcontext() as dialogue:
        if dialogue is not None:
            _interview(dialogue, draft, stored, taken, setup)
        else:
            _complete(draft)
            if second is not None:
                second.complete()
            _warn(draft)
        setup.store.check_files(draft.credentials())
        done = _finish(setup, draft, dialogue, skip_test=skip_test, as_json=as_json)
        zia_done = None if second is None else Configured(stored=False)
        try:
            if second is not None and done.stored:
                zia_done = _second_half(second, dialogue, skip_test=skip_test)
        finally:  # also when it is interrupted: MCAS is stored
            _show_end(done, zia_done, is_person=is_person, as_json=as_json)
    are_stored = done.stored and (zia_done is None or zia_done.stored)
    return 0 if are_stored else McasError.exit_code


def _second_half(
    second: ZiaConfiguring, dialogue: Dialogue | None, *, skip_test: bool
) -> Configured:
    if dialogue is not None:
        second.interview(dialogue)
    return second.finish(dialogue, skip_test=skip_test)


def _show_end(mcas: Configured, zia: Configured | None, *, is_person: bool, as_json: bool) -> None:
    """Show what is stored and what is not; `zia` is `None` where it is not wanted."""
    if as_json:
        show_json(mcas.plain() if zia is None else {**mcas.plain(), "zia": zia.plain()})
        return
    if not mcas.stored:
        problem, tip = "nothing was stored", ""
    elif zia is not None and not zia.stored:
        problem = "nothing was stored for ZIA; what was stored for MCAS stays"
        tip = "\nTry: sudo nss configure-zia --method entra"
    else:
        return
    if is_person:
        typer.echo(f"{problem[0].upper()}{problem[1:]}.{tip}")
    else:
        typer.echo(f"nss: {problem}{tip}", err=True)


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


def _finish(
    setup: McasSetup,
    draft: CredentialsDraft,
    dialogue: Dialogue | None,
    *,
    skip_test: bool,
    as_json: bool,
) -> Configured:
    """Test and store; with a dialogue, until the test passes or a person gives up."""
    if skip_test:
        return _store(setup, draft.credentials(), None, as_json=as_json)
    while True:
        credentials = draft.credentials()
        if not as_json:
            typer.echo("Testing ...")
        report = asyncio.run(setup.test(credentials))
        if not as_json:
            show_checks(report.steps, "  ")
        if report.failed is None:
            return _store(setup, credentials, report, as_json=as_json)
        if dialogue is None or not _corrected(dialogue, draft, report.failed):
            return Configured(stored=False, checks=report.steps)


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
) -> Configured:
    """Store credentials that passed the test of `report`, or were not tested."""
    removed_token = setup.keep(credentials, is_tested=report is not None)
    if not as_json:
        _show_stored(setup, is_tested=report is not None, removed_token=removed_token)
    return Configured(stored=True, checks=None if report is None else report.steps)


def _show_stored(setup: McasSetup, *, is_tested: bool, removed_token: bool) -> None:
    typer.echo(f"Stored in {setup.store.path}." + ("" if is_tested else " It was NOT tested."))
    if removed_token:
        typer.echo("The legacy token was removed: OAuth 2.0 takes its place.")
    typer.echo("A running service uses it from now on, without a restart.")
    if not is_tested and setup.store.token_path.exists():
        typer.echo("The legacy token stays, and is not used while these credentials are stored.")
    if not setup.has_upload:
        typer.echo(
            "No feed uploads yet. Next: sudo nss configure adds one, then sudo nss start, or sudo "
            "nss reload if it runs."
        )
