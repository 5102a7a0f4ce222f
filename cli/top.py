"""`nss top`: the status, live."""

import time
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from cli.asking import service_of
from cli.status import picture
from nss.admin.control.client import ServiceUnavailable
from nss.errors import UsageError

REFRESH_SECS = 1.0


def watch(config: Path) -> None:
    """Show the status once a second, also across restarts of the service, until Ctrl-C.

    Raises `UsageError` without a terminal, and `NssError` when there is no service at first.
    """
    console = Console(highlight=False)
    if not console.is_terminal:
        raise UsageError("top: needs a terminal", tip="nss status, or nss status --json")
    with service_of(config) as service:
        shown = picture(service.status())
        try:
            with Live(shown, console=console, auto_refresh=False, screen=True) as live:
                while True:
                    time.sleep(REFRESH_SECS)
                    try:
                        shown = picture(service.status())
                    except ServiceUnavailable as gone:
                        live.update(Group(Text(str(gone), style="bold red"), shown), refresh=True)
                    else:
                        live.update(shown, refresh=True)
        except KeyboardInterrupt:
            console.print(shown)
