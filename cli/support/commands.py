"""The command lines for when something is wrong; what they do is imported inside."""

from pathlib import Path
from typing import Annotated

import typer

from cli.completing import feed_names, input_names, preset_names
from cli.groups import CommandGroup
from cli.options import ConfigOption, JsonOption
from nss.config import DEFAULT_CONFIG

troubleshoot = typer.Typer(
    name="troubleshoot",
    cls=CommandGroup,
    help="Take a closer look at the running service, with feeds, connection or netstat.\n\n"
    "Example: sudo nss troubleshoot feeds",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(explain)
    app.command("test-firewall")(firewall)
    app.command()(collect_diagnostics)
    troubleshoot.command()(feeds)
    troubleshoot.command()(connection)
    troubleshoot.command()(netstat)
    app.add_typer(troubleshoot)


def explain(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A file of records, plain or gzip; - for stdin.")
    ],
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="PRESET|FILE",
            help="The feed format to explain it for.",
            autocompletion=preset_names,
        ),
    ] = "QRADAR",
    from_: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="FORMAT",
            help="The format of the records: auto, json, a preset, a file.",
            autocompletion=input_names,
            show_default="auto, or what the feed's sources say",
        ),
    ] = None,
    feed: Annotated[
        str | None,
        typer.Option(
            "--feed",
            metavar="NAME",
            help="A feed of the configuration, instead of --to.",
            autocompletion=feed_names,
        ),
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Explain how records are read: each key with its field, and what a feed finds missing.

    Looks at the first 1,000 records. The exit code is 1 when no record states the address, user or
    URL that the feed prints, 65 when some can't be read, 66 when the file can't be read to its end.

    Example: nss explain --to MCAS records.json
    """
    from cli.support.explaining import Question
    from cli.support.explaining import explain as explain_file

    raise typer.Exit(explain_file(file, Question(from_, to, feed, config), as_json=as_json))


def firewall(
    timeout_secs: Annotated[
        float, typer.Option(min=0.1, max=300, metavar="SECONDS", help="How long a step may take.")
    ] = 5,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Try every destination (name, connection, TLS, proxy, clock) and list the ports to open.

    No record is sent, so UDP can't be confirmed. The exit code is 1 when something can't be
    reached.

    Example: sudo nss test-firewall
    """
    from cli.support.firewall import report

    raise typer.Exit(report(config, timeout_secs, as_json=as_json))


def feeds(as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Show for each feed whether it is stable, and whether its sink is too slow.

    The exit code is 1 when a feed is not stable, 69 when the service does not answer.

    Example: sudo nss troubleshoot feeds
    """
    from cli.support.watching import show_feeds

    raise typer.Exit(show_feeds(config, as_json=as_json))


def connection(
    seconds: Annotated[
        float, typer.Option(min=0.1, max=3600, help="How long connections are watched.")
    ] = 10,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Watch the connections of feeds and sources for a while: stable, or reconnecting.

    The exit code is 1 when something reconnected.

    Example: sudo nss troubleshoot connection --seconds 60
    """
    from cli.support.watching import show_connections

    raise typer.Exit(show_connections(config, seconds, as_json=as_json))


def netstat(as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Show the service's own sockets, and which source or feed each belongs to.

    Example: sudo nss troubleshoot netstat
    """
    from cli.support.watching import show_sockets

    show_sockets(config, as_json=as_json)


def collect_diagnostics(
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The archive.", show_default="one here, named by time"),
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Pack what helps to find a fault into one tar.gz: no records, and secrets taken out.

    The archive belongs to whoever called sudo, and nobody else may read it. MANIFEST.txt names each
    part that can't be collected, with the reason.

    Example: sudo nss collect-diagnostics
    """
    from cli.support.collecting import collect

    collect(config, output, as_json=as_json)
