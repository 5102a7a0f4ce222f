"""`nss install-cert`: a certificate and its key, where the service finds them."""

import json
from pathlib import Path

import typer

from nss.setup.certificates import check_name, read_bundle, store
from nss.wording import harmless


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
    check_name(name)
    bundle = read_bundle(file, key, passphrase_file, authorities=authorities)
    paths = store(config, name, bundle)
    facts = bundle.facts()
    if as_json:
        typer.echo(json.dumps(facts | {"files": [str(path) for path in paths]}))
        return
    for what, value in facts.items():
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        typer.echo(f"{what.replace('_', ' '):12}  {harmless(text)}")
    if bundle.ends_soon:
        typer.echo("It ends within 30 days.", err=True)
    typer.echo("For a source or sink that speaks TLS, then nss reload:")
    keys = ("tls_client_ca", "tls_ca", "ca_file") if authorities else ("tls_certificate", "tls_key")
    for number, setting in enumerate(keys):
        typer.echo(f'  {setting} = "{paths[0 if authorities else number]}"')
