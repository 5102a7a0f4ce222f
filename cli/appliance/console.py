"""`nss appliance console`: what the console shows, brought up to date."""

import socket
from contextlib import suppress
from pathlib import Path

import typer

from cli.asking import status_if_running
from nss.appliance import trial
from nss.appliance.console import ISSUE, Facts, Setup, issue
from nss.appliance.machine import live, ran, service_link
from nss.config.model import Config
from nss.config.sinks import CloudDiscoverySinkConfig
from nss.errors import NssError
from nss.files.private import FileFault, read_bounded, write_private
from nss.mcas.access import credentials_store
from nss.setup.configuration import written
from nss.wording import own_version

_MODE = 0o644
_MAX_BYTES = 64 << 10


def console(config: Path, *, write: bool) -> None:
    """Print the text, or write it if it has changed and have agetty show it. Raises `NssError`."""
    text = issue(_facts(config))
    if not write:
        typer.echo(text, nl=False)
        return
    with suppress(OSError, FileFault):
        if read_bounded(ISSUE, _MAX_BYTES) == text.encode():
            return
    ISSUE.parent.mkdir(mode=0o755, exist_ok=True)
    write_private(ISSUE, text.encode(errors="replace"), owner=(0, 0), mode=_MODE)
    ran("agetty", "--reload")


def _facts(config: Path) -> Facts:
    link = ""
    addresses: tuple[str, ...] = ()
    with suppress(NssError, OSError):
        link = service_link()
        addresses = live(link).addresses
    return Facts(
        version=own_version() or "",
        host=socket.gethostname(),
        link=link,
        addresses=addresses,
        setup=_setup(config),
        status=status_if_running(config),
        trial=_trial(),
    )


def _trial() -> str:
    try:
        found = trial.tried()
    except NssError:
        return ""
    return "" if found is None else found[1].address_text


def _setup(path: Path) -> Setup:
    try:
        config = written(path)
        if config is None:
            return Setup(is_configured=False)
        return Setup(is_configured=True, needs_credentials=_needs_credentials(config))
    except NssError as error:
        return Setup(is_configured=True, problem=str(error).partition("\n")[0])


def _needs_credentials(config: Config) -> bool:
    if not any(isinstance(feed.sink, CloudDiscoverySinkConfig) for feed in config.feeds):
        return False
    return credentials_store(config.service.state_directory, config.mcas).load() is None
