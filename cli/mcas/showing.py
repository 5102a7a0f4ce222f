"""`nss show-mcas2`, `nss clear-mcas2` and the legacy `nss configure-mcas`."""

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import orjson
import typer

from cli.asking import iso_time, told_time
from cli.mcas.answers import LABELS
from nss.errors import UsageError
from nss.mcas.credentials import CredentialsError, McasCredentials
from nss.secret import Secret
from nss.setup.mcas import Place, place_of

_METHODS = {
    "secret": "client secret",
    "certificate": "client certificate",
    "managed_identity": "managed identity of this machine",
}


def stored_lines(stored: McasCredentials) -> Iterator[str]:
    """Yield what is stored, a line each; secrets show as ***."""
    facts = [("Signs in by", _METHODS[stored.method])]
    for name, label in LABELS.items():
        value = getattr(stored, name)
        if value:
            facts.append((label, str(value)))
    if stored.certificate is not None:
        facts.append(("Certificate", str(stored.certificate)))
    if stored.private_key is not None:
        facts.append(("Private key", str(stored.private_key)))
    if stored.passphrase is not None:
        facts.append(("Passphrase", str(stored.passphrase)))
    tested = "never" if stored.tested_at is None else told_time(stored.tested_at)
    facts.append(("Tested", tested))
    for label, value in facts:
        yield f"{label + ':':20}{value}"


def show(path: Path, *, as_json: bool) -> int:
    """Show what is stored; the exit code is 1 when there is nothing."""
    place = place_of(path)
    stored, token = place.store.load(), _legacy_token(place)
    if as_json:
        told: dict[str, object] = {"stored": None, "legacy_token": token is not None}
        if stored is not None:
            told["stored"] = {
                **{one.name: _plain(getattr(stored, one.name)) for one in fields(stored)},
                "tested_at": iso_time(stored.tested_at),
                "origin": str(place.store.origin),
            }
        typer.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())
        return 0 if stored is not None or token is not None else 1
    if stored is None:
        typer.echo(f"Nothing is stored ({place.store.origin}).")
    else:
        typer.echo(f"Stored in {place.store.origin}:")
        for line in stored_lines(stored):
            typer.echo(f"  {line}")
    if token is not None:
        typer.echo("There is a legacy token. Try: sudo nss configure-mcas2, which takes its place")
    elif stored is None:
        typer.echo("Try: sudo nss configure-mcas2")
    return 0 if stored is not None or token is not None else 1


def clear(path: Path, *, yes: bool) -> int:
    """Remove credentials and legacy token, after a question."""
    place = place_of(path)
    place.store.check_writable()
    if not yes and not typer.confirm(
        "Remove the credentials for MCAS? Uploads and sync stop.", default=False
    ):
        typer.echo("Nothing was removed.")
        return 1
    was_stored, was_legacy = place.store.clear(), place.store.remove_token()
    if not was_stored and not was_legacy:
        typer.echo("There was nothing to remove.")
        return 0
    place.audit.write("clear-mcas2", "cleared", legacy_token=was_legacy)
    typer.echo("Removed. A running service stops uploads and sync; records wait in its spool.")
    typer.echo("The URL category at the gateway stays as it is.")
    return 0


def explain_legacy(path: Path) -> int:
    """Say that legacy tokens are not made any more. Raises `UsageError`."""
    token = _legacy_token(place_of(path))
    kept = "The token that is here keeps working for uploads. " if token is not None else ""
    raise UsageError(
        f"configure-mcas: legacy tokens can't be created or changed any more. {kept}".rstrip(),
        tip="sudo nss configure-mcas2, which signs in with OAuth 2.0",
    )


def _legacy_token(place: Place) -> Secret | None:
    """Return the legacy token; one that can't be used is told, and is none."""
    try:
        return place.store.token()
    except CredentialsError as error:
        typer.echo(f"nss: {error}", err=True)
        return None


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, bool | int | float) else str(value)
