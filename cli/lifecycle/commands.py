"""The command lines that start and stop the service; what they do is imported inside."""

from typing import Annotated

import typer

from cli.options import ConfigOption, JsonOption
from nss.config import DEFAULT_CONFIG


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (start, stop, restart, enable_autostart, disable_autostart):
        app.command()(command)


def start(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Start the service of this machine and wait until it is ready.

    Under systemd that is the unit nss-streamer; elsewhere a background process. If it does not come
    up, its last messages are shown; the exit code is then its own, or 70.

    Example: sudo nss start
    """
    from cli.lifecycle.control import start

    start(config, as_json=as_json)


def stop(
    if_running: Annotated[
        bool, typer.Option("--if-running", help="End with 1 when it is not running.")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Stop the service: it delivers what is pending first.

    What could not be delivered in time stays in the spool. A service that somebody started by hand
    with nss run is reported and left alone.

    Example: sudo nss stop
    """
    from cli.lifecycle.control import stop

    stop(config, as_json=as_json, if_running=if_running)


def restart(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Stop the service, which delivers what is pending first, and start it again.

    Not needed for new credentials, nor for a changed configuration (nss reload).

    Example: sudo nss restart
    """
    from cli.lifecycle.control import restart

    restart(config, as_json=as_json)


def enable_autostart(as_json: JsonOption = False) -> None:
    """Start the service when the machine starts.

    Example: sudo nss enable-autostart
    """
    from cli.lifecycle.control import autostart

    autostart(enabled=True, as_json=as_json)


def disable_autostart(as_json: JsonOption = False) -> None:
    """Leave the service stopped when the machine starts; a running service continues.

    Example: sudo nss disable-autostart
    """
    from cli.lifecycle.control import autostart

    autostart(enabled=False, as_json=as_json)
