"""The command line of the sync; what it does is imported inside."""

from typing import Annotated

import typer

from cli.options import ConfigOption, JsonOption
from nss.config import DEFAULT_CONFIG


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(sync_unsanctioned)


def sync_unsanctioned(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")
    ] = False,
    allow_shrink: Annotated[
        bool,
        typer.Option("--allow-shrink", help="Take a list that is empty or much shorter, too."),
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Sync the apps that are unsanctioned in MCAS to ZIA's URL category, or to a file, now.

    Shows what changes: added, removed, kept because people added it, set aside and why, and the
    quota. The running service does the same every two hours, and shows the result in nss status;
    only one of the two is at work at a time. The exit code is 65 for a list that was refused, 75
    while another sync is at work, 69, 74 or 78 for other failures.

    Example: sudo nss sync-unsanctioned --dry-run
    """
    from cli.sync.syncing import sync

    sync(config, dry_run=dry_run, allow_shrink=allow_shrink, as_json=as_json)
