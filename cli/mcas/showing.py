"""`nss show-mcas2`, `nss clear-mcas2` and the legacy `nss configure-mcas`."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from pathlib import Path

import typer

from cli.mcas.prompts import LABELS
from cli.output import error_lines, fact_lines, iso_time, plain, show_json
from nss.config.stored import StoredError
from nss.errors import UsageError
from nss.expiry import Expiry, last_day
from nss.mcas.credentials import McasCredentials
from nss.mcas.expiries import expiries_of
from nss.secret import Secret
from nss.setup.mcas import McasSetup, mcas_setup

_METHODS = {
    "secret": "client secret",
    "certificate": "client certificate",
    "managed_identity": "managed identity of this machine",
}
_LABELS = LABELS | {
    "certificate": "Certificate",
    "private_key": "Private key",
    "passphrase": "Passphrase",
}


def stored_lines(stored: McasCredentials) -> Iterator[str]:
    """Yield what is stored, a line each; secrets show as ***."""
    yield from fact_lines(_METHODS[stored.method], _LABELS, stored, stored.tested_at)
    if stored.method == "secret" and stored.client_secret_expires is None:
        yield f"{'Secret expires on:':20}not known"
    yield from expiry_lines(expiries_of(stored))


def expiry_lines(expiries: Sequence[Expiry]) -> Iterator[str]:
    """Yield how long credentials are good, a line each."""
    for expiry in expiries:
        days = expiry.days_left(time.time())
        left = f"{days:,} days left" if days >= 0 else f"expired {-days:,} days ago"
        what = expiry.credential.replace("_", " ")
        yield f"{'Good until:':20}{last_day(expiry.ends_at)}, {left} ({what})"


def plain_expiries(expiries: Sequence[Expiry]) -> list[dict[str, object]]:
    """Return the same for JSON."""
    now = time.time()
    return [{**asdict(expiry), "days": expiry.days_left(now)} for expiry in expiries]


def show(path: Path, *, as_json: bool) -> int:
    """Show what is stored; the exit code is 1 when there is nothing."""
    setup = mcas_setup(path)
    stored, token = setup.store.load(), _legacy_token(setup)
    code = 0 if stored is not None or token is not None else 1
    if as_json:
        result: dict[str, object] = {"stored": None, "legacy_token": token is not None}
        if stored is not None:
            result["stored"] = {
                **{field.name: plain(getattr(stored, field.name)) for field in fields(stored)},
                "tested_at": iso_time(stored.tested_at),
                "origin": str(setup.store.origin),
                "expiries": plain_expiries(expiries_of(stored)),
            }
        show_json(result)
        return code
    if stored is None:
        typer.echo(f"Nothing is stored ({setup.store.origin}).")
    else:
        typer.echo(f"Stored in {setup.store.origin}:")
        for line in stored_lines(stored):
            typer.echo(f"  {line}")
    if token is not None:
        typer.echo("There is a legacy token. Try: sudo nss configure-mcas2, which takes its place")
    elif stored is None:
        typer.echo("Try: sudo nss configure-mcas2")
    return code


def clear(path: Path, *, yes: bool) -> int:
    """Remove credentials and legacy token, after a question."""
    setup = mcas_setup(path)
    setup.store.check_writable()
    if not yes and not typer.confirm(
        "Remove the credentials for MCAS? Uploads and sync stop.", default=False
    ):
        typer.echo("Nothing was removed.")
        return 1
    if not setup.clear():
        typer.echo("There was nothing to remove.")
        return 0
    typer.echo("Removed. A running service stops uploads and sync; records wait in its spool.")
    typer.echo("The URL category at the gateway stays as it is.")
    return 0


def explain_legacy(path: Path) -> int:
    """Say that legacy tokens can't be made any more. Raises `UsageError`."""
    token = _legacy_token(mcas_setup(path))
    kept = "The token that is here keeps working for uploads. " if token is not None else ""
    raise UsageError(
        f"configure-mcas: legacy tokens can't be created or changed any more. {kept}".rstrip(),
        tip="sudo nss configure-mcas2, which signs in with OAuth 2.0",
    )


def _legacy_token(setup: McasSetup) -> Secret | None:
    """Return the legacy token, `None` after a warning if it can't be used."""
    try:
        return setup.store.token()
    except StoredError as error:
        typer.echo(f"nss: {error_lines(error)}", err=True)
        return None
