"""`nss appliance firewall`: the ports of the configuration, opened."""

from pathlib import Path

import typer

from nss.appliance.firewall import openings, script
from nss.appliance.machine import ran
from nss.errors import ConfigError, NssError
from nss.setup.configuration import written

_KEPT = "the firewall keeps the rules that are in force"


def firewall(path: Path, *, load: bool) -> None:
    """Print the rules, or load them. Raises `NssError`; then those of before are in force.

    A configuration that nobody has written yet opens nothing.
    """
    try:
        config = written(path)
    except NssError as error:
        raise _with(error) if load else error from None
    found = [] if config is None else list(openings(config))
    text = script(found)
    if not load:
        typer.echo(text, nl=False)
        return
    try:
        ran("nft", "-f", "-", data=text)
    except NssError as error:
        raise ConfigError(
            f"firewall: {str(error).partition(chr(10))[0]}; {_KEPT}",
            tip="is the base loaded? sudo systemctl restart nftables, then nss-firewall",
        ) from None
    listed = ", ".join(f"{each.listen} ({each.owner})" for each in found)
    typer.echo(f"Open: {listed or 'no port of the configuration'}.")


def _with(error: NssError) -> NssError:
    reason = str(error).partition("\nTry: ")[0]
    return ConfigError(f"{reason}\n{_KEPT}", tip=error.tip)
