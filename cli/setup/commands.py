"""The command lines that set the appliance up; what they do is imported inside."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from cli.completing import exact_preset_names
from cli.options import ConfigOption, JsonOption, NoInputOption
from nss.config import DEFAULT_CONFIG


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (configure, dump_config, install_cert):
        app.command()(command)


def configure(
    listen_tcp: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Take records over TCP at HOST:PORT.")
    ] = None,
    listen_http: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Take records pushed over HTTP at HOST:PORT."),
    ] = None,
    token_file: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="A file with the token that pushing clients send."),
    ] = None,
    file: Annotated[str | None, typer.Option(metavar="FILE", help="Follow this file.")] = None,
    feed_format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="PRESET|FILE",
            help="The feed format to render.",
            autocompletion=exact_preset_names,
        ),
    ] = None,
    zone: Annotated[str | None, typer.Option(help="The time zone of the lines.")] = None,
    to: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PLACE",
            help="Where records go: udp://HOST:PORT, tcp://HOST:PORT, tls://HOST:PORT, file:PATH "
            "or mcas (uploads); may be repeated, and replaces all places of before.",
        ),
    ] = None,
    mcas: Annotated[
        Literal["upload", "collector", "both", "none"] | None,
        typer.Option(
            help="How Defender for Cloud Apps gets records: uploaded by NSS, by its log collector, "
            "or both.",
            show_default="as before",
        ),
    ] = None,
    collector: Annotated[
        list[str] | None,
        typer.Option(metavar="ADDRESS", help="Its log collector, HOST:PORT: syslog over UDP."),
    ] = None,
    no_input: NoInputOption = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Replace even a file with more settings than this command asks for."
        ),
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Ask where records come from and go, and write the configuration file.

    The previous file stays beside it as nss.toml.old, and its values are offered as answers.
    Without a terminal, or with --no-input, only options count; "none" removes a source.

    Example: sudo nss configure
    """
    from cli.setup.configuring import Places
    from cli.setup.configuring import configure as configure_file

    options = {"listen_tcp": listen_tcp, "listen_http": listen_http, "token_file": token_file}
    options |= {"file": file, "format": feed_format, "zone": zone}
    given = {name: value for name, value in options.items() if value is not None}
    places = Places(tuple(to or ()), mcas, tuple(collector or ()))
    configure_file(config, given, places, ask_nobody=no_input, force=force)


def dump_config(as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Print the configuration with all defaults filled in, without secrets.

    The TOML can be read back and means the same. What is stored for MCAS is shown too, secrets as
    ***.

    Example: sudo nss dump-config
    """
    from cli.setup.dumping import dump

    dump(config, as_json=as_json)


def install_cert(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A zip, PEM or PFX.")],
    key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The private key, if not in the same file.")
    ] = None,
    name: Annotated[str, typer.Option(help="The name of the stored files.")] = "server",
    passphrase_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A file with the passphrase of key or PFX.")
    ] = None,
    authorities: Annotated[
        bool, typer.Option("--ca", help="These are authorities to trust: no key is wanted.")
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Store a certificate with its key, or authorities to trust, for TLS of sources and sinks.

    The key must belong to the certificate, and the certificate must be valid today. Both are stored
    in the state directory, readable by the service alone, and the configuration lines that use
    them are shown.

    Example: sudo nss install-cert NssCertificate.zip
    """
    from cli.setup.installing import install

    install(
        config,
        file,
        key=key,
        name=name,
        passphrase_file=passphrase_file,
        authorities=authorities,
        as_json=as_json,
    )
