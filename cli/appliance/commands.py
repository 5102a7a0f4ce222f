"""The command lines of the appliance; what they do is imported inside."""

from typing import Annotated

import typer

from cli.groups import CommandGroup
from cli.options import ConfigOption, JsonOption, NoInputOption
from nss.config import DEFAULT_CONFIG

appliance = typer.Typer(name="appliance", cls=CommandGroup, rich_markup_mode=None)

SecondsOption = Annotated[
    int,
    typer.Option(
        "--confirm-secs",
        min=5,
        max=3600,
        metavar="N",
        help="After so many seconds without a confirmation the previous configuration is restored.",
    ),
]

InterfaceOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="The service interface.", show_default="the first of Ethernet"
    ),
]

ConfirmOption = Annotated[
    bool,
    typer.Option(
        "--confirm",
        help="Keep it without asking, once the interface has the address; otherwise the previous "
        "configuration is restored.",
    ),
]

CONFIRM_SECS = 120


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (configure_network, confirm_network, reset_network):
        app.command()(command)
    appliance.callback()(about)
    appliance.command()(firewall)
    appliance.command()(console)
    app.add_typer(appliance, hidden=True)


def configure_network(
    address: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS/MASK",
            help="The service IP address with its netmask: 10.0.0.4/24, 10.0.0.4/255.255.255.0; or "
            "dhcp.",
        ),
    ] = None,
    gateway: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS", help="The default gateway, in the network of the address; or none."
        ),
    ] = None,
    nameserver: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ADDRESS",
            help="A nameserver; may be repeated, and replaces all of before. none: those of DHCP.",
        ),
    ] = None,
    proxy: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="The HTTP proxy to the Internet: http://HOST:PORT; or none."
        ),
    ] = None,
    interface: InterfaceOption = None,
    confirm: ConfirmOption = False,
    confirm_secs: SecondsOption = CONFIRM_SECS,
    no_input: NoInputOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Set up the network of the appliance: nameservers, address, default gateway, proxy.

    What is applied has to be confirmed within two minutes: at the terminal, by --confirm, or from
    another session by nss confirm-network. Otherwise the previous configuration is restored, also
    when the session dies or the machine loses power. Without a terminal, or with --no-input, only
    options count.

    Example: sudo nss configure-network
    """
    from cli.appliance.networking import Wanted, configure_network

    servers = None if nameserver is None else tuple(nameserver)
    configure_network(
        config,
        Wanted(address, gateway, servers, proxy),
        link=interface,
        confirm=confirm,
        secs=confirm_secs,
        ask_nobody=no_input,
        as_json=as_json,
    )


def confirm_network(
    revert: Annotated[
        bool, typer.Option("--revert", help="Restore the previous configuration now.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Keep the network configuration that is being tried on the appliance.

    For a session that begins at the new address, when the one that applied it was cut off.

    Example: sudo nss confirm-network
    """
    from cli.appliance.networking import confirm_network

    confirm_network(revert=revert, as_json=as_json)


def reset_network(
    interface: InterfaceOption = None,
    confirm: ConfirmOption = False,
    confirm_secs: SecondsOption = CONFIRM_SECS,
    no_input: NoInputOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Set the network of the appliance back to DHCP, for address, gateway and nameservers.

    It has to be confirmed as with nss configure-network.

    Example: sudo nss reset-network
    """
    from cli.appliance.networking import reset_network

    reset_network(
        config,
        link=interface,
        confirm=confirm,
        secs=confirm_secs,
        ask_nobody=no_input,
        as_json=as_json,
    )


def about() -> None:
    """Do what the units of the appliance do."""


def firewall(
    load: Annotated[
        bool, typer.Option("--load", help="Put them in force, in one transaction.")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Print the rules of nftables for the ports of the configuration, or put them in force.

    A configuration that is wrong changes nothing: the rules of before stay in force.

    Example: nss appliance firewall
    """
    from cli.appliance.firewall import firewall

    firewall(config, load=load)


def console(
    write: Annotated[
        bool, typer.Option("--write", help="Write it to where agetty reads it.")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Print what the console shows above its login prompt.

    Example: nss appliance console
    """
    from cli.appliance.console import console

    console(config, write=write)
