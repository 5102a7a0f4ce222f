"""The answers that `configure-mcas2` collects: from options, from what is stored, from a person."""

import getpass
import os
import stat
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import typer

from nss.errors import UsageError
from nss.mcas import fields
from nss.mcas.credentials import McasCredentials, Method
from nss.mcas.fields import BadAnswer
from nss.secret import Secret
from nss.wording import error_text

SECRET_VARIABLE = "NSS_MCAS_CLIENT_SECRET"  # noqa: S105 - a variable's name
PASSPHRASE_VARIABLE = "NSS_MCAS_PASSPHRASE"  # noqa: S105 - a variable's name
MAX_FILE_BYTES = 64 << 10

Name = Literal["client_id", "client_secret", "scope", "authentication_url", "api_url"]

LABELS: Mapping[str, str] = {
    "client_id": "Client ID",
    "client_secret": "Client Secret",
    "scope": "Scope",
    "authentication_url": "Authentication URL",
    "api_url": "API URL",
}
OPTIONS: Mapping[str, str] = {
    "client_id": "--client-id",
    "client_secret": f"--client-secret-file (or the variable {SECRET_VARIABLE})",
    "scope": "--scope",
    "authentication_url": "--authentication-url",
    "api_url": "--api-url",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the command line says; `None` is what it does not."""

    client_id: str | None = None
    client_secret_file: str | None = None
    scope: str | None = None
    authentication_url: str | None = None
    api_url: str | None = None
    certificate: Path | None = None
    private_key: Path | None = None
    passphrase_file: str | None = None
    managed_identity: bool = False


@dataclass(slots=True)
class Answers:
    """Answers as they come in; `credentials` puts them together."""

    method: Method
    values: dict[str, str] = field(default_factory=dict)
    secret: Secret | None = None
    certificate: Path | None = None
    private_key: Path | None = None
    passphrase: Secret | None = None

    @property
    def questions(self) -> list[Name]:
        """What has to be known for this way of signing in, in the order it is asked for."""
        match self.method:
            case "secret":
                return ["client_id", "client_secret", "scope", "authentication_url", "api_url"]
            case "certificate":
                return ["client_id", "scope", "authentication_url", "api_url"]
            case "managed_identity":
                return ["scope", "api_url"]

    def has(self, name: Name) -> bool:
        """Return whether there is an answer."""
        return self.secret is not None if name == "client_secret" else name in self.values

    def shown(self, name: Name) -> str:
        """Return an answer as it may be shown."""
        if name == "client_secret":
            return str(self.secret) if self.secret else ""
        return self.values.get(name, "")

    def take(self, name: Name, text: str) -> None:
        """Take what was typed. Raises `BadAnswer`."""
        if name == "client_secret":
            self.secret = fields.client_secret(text, self.values.get("client_id", ""))
            return
        read: Mapping[str, Callable[[str], str]] = {
            "client_id": fields.client_id,
            "scope": fields.scope,
            "authentication_url": fields.authentication_url,
            "api_url": fields.api_url,
        }
        self.values[name] = read[name](text)

    def check(self) -> None:
        """Raise `BadAnswer` for answers that do not go together."""
        if self.method != "managed_identity":
            values = self.values
            fields.check_clouds(values["authentication_url"], values["api_url"], values["scope"])

    def credentials(self) -> McasCredentials:
        """Return what the answers come to."""
        by_certificate = self.method == "certificate"
        return McasCredentials(
            method=self.method,
            client_id=self.values.get("client_id", ""),
            authentication_url=self.values.get("authentication_url", ""),
            scope=self.values["scope"],
            api_url=self.values["api_url"],
            client_secret=self.secret if self.method == "secret" else None,
            certificate=self.certificate if by_certificate else None,
            private_key=self.private_key if by_certificate else None,
            passphrase=self.passphrase if by_certificate else None,
        )


def stored_answers(
    stored: McasCredentials | None, given: Given, environ: Mapping[str, str] = os.environ
) -> Answers:
    """Return the answers that are known before anything is asked: those stored."""
    gives_secret = given.client_secret_file is not None or SECRET_VARIABLE in environ
    method: Method = "secret"
    if given.managed_identity:
        method = "managed_identity"
    elif given.certificate is not None:
        method = "certificate"
    elif stored is not None and not gives_secret:
        method = stored.method
    found = Answers(method)
    if stored is not None:
        # The client id of an application is none of a machine's identity, and the other way round.
        is_other = (stored.method == "managed_identity") != (method == "managed_identity")
        for name in ("client_id", "scope", "authentication_url", "api_url"):
            value = getattr(stored, name)
            if value and not (is_other and name == "client_id"):
                found.values[name] = value
        found.secret = stored.client_secret
        found.certificate, found.private_key = stored.certificate, stored.private_key
        found.passphrase = stored.passphrase
    return found


def take_given(found: Answers, given: Given, environ: Mapping[str, str] = os.environ) -> set[str]:
    """Take what the command line gives; return the names of it. Raises `UsageError`."""
    if given.managed_identity and given.certificate is not None:
        raise UsageError("configure-mcas2: --certificate and --managed-identity exclude each other")
    texts: dict[Name, str | None] = {
        "client_id": given.client_id,
        "client_secret": _secret_text(given.client_secret_file, environ.get(SECRET_VARIABLE)),
        "scope": given.scope,
        "authentication_url": given.authentication_url,
        "api_url": given.api_url,
    }
    for name, text in texts.items():
        if text is None:
            continue
        try:
            found.take(name, text)
        except BadAnswer as bad:
            raise UsageError(f"configure-mcas2: {bad.sentence}", tip=bad.tip or None) from None
    if given.certificate is not None:
        found.certificate = given.certificate.absolute()
        found.private_key = given.private_key and given.private_key.absolute()
        phrase = _secret_text(given.passphrase_file, environ.get(PASSPHRASE_VARIABLE))
        found.passphrase = None if phrase is None else Secret(phrase)
    return {name for name, text in texts.items() if text is not None}


def ask(found: Answers, name: Name) -> None:
    """Ask a person until the answer can be right; Enter keeps what is there."""
    kept = found.shown(name) or (fields.DEFAULT_SCOPE if name == "scope" else "")
    while True:
        text = typer.prompt(
            LABELS[name],
            default=kept,
            show_default=bool(kept),
            hide_input=name == "client_secret",
        )
        if text == kept and found.has(name):
            return
        before = found.values.get("client_id")
        try:
            found.take(name, text)
        except BadAnswer as bad:
            typer.echo(f"  {bad.sentence}" + (f"\n  Try: {bad.tip}" if bad.tip else ""))
        else:
            if name == "client_id" and found.values["client_id"] != before:
                found.secret = None  # it was another application's
            return


def ask_method(found: Answers) -> None:
    """Ask how to sign in, where something else than a secret is stored."""
    words: Mapping[str, Method] = {
        "secret": "secret",
        "certificate": "certificate",
        "managed_identity": "managed_identity",
    }
    while True:
        text = typer.prompt("Sign in by", default=found.method).strip()
        if text in words:
            found.method = words[text]
            return
        typer.echo(f"  it must be one of {', '.join(words)}")


def _secret_text(name: str | None, variable: str | None) -> str | None:
    """Return a secret from a file, from standard input (`-`), or from the environment."""
    if name is None:
        return variable
    if name == "-":
        if sys.stdin.isatty():
            return getpass.getpass("Secret: ")  # which is not shown
        return sys.stdin.readline(MAX_FILE_BYTES).rstrip("\r\n")
    path = Path(name)
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise UsageError(f"configure-mcas2: {error_text(error)} ({path})") from None
    if mode & stat.S_IRWXO:
        raise UsageError(
            f"configure-mcas2: everybody may read the secret ({path})", tip=f"chmod o= {path}"
        )
    return data.decode("utf-8", "replace").rstrip("\r\n")
