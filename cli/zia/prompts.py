"""The input of `configure-zia`: by options, by the environment, and by a person."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast, get_args

import typer

from cli.dialogue import Dialogue
from cli.secrets import secret_text
from nss.answers import BadAnswer
from nss.errors import UsageError
from nss.secret import Secret
from nss.setup.zia import SECRETS, Name, ZiaDraft
from nss.zia.credentials import Method, ZiaCredentials

COMMAND = "configure-zia"
PASSPHRASE_VARIABLE = "NSS_ZIA_PASSPHRASE"  # noqa: S105 - a variable's name
VARIABLES: Mapping[str, str] = {
    "client_secret": "NSS_ZIA_CLIENT_SECRET",
    "password": "NSS_ZIA_PASSWORD",
    "api_key": "NSS_ZIA_API_KEY",
}

METHODS: Mapping[Method, str] = {
    "oneapi_secret": "OneAPI, client secret",
    "oneapi_key": "OneAPI, private key",
    "entra": "the Entra application of MCAS",
    "legacy": "API key of an administrator (legacy)",
}
LABELS: Mapping[Name, str] = {
    "client_id": "Client ID",
    "client_secret": "Client Secret",
    "token_url": "Vanity domain (acme of acme.zslogin.net) or token URL",
    "username": "User name of the API administrator",
    "password": "Password",
    "api_key": "API key",
    "scope": "Scope",
    "api_url": "Cloud (zscaler, zscalertwo, ...) or API URL",
}
_OPTIONS: Mapping[Name, str] = {
    "client_id": "client-id",
    "client_secret": f"client-secret-file (or {VARIABLES['client_secret']})",
    "token_url": "vanity-domain",
    "username": "username",
    "password": f"password-file (or {VARIABLES['password']})",
    "api_key": f"api-key-file (or {VARIABLES['api_key']})",
    "scope": "scope",
    "api_url": "cloud",
}


@dataclass(frozen=True, slots=True)
class ZiaOptions:
    """What the command line says; `None` is what it does not."""

    method: Method | None = None
    texts: Mapping[str, str | None] = field(default_factory=dict)
    """Answers by field."""
    files: Mapping[str, str | None] = field(default_factory=dict)
    """Files with secrets by field."""
    private_key: Path | None = None
    passphrase_file: str | None = None
    command: str = COMMAND
    """The command that was given them, and how their names begin there."""
    prefix: str = "--"

    def names(self, fields: Iterable[Name]) -> str:
        """Return the options of some fields, as a person would give them."""
        return ", ".join(f"{self.prefix}{_OPTIONS[name]}" for name in fields)


def draft_of(stored: ZiaCredentials | None, given: ZiaOptions) -> tuple[ZiaDraft, set[str]]:
    """Return what is known before anything is asked, and the fields that options gave.

    What is stored for the same way of signing in fills the rest. Raises `UsageError`.
    """
    secrets = {
        name: secret_text(given.command, given.files.get(name), variable)
        for name, variable in VARIABLES.items()
    }
    said = {name: text for name, text in {**given.texts, **secrets}.items() if text is not None}
    draft = ZiaDraft.of(stored, _method(stored, given, said))
    known = said.keys() & set(draft.questions)
    superfluous = sorted(name for name in given.texts if name in said and name not in known)
    if superfluous:
        names = given.names(cast("list[Name]", superfluous))
        raise UsageError(f"{given.command}: {names} does not go with {METHODS[draft.method]}")
    for name in known:
        try:
            draft.take(cast("Name", name), said[name])
        except BadAnswer as bad:
            raise UsageError(f"{given.command}: {bad.sentence}", tip=bad.tip or None) from None
    if given.private_key is not None:
        draft.private_key = given.private_key.absolute()
        phrase = secret_text(given.command, given.passphrase_file, PASSPHRASE_VARIABLE)
        draft.passphrase = None if phrase is None else Secret(phrase)
    return draft, set(known)


def _method(stored: ZiaCredentials | None, given: ZiaOptions, said: Mapping[str, str]) -> Method:
    """Return the way to sign in that options belong to; what is stored, if they don't say."""
    if given.method is not None:
        return given.method
    if given.private_key is not None:
        return "oneapi_key"
    if said.keys() & {"username", "password", "api_key"}:
        return "legacy"
    if "scope" in said:
        return "entra"
    if "client_secret" in said or stored is None:
        return "oneapi_secret"
    return stored.method


def ask_method(dialogue: Dialogue, draft: ZiaDraft) -> Method:
    """Ask a person how to sign in."""
    known: tuple[Method, ...] = get_args(Method)
    for name, text in METHODS.items():
        typer.echo(f"  {name:14} {text}")
    while (text := dialogue.ask("Sign in by", draft.method).strip()) not in known:
        typer.echo(f"  it must be one of {', '.join(known)}")
    return next(method for method in known if method == text)


def ask(dialogue: Dialogue, draft: ZiaDraft, name: Name) -> None:
    """Ask a person until the answer can be right; Enter keeps what is there."""
    kept = draft.shown(name) or draft.usual(name)
    while True:
        text = dialogue.ask(LABELS[name], kept, hidden=name in SECRETS)
        if text == kept and draft.has(name):
            return
        try:
            draft.take(name, text)
        except BadAnswer as bad:
            show_problem(bad)
        else:
            return


def ask_key(dialogue: Dialogue, draft: ZiaDraft) -> None:
    """Ask for the file with the private key, and its passphrase."""
    before = draft.private_key
    kept = "" if before is None else str(before)
    while True:
        try:
            draft.take_key(dialogue.ask("Private key, a PEM file", kept))
        except BadAnswer as bad:
            show_problem(bad)
        else:
            break
    if draft.private_key == before:
        return
    phrase = dialogue.ask("Passphrase of the key (Enter: none)", hidden=True)
    draft.passphrase = Secret(phrase) if phrase else None


def show_problem(bad: BadAnswer) -> None:
    """Show what is wrong with an answer."""
    typer.echo(f"  {bad.sentence}" + (f"\n  Try: {bad.tip}" if bad.tip else ""))
