"""The command lines of updates; what they do is imported inside."""

import typer

from cli.options import ConfigOption, JsonOption
from nss.config import DEFAULT_CONFIG


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (checkversion, update_now, force_update_now):
        app.command()(command)


def checkversion(as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Compare the versions installed, running and on offer, and the form of the spool.

    With a repository in [updates] it is asked, which takes root; otherwise what is on offer comes
    from apt's lists on this machine. Says how the last update ended. The exit code is 0 when all is
    up to date, 1 when a restart or an update is due or an update was cut off, 96 when the client
    certificate is invalid, 97 when the update server does not answer, 99 when the repository can't
    be used.

    Example: sudo nss checkversion
    """
    from cli.updates.versions import compare

    raise typer.Exit(compare(config, as_json=as_json))


def update_now(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Install the newest version from the repository, and go back by itself if it does not work.

    Downloads and verifies, stops the service (which delivers what is pending), exchanges the
    packages, starts, and looks whether the service is healthy and records flow. The end of this
    terminal does not end it. Exit codes: 0 installed, or nothing newer; 75 another update runs; 96
    invalid client certificate; 97 time-out contacting the update server; 99 the download or the
    installation failed, and the version before is at work again.

    Example: sudo nss update-now
    """
    from cli.updates.updating import update

    raise typer.Exit(update(config, force=False))


def force_update_now(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Install the newest version from the repository though it, or a newer one, is installed.

    As nss update-now, also where installed files were changed by hand.

    Example: sudo nss force-update-now
    """
    from cli.updates.updating import update

    raise typer.Exit(update(config, force=True))
