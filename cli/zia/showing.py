"""`nss show-zia` and `nss clear-zia`."""

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import typer

from cli.output import fact_lines, iso_time, plain, show_json
from cli.sync.syncing import setup_of
from cli.zia.prompts import METHODS
from nss.setup.zia import zia_setup
from nss.sync.assembling import SyncSetup
from nss.zia.credentials import ZiaCredentials

_LABELS = {
    "client_id": "Client ID",
    "client_secret": "Client Secret",
    "private_key": "Private key",
    "passphrase": "Passphrase",
    "token_url": "Token URL",
    "scope": "Scope",
    "username": "User name",
    "password": "Password",
    "api_key": "API key",
    "api_url": "API URL",
}


def stored_lines(stored: ZiaCredentials) -> Iterator[str]:
    """Yield what is stored, a line each; secrets show as ***."""
    yield from fact_lines(METHODS[stored.method], _LABELS, stored, stored.tested_at)


def show(path: Path, *, as_json: bool) -> int:
    """Show what is stored; the exit code is 1 when there is nothing."""
    setup = zia_setup(path)
    stored = setup.store.load()
    if as_json:
        result: dict[str, object] = {"stored": None}
        if stored is not None:
            result["stored"] = {
                **{field.name: plain(getattr(stored, field.name)) for field in fields(stored)},
                "tested_at": iso_time(stored.tested_at),
                "origin": str(setup.store.file.origin),
            }
        show_json(result)
    elif stored is None:
        typer.echo(f"Nothing is stored ({setup.store.file.origin}).")
        typer.echo("Try: sudo nss configure-zia")
    else:
        typer.echo(f"Stored in {setup.store.file.origin}:")
        for line in stored_lines(stored):
            typer.echo(f"  {line}")
    return 0 if stored is not None else 1


def clear(path: Path, *, yes: bool) -> int:
    """Remove the credentials, after a question."""
    setup = zia_setup(path)
    setup.store.file.check_writable()
    sync = setup_of(path, [])
    if not yes and not typer.confirm(
        f"Remove the credentials for ZIA? {_without_zia(sync)}", default=False
    ):
        typer.echo("Nothing was removed.")
        return 1
    if not setup.clear():
        typer.echo("There was nothing to remove.")
        return 0
    typer.echo(f"Removed. {_without_zia(sync)}")
    typer.echo("The URL category at the gateway stays as it is.")
    return 0


def with_zia(sync: SyncSetup) -> str:
    """Return what comes of new credentials for ZIA, as a sentence."""
    if sync.settings.target in {"file", "off"}:
        return f'They are not used: target in [sync] is "{sync.settings.target}".'
    if not sync.is_ready():
        return "The sync begins when MCAS is configured, too. Try: sudo nss configure-mcas2"
    return "A running service uses it from now on, and begins with a sync."


def _without_zia(sync: SyncSetup) -> str:
    """Return what becomes of the sync without credentials for ZIA, as a sentence."""
    match sync.settings.target:
        case "file" | "off" as target:
            return f'The sync does not use them: target in [sync] is "{target}".'
        case "zia":
            return 'The sync fails without others: target in [sync] is "zia".'
        case "auto" if sync.is_ready():
            return f"The sync continues, into the {sync.name_of('file')}."
        case _:
            return "Nothing is synced at the moment: MCAS is not configured."
