"""`nss install-cert`: a certificate and its key, where the service finds them."""

import json
import os
import re
from pathlib import Path

import typer

from cli.asking import harmless, service_settings
from nss.config import DEFAULT_CONFIG
from nss.config.load import ServiceConfig
from nss.errors import ConfigError, InputMissing, UsageError
from nss.files.private import write_private
from nss.mcas.access import audit_log
from nss.setup.certificates import Bundle, read_bundle
from nss.wording import error_text

FOLDER = "certificates"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def install(
    config: Path,
    file: Path,
    *,
    key: Path | None,
    name: str,
    passphrase_file: Path | None,
    authorities: bool,
    as_json: bool,
) -> None:
    """Check what is in the files, store it, and say how it is used. Raises `NssError`."""
    if not _NAME.fullmatch(name):
        raise UsageError("install-cert: a name is letters, digits, ., _ and -", tip="--name server")
    bundle = read_bundle(file, key, _passphrase(passphrase_file), authorities=authorities)
    service = _service(config)
    paths = _store(service.state_directory, name, bundle)
    facts = bundle.facts()
    log = audit_log(service.state_directory)
    log.write("install-cert", "stored", name=name, sha256=str(facts["sha256"]))
    if as_json:
        typer.echo(json.dumps(facts | {"files": [str(path) for path in paths]}))
        return
    for what, value in facts.items():
        told = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        typer.echo(f"{what.replace('_', ' '):12}  {harmless(told)}")
    if bundle.ends_soon:
        typer.echo("It ends within 30 days.", err=True)
    _tell_use(paths)


def _service(config: Path) -> ServiceConfig:
    try:
        return service_settings(config, "state_directory")
    except InputMissing:
        if config != DEFAULT_CONFIG:
            raise
        return ServiceConfig()


def _passphrase(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes().rstrip(b"\r\n")
    except OSError as error:
        why = error_text(error)
        raise InputMissing(f"install-cert: can't be read: {why} ({path})") from None


def _store(state_directory: Path, name: str, bundle: Bundle) -> list[Path]:
    """Write the files for the owner of the state directory alone. Raises `ConfigError`."""
    folder = state_directory / FOLDER
    try:
        status = state_directory.stat()
        owner = (status.st_uid, status.st_gid) if os.geteuid() == 0 else None
        folder.mkdir(mode=0o700, exist_ok=True)
        if owner is not None:
            os.chown(folder, *owner)
        # The key first: a service that reads between the two has the old pair or a key too many.
        paths = [folder / f"{name}.pem"]
        if bundle.key is not None:
            paths.append(folder / f"{name}.key")
            write_private(paths[1], bundle.key_pem(), owner=owner)
        write_private(paths[0], bundle.chain_pem(), owner=owner)
    except OSError as error:
        raise ConfigError(
            f"install-cert: can't be stored: {error_text(error)} ({folder})",
            tip="run the command with sudo",
        ) from None
    return paths


def _tell_use(paths: list[Path]) -> None:
    typer.echo("For a source or sink that speaks TLS, then nss reload:")
    if len(paths) == 1:
        for name in ("tls_client_ca", "tls_ca", "ca_file"):
            typer.echo(f'  {name} = "{paths[0]}"')
        return
    typer.echo(f'  tls_certificate = "{paths[0]}"')
    typer.echo(f'  tls_key = "{paths[1]}"')
