"""The command line for records that were rejected; what it does is imported inside."""

from typing import Annotated, Literal

import typer

from cli.options import ConfigOption, FeedOption
from nss.config import DEFAULT_CONFIG
from nss.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(rejects)


def rejects(
    action: Annotated[
        Literal["retry", "discard"] | None,
        typer.Argument(
            metavar="retry|discard",
            help="Send them through their feeds again; or delete them, after a question.",
        ),
    ] = None,
    feed: FeedOption = None,
    reason: Annotated[
        str, typer.Option(metavar="TEXT", help="With discard: those whose reason contains TEXT.")
    ] = "",
    records: Annotated[bool, typer.Option("--records", help="Show them one by one.")] = False,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1, max=500, metavar="N", help="The newest N, one by one.", show_default="100"
        ),
    ] = None,
    summary: Annotated[
        bool, typer.Option("--summary", help="With --json: by feed and reason.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array, one by one.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Show rejected records by reason, retry or discard them.

    By feed and reason, with how many there are, the newest and a sample; with --records one by
    one. A retry waits up to 10 seconds and shows what became of them; the exit code is 0 when all
    were delivered or filtered out, else 1.

    Example: nss rejects retry --feed mcas
    """
    from cli.rejects.changing import discard, retry
    from cli.rejects.showing import show_reasons, show_rejects

    if reason and action != "discard":
        raise UsageError("rejects: --reason goes with discard", tip="nss rejects discard --reason")
    if action == "retry":
        raise typer.Exit(retry(config, feed, as_json=as_json))
    if action == "discard":
        raise typer.Exit(discard(config, feed, reason, yes=yes, as_json=as_json))
    if summary or not (records or limit or as_json):
        show_reasons(config, feed, as_json=as_json)
    else:
        show_rejects(config, feed, limit or 100, as_json=as_json)
