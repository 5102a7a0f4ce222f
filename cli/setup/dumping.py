"""`nss dump-config`: the configuration that is in force for a file, defaults filled in."""

import json
import tomllib
from pathlib import Path

import typer

from cli.appliance.networking import network_facts, network_lines
from nss.appliance import is_appliance
from nss.config import load as configuration
from nss.config.toml import toml_text
from nss.errors import NssError
from nss.setup.effective import Tables, effective, toml
from nss.setup.mcas import mcas_setup
from nss.wording import harmless

_SHOWN = [
    "method",
    "client_id",
    "authentication_url",
    "scope",
    "api_url",
    "client_secret",
    "certificate",
]


def dump(path: Path, *, as_json: bool) -> None:
    """Print it as TOML, which says the same when it is read again, or as JSON."""
    config = configuration.load(path)
    tables = effective(config, tomllib.loads(configuration.read_text(path)))
    credentials = _credentials(path)
    if as_json:
        network = {"network": network_facts()} if is_appliance() else {}
        typer.echo(json.dumps(tables | network | {"credentials": credentials}, indent=2))
        return
    typer.echo(f"# The configuration of {path}, defaults filled in; paths are absolute.")
    for line in network_lines() if is_appliance() else ():
        typer.echo(f"# {harmless(line)}")
    for key, value in credentials.items():
        typer.echo(f"# stored for MCAS: {key} = {toml_text(value)}")
    typer.echo("\n".join(toml(tables)))


def _credentials(path: Path) -> Tables:
    """Return what is stored for MCAS, secrets as `***`."""
    try:
        stored = mcas_setup(path).store.load()
    except NssError as error:
        return {"error": str(error).partition("\n")[0]}
    values = {} if stored is None else {name: getattr(stored, name) for name in _SHOWN}
    return {name: str(value) for name, value in values.items() if value is not None}
