"""`nss configure-mcas2`: ask, test, store."""

import asyncio
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import orjson
import typer

from cli.asking import harmless
from cli.mcas.answers import (
    LABELS,
    OPTIONS,
    Answers,
    Given,
    Name,
    ask,
    ask_method,
    stored_answers,
    take_given,
)
from cli.mcas.showing import stored_lines
from nss.errors import UsageError
from nss.mcas import McasError
from nss.mcas.connection_test import Report, Step, try_out
from nss.mcas.credentials import CredentialsError, McasCredentials
from nss.mcas.fields import BadAnswer
from nss.setup.mcas import Place, place_of

ACTION = "configure-mcas2"


def configure(path: Path, given: Given, *, skip_test: bool, as_json: bool, ask_nobody: bool) -> int:
    """Collect the answers, test them and store what passed; return the exit code."""
    place = place_of(path)
    place.store.check_writable()
    try:
        stored = place.store.load()
    except CredentialsError as error:  # damaged: it is replaced
        typer.echo(f"nss: {error}", err=True)
        stored = None
    is_person = sys.stdin.isatty() and not ask_nobody and not as_json
    found = stored_answers(stored, given)
    taken = take_given(found, given)
    if is_person:
        _interview(found, stored, taken, place)
    else:
        _complete(found)
    if skip_test:
        _store(place, found.credentials(), is_tested=False, as_json=as_json)
        return 0
    return _test_and_store(place, found, is_person=is_person, as_json=as_json)


def _interview(
    found: Answers, stored: McasCredentials | None, taken: set[str], place: Place
) -> None:
    typer.echo("Microsoft Defender for Cloud Apps, with OAuth 2.0")
    if stored is None:
        typer.echo(f"Nothing is stored yet ({place.store.origin}).")
    else:
        typer.echo(f"Stored now ({place.store.origin}):")
        for line in stored_lines(stored):
            typer.echo(f"  {line}")
        typer.echo("Enter keeps what is in brackets.")
        if stored.method != "secret" and found.method == stored.method:
            ask_method(found)
    for name in found.questions:
        if name not in taken:
            ask(found, name)
    while (problem := _disagreement(found)) is not None:
        typer.echo(f"  {problem.sentence}\n  Try: {problem.tip}")
        ask(found, "authentication_url")
        ask(found, "api_url")


def _complete(found: Answers) -> None:
    """See that nothing has to be asked. Raises `UsageError`."""
    if not found.has("scope"):
        found.take("scope", "")
    missing = [name for name in found.questions if not found.has(name)]
    if missing:
        raise UsageError(
            f"{ACTION}: missing: {', '.join(LABELS[name] for name in missing)}",
            tip=f"give {', '.join(OPTIONS[name] for name in missing)}, or run it at a terminal",
        )
    problem = _disagreement(found)
    if problem is not None:
        raise UsageError(f"{ACTION}: {problem.sentence}", tip=problem.tip)


def _disagreement(found: Answers) -> BadAnswer | None:
    try:
        found.check()
    except BadAnswer as bad:
        return bad
    return None


def _test_and_store(place: Place, found: Answers, *, is_person: bool, as_json: bool) -> int:
    while True:
        credentials = found.credentials()
        if not as_json:
            typer.echo("Testing ...")
        report = asyncio.run(
            try_out(credentials, place.network, place.mcas.data_source, place.limiter)
        )
        failed = report.failed
        _audit_trial(place, credentials, failed)
        if not as_json:
            _show_steps(report)
        if failed is None:
            _store(place, credentials, is_tested=True, as_json=as_json, report=report)
            return 0
        if not is_person:
            if as_json:
                _print_json(stored=False, report=report)
            else:
                typer.echo("nss: nothing was stored", err=True)
            return McasError.exit_code
        if not _corrected(found, failed):
            typer.echo("Nothing was stored.")
            return McasError.exit_code


def _corrected(found: Answers, failed: Step) -> bool:
    """Have a person correct what is wrong; return `False` if they don't want to."""
    name = next((one for one in found.questions if one == failed.field), None)
    if name is None:
        return typer.confirm("Test again?", default=True)
    if not typer.confirm(f"Correct the {LABELS[name]} and test again?", default=True):
        return False
    _ask_anew(found, name)
    return True


def _ask_anew(found: Answers, name: Name) -> None:
    ask(found, name)
    while (problem := _disagreement(found)) is not None:
        typer.echo(f"  {problem.sentence}\n  Try: {problem.tip}")
        ask(found, name)


def _show_steps(report: Report) -> None:
    for step in report.steps:
        typer.echo(f"  {'ok   ' if step.ok else 'wrong'} {step.name}: {harmless(step.sentence)}")
        if step.tip and not step.ok:
            typer.echo(f"        Try: {harmless(step.tip)}")


def _audit_trial(place: Place, credentials: McasCredentials, failed: Step | None) -> None:
    place.audit.write(
        ACTION,
        "passed" if failed is None else "failed",
        "" if failed is None else failed.sentence,
        code=None if failed is None else failed.code,
        field=None if failed is None else failed.field,
        client_id=credentials.client_id,
        api_url=credentials.api_url,
    )


def _store(
    place: Place,
    credentials: McasCredentials,
    *,
    is_tested: bool,
    as_json: bool,
    report: Report | None = None,
) -> None:
    stored = replace(credentials, tested_at=time.time() if is_tested else None)
    path = place.store.save(stored)
    place.audit.write(ACTION, "stored" if is_tested else "stored untested", path=str(path))
    was_legacy = is_tested and place.store.remove_token()
    if was_legacy:
        place.audit.write(ACTION, "legacy token removed")
    if as_json:
        _print_json(stored=True, report=report)
        return
    typer.echo(f"Stored in {path}." + ("" if is_tested else " It was NOT tested."))
    if was_legacy:
        typer.echo("The legacy token was removed: OAuth 2.0 takes its place.")
    typer.echo("A running service uses it from now on, without a restart.")
    if not is_tested and place.store.token_path.exists():
        typer.echo("The legacy token stays, and is not used while these credentials are stored.")
    if not place.has_upload:
        typer.echo(
            'No feed uploads yet: add one with sink kind "cloud_discovery" (docs/mcas.md), then '
            "nss reload."
        )


def _print_json(*, stored: bool, report: Report | None) -> None:
    steps = [] if report is None else [asdict(step) for step in report.steps]
    told = {"stored": stored, "tested": report is not None, "steps": steps}
    typer.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())
