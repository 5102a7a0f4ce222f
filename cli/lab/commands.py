"""The command lines of the demonstration and the rehearsal; what they do is imported inside."""

from pathlib import Path
from typing import Annotated

import typer

DEMO_SECS = 15.0


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (demo, lab):
        app.command()(command)


def demo(
    seconds: Annotated[
        float | None,
        typer.Option(
            min=1,
            help="How long the demonstration runs.",
            show_default="15, and with --portal until Ctrl-C",
        ),
    ] = None,
    rate: Annotated[
        int, typer.Option(min=1, metavar="N", help="Records a second that are generated.")
    ] = 5000,
    sample: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Play your own records, once, instead of generated ones."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the generated records.")] = 1,
    mcas: Annotated[
        bool,
        typer.Option(
            "--mcas",
            help="Sign in, upload and block instead, with stand-ins for Entra, MCAS and ZIA on "
            "this machine.",
        ),
    ] = False,
    portal: Annotated[
        bool,
        typer.Option("--portal", help="Open the portal on data of those stand-ins, until Ctrl-C."),
    ] = False,
) -> None:
    """Watch NSS at work: generator, service and collector on loopback, nothing to set up.

    With --mcas: configure-mcas2, run, uploads and verify-mcas2; then an app is marked as
    unsanctioned, synced into a URL category and blocked. All on stand-ins for Microsoft's and
    Zscaler's services.

    With --portal: the address of the portal and a link that signs in once are printed.

    Example: nss demo --seconds 5
    """
    from cli.lab.demonstration import demonstrate, demonstrate_mcas, demonstrate_portal

    if portal:
        raise typer.Exit(demonstrate_portal(seconds, rate, seed))
    if mcas:
        raise typer.Exit(demonstrate_mcas(seconds or DEMO_SECS, rate, seed))
    raise typer.Exit(demonstrate(seconds or DEMO_SECS, rate, sample, seed))


def lab(
    folder: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Where files are kept: a new or empty folder, made readable by you alone.",
            show_default="a temporary one",
        ),
    ] = None,
    listen: Annotated[
        str,
        typer.Option(metavar="ADDRESS", help="The IP address of this machine to listen at."),
    ] = "127.0.0.1",
    rate: Annotated[
        int, typer.Option(min=0, metavar="N", help="Send N generated records a second; 0 for none.")
    ] = 0,
    records_to: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="With --rate: where to, HOST:PORT over TCP.",
            show_default="the source of the printed configuration",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Rehearse with stand-ins for Entra, MCAS, its storage and ZIA, and a collector, until Ctrl-C.

    The settings to paste are printed, then what arrives: sign-ins, uploads and their records,
    changes of URL categories, lines over UDP and TCP. All of it is on this machine, and nothing
    reaches the real services. A page is printed that makes things go wrong.

    Example: nss lab --rate 100
    """
    from cli.lab.rehearsing import rehearse

    rehearse(folder, listen, rate, records_to, as_json=as_json)
