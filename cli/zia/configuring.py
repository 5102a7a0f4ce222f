"""`nss configure-zia`: ask, test, store."""

import asyncio
import sys
from contextlib import nullcontext
from pathlib import Path

import typer

from cli.dialogue import Dialogue
from cli.output import Configured, error_lines, show_checks, show_json
from cli.sync.syncing import setup_of
from cli.zia.prompts import LABELS, ZiaOptions, ask, ask_key, ask_method, draft_of
from cli.zia.showing import stored_lines, with_zia
from nss.answers import BadAnswer
from nss.checks import Check
from nss.config.stored import StoredError
from nss.errors import UsageError
from nss.setup.zia import ZiaDraft, ZiaReport, zia_setup
from nss.zia import ZiaError
from nss.zia.credentials import ZiaCredentials


def configure(
    path: Path, given: ZiaOptions, *, skip_test: bool, as_json: bool, ask_nobody: bool
) -> int:
    """Collect the answers, test them and store what passed; return the exit code."""
    work = ZiaConfiguring(path, given, as_json=as_json)
    is_person = sys.stdin.isatty() and not ask_nobody and not as_json
    with Dialogue() if is_person else nullcontext() as dialogue:
        if dialogue is None:
            work.complete()
        else:
            work.interview(dialogue)
        done = work.finish(dialogue, skip_test=skip_test)
    if as_json:
        show_json(done.plain())
    elif not done.stored and is_person:
        typer.echo("Nothing was stored.")
    elif not done.stored:
        typer.echo("nss: nothing was stored", err=True)
    return 0 if done.stored else ZiaError.exit_code


class ZiaConfiguring:
    """The way of credentials from options and answers into the store.

    `interview` or `complete` comes first, `finish` last. Raises `NssError` for what can't be
    stored here and for options that make no sense.
    """

    def __init__(self, path: Path, given: ZiaOptions, *, as_json: bool) -> None:
        self._setup = setup = zia_setup(path)
        self._sync = setup_of(path, [])
        self._given = given
        self._as_json = as_json
        setup.store.file.check_writable()
        self._stored: ZiaCredentials | None = None
        try:
            self._stored = setup.store.load()
        except StoredError as error:  # damaged: it is replaced
            typer.echo(f"nss: {error_lines(error)}", err=True)
        self._draft, self._taken = draft_of(self._stored, given)

    def interview(self, dialogue: Dialogue) -> None:
        """Ask a person for what options have not given."""
        typer.echo("Zscaler Internet Access, for the URL category of unsanctioned apps")
        stored, origin = self._stored, self._setup.store.file.origin
        if stored is None:
            typer.echo(f"Nothing is stored yet ({origin}).")
        else:
            typer.echo(f"Stored now ({origin}):")
            for line in stored_lines(stored):
                typer.echo(f"  {line}")
            typer.echo("Enter keeps what is in brackets.")
        gives_key = self._given.private_key is not None
        if self._given.method is None and not self._taken and not gives_key:
            method = ask_method(dialogue, self._draft)
            if method != self._draft.method:
                self._draft = ZiaDraft.of(stored, method)
        for name in self._draft.questions:
            if name not in self._taken:
                ask(dialogue, self._draft, name)
        if self._draft.method == "oneapi_key" and not gives_key:
            ask_key(dialogue, self._draft)

    def complete(self) -> None:
        """See that nothing has to be asked. Raises `UsageError`."""
        draft, given = self._draft, self._given
        for name in draft.questions:
            if not draft.has(name) and draft.usual(name):
                draft.take(name, draft.usual(name))
        missing = [name for name in draft.questions if not draft.has(name)]
        if missing:
            raise UsageError(
                f"{given.command}: missing: {', '.join(LABELS[name] for name in missing)}",
                tip=f"give {given.names(missing)}, or run it at a terminal",
            )
        try:
            key = draft.credentials().private_key
        except BadAnswer as bad:
            raise UsageError(f"{given.command}: {bad.sentence}", tip="give --private-key") from None
        if key is not None and key.exists():  # or the test reports it, and it can be corrected
            self._setup.store.file.check_readable("private key", key)

    def finish(self, dialogue: Dialogue | None, *, skip_test: bool) -> Configured:
        """Test and store; with a dialogue, until the test passes or a person gives up."""
        if skip_test:
            return self._store(None)
        while True:
            if not self._as_json:
                typer.echo("Testing ...")
            report = asyncio.run(self._setup.test(self._draft.credentials()))
            if not self._as_json:
                show_checks(report.steps, "  ")
            if report.failed is None:
                return self._store(report)
            if dialogue is None or not _corrected(dialogue, self._draft, report.failed):
                return Configured(stored=False, checks=report.steps)

    def _store(self, report: ZiaReport | None) -> Configured:
        """Store credentials that passed the test of `report`, or were not tested."""
        path = self._setup.keep(self._draft.credentials(), is_tested=report is not None)
        if not self._as_json:
            typer.echo(f"Stored in {path}." + ("" if report else " It was NOT tested."))
            typer.echo(with_zia(self._sync))
        return Configured(stored=True, checks=None if report is None else report.steps)


def _corrected(dialogue: Dialogue, draft: ZiaDraft, failed: Check) -> bool:
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
