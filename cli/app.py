"""The commands of `nss`; what they do is imported inside."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from cli.appliance import commands as appliance_commands
from cli.completing import feed_names, field_names, input_names, preset_names, source_names
from cli.groups import CommandGroup
from cli.lab import commands as lab_commands
from cli.lifecycle import commands as lifecycle_commands
from cli.mcas import commands as mcas_commands
from cli.options import ConfigOption, FeedOption, JsonOption
from cli.portal import commands as portal_commands
from cli.rejects import commands as rejects_commands
from cli.setup import commands as setup_commands
from cli.support import commands as support_commands
from cli.sync import commands as sync_commands
from cli.updates import commands as updates_commands
from cli.zia import commands as zia_commands
from nss.config import DEFAULT_CONFIG

app = typer.Typer(
    name="nss",
    cls=CommandGroup,
    help="Open Nanolog Streaming Service: web transaction records in, QRadar LEEF and other NSS "
    "feed formats out.",
    epilog="nss COMMAND --help shows what a command does, its options and an example.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it so
    if wanted:
        from formats.compiled import mode
        from nss.wording import own_version

        typer.echo(f"nss {own_version() or '(not installed)'} ({mode()})")
        raise typer.Exit


@app.callback()
def _options(
    _version_wanted: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    pass


@app.command()
def run(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Run the service in the foreground.

    Logs to stderr. SIGTERM stops reading and delivers what is pending; SIGHUP reloads the
    configuration, or keeps the old one and logs the reason. Ends by itself when every source is
    a whole file or stdin and everything was delivered.

    Example: nss run --config nss.toml
    """
    from nss.service.beginning import run

    raise typer.Exit(run(config))


@app.command()
def check(as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Check the configuration and report all problems at once.

    Run by root, it looks at files and ports as the user that the service runs as, under systemd
    also within the limits of the unit. Ports that the running service holds are no problem.

    Example: sudo nss check
    """
    from cli.lifecycle.checking import show_check

    show_check(config, as_json=as_json)


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Show the status of the running service.

    The exit code is 0 when it is healthy, 1 when degraded, 69 when it does not answer.

    Example: nss status --json
    """
    from cli.status import show_status

    raise typer.Exit(show_status(config, as_json=as_json))


@app.command()
def top(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Watch the status live, until q or Ctrl-C.

    What is wrong comes first; j and k, or the arrows, scroll.

    Example: nss top
    """
    from cli.top import watch

    raise typer.Exit(watch(config))


@app.command()
def tap(
    feed: FeedOption = None,
    records: Annotated[
        bool, typer.Option("--records/--lines", help="Records as they came, or lines as sent.")
    ] = False,
    source: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Messages of this Kafka source, with keys and headers.",
            show_default=False,
            autocompletion=source_names,
        ),
    ] = None,
    text: Annotated[
        str, typer.Option("--filter", metavar="TEXT", help="Only those that contain TEXT.")
    ] = "",
    limit: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="End after N.", show_default="until Ctrl-C"),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line, with the bytes as base64.")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Watch what passes through feeds, or comes into a source: a sample, at most 100 a second.

    Nothing waits for the viewer.

    Example: nss tap --feed mcas --filter dropbox.com --limit 10
    """
    from cli.tap import show_messages, show_tap

    kind: Literal["records", "lines"] = "records" if records else "lines"
    if source is None:
        show_tap(config, feed, kind, text, limit, as_json=as_json)
    else:
        show_messages(config, source, feed, kind, text, limit, as_json=as_json)


@app.command()
def reload(as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Apply a changed configuration without a restart.

    Reports which parts stopped and which started. If the new configuration is refused, the old one
    stays in force and the exit code is 78.

    Example: nss reload
    """
    from cli.replaying import reload as reload_service

    reload_service(config, as_json=as_json)


@app.command()
def replay(
    feed: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="The feed that delivers again.", autocompletion=feed_names
        ),
    ],
    since: Annotated[
        str,
        typer.Option(
            metavar="TIME", help="30m (or s, h, d) back from now, or a time like 2026-11-23T10:00."
        ),
    ],
    until: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="The end, in the same forms.", show_default="now"),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show how many records there would be.")
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Deliver again, by one feed, what was accepted between two times.

    A time without a zone is in this machine's zone.

    Example: nss replay --feed mcas --since 30m
    """
    from cli.replaying import replay as replay_feed

    replay_feed(config, feed, since, until, dry_run=dry_run, as_json=as_json)


@app.command()
def upload_now(
    feeds: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FEED",
            help="The feeds. Default: all that upload.",
            autocompletion=feed_names,
        ),
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Upload what is collected now, and end whatever holds uploads.

    A pause that a service asked for ends, and what is refused or unconfirmed is tried again. Waits
    for the result. The exit code is 1 when something could not be uploaded, 69 when the service
    does not answer.

    Example: sudo nss upload-now mcas
    """
    from cli.uploading import upload

    raise typer.Exit(upload(config, feeds or [], as_json=as_json))


@app.command()
def render(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE", help="Files of records; gzip too. Default: stdin."),
    ] = None,
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="PRESET|FILE",
            help="The feed format to render.",
            autocompletion=preset_names,
        ),
    ] = "QRADAR",
    from_: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="FORMAT",
            help="The format of the records: auto, json, a preset, a file.",
            autocompletion=input_names,
        ),
    ] = "auto",
    zone: Annotated[str, typer.Option(help="Zone of the times rendered.")] = "GMT",
    source_zone: Annotated[str, typer.Option(help="Zone of times that carry none.")] = "GMT",
    escape: Annotated[
        str, typer.Option(metavar="CHARS", help="Feed escape characters, encoded in e* fields.")
    ] = "",
    protect_for: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help="Also encode what some readers misread in values: any of quotes, pipes, pairs.",
        ),
    ] = "",
    max_bytes: Annotated[
        int, typer.Option(min=0, metavar="N", help="Shorten lines to N bytes; 0 for no limit.")
    ] = 0,
) -> None:
    """Render records to lines on stdout.

    Bad records are reported on stderr with file and line; the exit code is then 65. A
    file that can't be read, or not to its end, does not stop the others; the exit code is then 66.

    Example: nss render --to MCAS records.json > lines.leef
    """
    from cli.rendering import Conversion, render_files

    conversion = Conversion(to, from_, zone, source_zone, escape, protect_for, max_bytes)
    raise typer.Exit(render_files(files or [], conversion))


@app.command()
def presets(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="Print this preset's feed output format string.",
            autocompletion=preset_names,
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON array; with NAME one object.")
    ] = False,
) -> None:
    """List the vendor's feed formats, or print one.

    Example: nss presets MCAS > my.fof
    """
    from cli.catalogue import list_presets, print_preset

    if name is None:
        list_presets(as_json=as_json)
    else:
        print_preset(name, as_json=as_json)


@app.command()
def fields(
    search: Annotated[
        str | None,
        typer.Argument(
            help="Only fields whose name, group or description has this text.",
            autocompletion=field_names,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array.")] = False,
) -> None:
    """List the fields that a feed format can print.

    Example: nss fields referer
    """
    from cli.catalogue import list_fields

    list_fields(search or "", as_json=as_json)


for group in (
    rejects_commands,
    lifecycle_commands,
    setup_commands,
    mcas_commands,
    zia_commands,
    sync_commands,
    portal_commands,
    support_commands,
    updates_commands,
    lab_commands,
    appliance_commands,
):
    group.register(app)
