"""The command lines that set the appliance up; what they do is imported inside."""

from pathlib import Path
from typing import Annotated, Optional

import typer

from cli.options import ConfigOption, JsonOption
from nss.config import DEFAULT_CONFIG

_File = Optional[Path]  # noqa: UP045 - typer reads it at run time
_Text = Optional[str]  # noqa: UP045 - typer reads it at run time


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (configure, dump_config, install_cert):
        app.command()(command)


def configure(
    listen_tcp: Annotated[
        _Text, typer.Option(metavar="ADDRESS", help="Take records over TCP at HOST:PORT.")
    ] = None,
    listen_http: Annotated[
        _Text, typer.Option(metavar="ADDRESS", help="Take records pushed over HTTP at HOST:PORT.")
    ] = None,
    token_file: Annotated[
        _Text, typer.Option(metavar="FILE", help="The token of those who push.")
    ] = None,
    file: Annotated[_Text, typer.Option(metavar="FILE", help="Follow this file.")] = None,
    feed_format: Annotated[
        _Text, typer.Option("--format", metavar="PRESET|FILE", help="The feed format to render.")
    ] = None,
    zone: Annotated[_Text, typer.Option(help="The time zone of the lines.")] = None,
    to: Annotated[
        Optional[list[str]],  # noqa: UP045 - typer reads it at run time
        typer.Option(
            metavar="PLACE",
            help="Where records go: udp://HOST:PORT, tcp://HOST:PORT, tls://HOST:PORT, file:PATH "
            "or mcas; may be given again.",
        ),
    ] = None,
    no_input: Annotated[
        bool, typer.Option("--no-input", help="Ask nothing, even at a terminal.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace also a file with more in it than is asked.")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Ask where records come from and go, and write the configuration file.

    The file before stays beside it, as nss.toml.old; what it says is offered as the answers.
    Without a terminal, or with --no-input, options answer, and "none" takes a source away.

    Example: sudo nss configure
    """
    from cli.setup.configuring import ConfigureOptions
    from cli.setup.configuring import configure as configure_file

    given = ConfigureOptions(
        listen_tcp, listen_http, token_file, file, feed_format, zone, tuple(to or ())
    )
    configure_file(config, given, ask_nobody=no_input, force=force)


def dump_config(as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Print the configuration with all defaults filled in; secrets are not in it.

    As TOML it can be read again, and says the same. What is stored for MCAS is told too, secrets
    as ***.

    Example: sudo nss dump-config
    """
    from cli.setup.dumping import dump

    dump(config, as_json=as_json)


def install_cert(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A zip, PEM or PFX.")],
    key: Annotated[
        _File, typer.Option(metavar="FILE", help="The private key, if not in the same file.")
    ] = None,
    name: Annotated[str, typer.Option(help="What the files are called.")] = "server",
    passphrase_file: Annotated[
        _File, typer.Option(metavar="FILE", help="A file with the passphrase of key or PFX.")
    ] = None,
    authorities: Annotated[
        bool, typer.Option("--ca", help="These are authorities to trust: no key is wanted.")
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Store a certificate with its key, or authorities to trust, for TLS of sources and sinks.

    The key has to belong to the certificate, and the certificate has to be good today. Both are
    kept in the state directory, readable for the service alone, and the lines of configuration
    that use them are shown.

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
