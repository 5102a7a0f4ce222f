"""The input of `configure-mcas2`: by options, by the environment, and by a person."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import typer

from cli.dialogue import Dialogue
from cli.secrets import secret_text
from cli.zia.prompts import ZiaOptions
from nss.answers import BadAnswer
from nss.errors import UsageError
from nss.mcas import fields
from nss.mcas.credentials import McasCredentials, Method
from nss.secret import Secret
from nss.setup.mcas import OPTIONAL, CredentialsDraft, Name

SECRET_VARIABLE = "NSS_MCAS_CLIENT_SECRET"  # noqa: S105 - a variable's name
EXPIRES_VARIABLE = "NSS_MCAS_CLIENT_SECRET_EXPIRES"
PASSPHRASE_VARIABLE = "NSS_MCAS_PASSPHRASE"  # noqa: S105 - a variable's name
_COMMAND = "configure-mcas2"

LABELS = {
    "client_id": "Client ID",
    "client_secret": "Client Secret",
    "client_secret_expires": "Secret expires on",
    "scope": "Scope",
    "authentication_url": "Authentication URL",
    "api_url": "API URL",
}
OPTIONS = {
    "client_id": "--client-id",
    "client_secret": f"--client-secret-file (or the variable {SECRET_VARIABLE})",
    "client_secret_expires": "--client-secret-expires",
    "scope": "--scope",
    "authentication_url": "--authentication-url",
    "api_url": "--api-url",
}


@dataclass(frozen=True, slots=True)
class CredentialOptions:
    """What the command line says; `None` is what it does not."""

    client_id: str | None
    client_secret_file: str | None
    client_secret_expires: str | None
    scope: str | None
    authentication_url: str | None
    api_url: str | None
    certificate: Path | None
    private_key: Path | None
    passphrase_file: str | None
    managed_identity: bool


def zia_options(
    method: Literal["entra"] | None, scope: str | None, cloud: str | None
) -> ZiaOptions | None:
    """Return what the command line says of ZIA, `None` for nothing. Raises `UsageError`."""
    if method is not None:
        texts = {"scope": scope, "api_url": cloud}
        return ZiaOptions(method, texts, command=_COMMAND, prefix="--zia-")
    for option, text in (("--zia-scope", scope), ("--zia-cloud", cloud)):
        if text is not None:
            raise UsageError(f"{_COMMAND}: {option} needs --zia", tip="add --zia entra")
    return None


def draft_of(
    stored: McasCredentials | None, given: CredentialOptions
) -> tuple[CredentialsDraft, set[str]]:
    """Return what is known before anything is asked, and the fields that options gave.

    What is stored fills the rest. Raises `UsageError`.
    """
    if given.managed_identity and given.certificate is not None:
        raise UsageError("configure-mcas2: --certificate and --managed-identity exclude each other")
    if given.client_secret_expires and (given.managed_identity or given.certificate is not None):
        raise UsageError("configure-mcas2: --client-secret-expires is for a Client Secret only")
    draft = CredentialsDraft.of(stored, _method(stored, given))
    texts: dict[Name, str | None] = {
        "client_id": given.client_id,
        "client_secret": secret_text(_COMMAND, given.client_secret_file, SECRET_VARIABLE),
        "client_secret_expires": given.client_secret_expires or os.environ.get(EXPIRES_VARIABLE),
        "scope": given.scope,
        "authentication_url": given.authentication_url,
        "api_url": given.api_url,
    }
    said = {name: text for name, text in texts.items() if text is not None}
    for name, text in said.items():
        try:
            draft.take(name, text)
        except BadAnswer as bad:
            raise UsageError(f"configure-mcas2: {bad.sentence}", tip=bad.tip or None) from None
    if given.certificate is not None:
        draft.certificate = given.certificate.absolute()
        draft.private_key = given.private_key and given.private_key.absolute()
        phrase = secret_text(_COMMAND, given.passphrase_file, PASSPHRASE_VARIABLE)
        draft.passphrase = None if phrase is None else Secret(phrase)
    return draft, set(said)


def _method(stored: McasCredentials | None, given: CredentialOptions) -> Method:
    if given.managed_identity:
        return "managed_identity"
    if given.certificate is not None:
        return "certificate"
    gives_secret = given.client_secret_file is not None or SECRET_VARIABLE in os.environ
    return "secret" if stored is None or gives_secret else stored.method


def ask(dialogue: Dialogue, draft: CredentialsDraft, name: Name) -> None:
    """Ask a person until the answer can be right; Enter keeps what is there."""
    kept = draft.shown(name) or (fields.DEFAULT_SCOPE if name == "scope" else "")
    label = f"{LABELS[name]} (optional)" if name in OPTIONAL else LABELS[name]
    while True:
        text = dialogue.ask(label, kept, hidden=name == "client_secret")
        if text == kept and draft.has(name):
            return
        before = draft.values.get("client_id")
        try:
            draft.take(name, text)
        except BadAnswer as bad:
            show_problem(bad)
            continue
        if name == "client_id" and draft.values["client_id"] != before:
            draft.secret = None  # it was another application's
        advice = fields.region_advice(draft.values["api_url"]) if name == "api_url" else None
        if advice is not None:
            show_problem(advice)
        return


def show_problem(bad: BadAnswer) -> None:
    """Show what is wrong with an answer."""
    typer.echo(f"  {bad.sentence}" + (f"\n  Try: {bad.tip}" if bad.tip else ""))


def ask_method(dialogue: Dialogue, draft: CredentialsDraft) -> None:
    """Ask how to sign in, where something else than a secret is stored."""
    known: tuple[Method, ...] = get_args(Method)
    while (text := dialogue.ask("Sign in by", draft.method).strip()) not in known:
        typer.echo(f"  it must be one of {', '.join(known)}")
    draft.method = next(method for method in known if method == text)
