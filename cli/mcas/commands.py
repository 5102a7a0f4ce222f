"""The command lines of the MCAS commands; what they do is imported inside."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from cli.options import ConfigOption, JsonOption, NoInputOption
from nss.config import DEFAULT_CONFIG

_Text = str | None


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (configure_mcas2, verify_mcas2, show_mcas2, clear_mcas2, configure_mcas):
        app.command()(command)


def configure_mcas2(
    client_id: Annotated[_Text, typer.Option(metavar="GUID", help="The Client ID.")] = None,
    client_secret_file: Annotated[
        _Text,
        typer.Option(
            metavar="FILE",
            help="A file with the Client Secret, - for standard input; or set the variable "
            "NSS_MCAS_CLIENT_SECRET. Never an argument: anybody on the machine can read those.",
        ),
    ] = None,
    client_secret_expires: Annotated[
        _Text,
        typer.Option(
            metavar="DATE",
            help="The last day of the Client Secret, for a warning before it; or set the variable "
            "NSS_MCAS_CLIENT_SECRET_EXPIRES.",
        ),
    ] = None,
    scope: Annotated[_Text, typer.Option(help="The Scope.", show_default="the usual one")] = None,
    authentication_url: Annotated[
        _Text, typer.Option(metavar="URL", help="The Authentication URL.")
    ] = None,
    api_url: Annotated[_Text, typer.Option(metavar="URL", help="The API URL.")] = None,
    certificate: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Sign in by this certificate, PEM or PFX, instead."),
    ] = None,
    private_key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Its private key, if not in the same file.")
    ] = None,
    passphrase_file: Annotated[
        _Text, typer.Option(metavar="FILE", help="The key's passphrase; or NSS_MCAS_PASSPHRASE.")
    ] = None,
    managed_identity: Annotated[
        bool,
        typer.Option("--managed-identity", help="Sign in as this Azure virtual machine instead."),
    ] = False,
    zia: Annotated[
        Literal["entra"] | None,
        typer.Option(
            help="Then set up ZIA as well, which blocks unsanctioned apps: signing in as the same "
            "Entra application.",
            show_default="MCAS only",
        ),
    ] = None,
    zia_scope: Annotated[
        _Text, typer.Option(metavar="SCOPE", help="With --zia: its Scope, RESOURCE/.default.")
    ] = None,
    zia_cloud: Annotated[
        _Text,
        typer.Option(
            metavar="NAME|URL", help="With --zia: the cloud, as zscalertwo, or the API's URL."
        ),
    ] = None,
    skip_test: Annotated[bool, typer.Option("--skip-test", help="Store without testing.")] = False,
    no_input: NoInputOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Sign in to Microsoft Defender for Cloud Apps with OAuth 2.0: ask, test, store.

    Without options it asks for everything, and tests before it stores. The exit code is 69 when the
    test failed; then nothing was stored. With --zia entra it continues with ZIA; when that fails,
    the exit code is 69 too, and what was stored for MCAS stays.

    Example: sudo nss configure-mcas2
    """
    from cli.dialogue import quiet

    with quiet():  # before what takes a while to be imported: a secret may be on its way
        from cli.mcas.configuring import configure
        from cli.mcas.prompts import CredentialOptions, zia_options

        texts = (client_secret_file, client_secret_expires, scope, authentication_url, api_url)
        files = (certificate, private_key, passphrase_file)
        given = CredentialOptions(client_id, *texts, *files, managed_identity)
        also = zia_options(zia, zia_scope, zia_cloud)
        code = configure(
            config, given, also, skip_test=skip_test, as_json=as_json, ask_nobody=no_input
        )
    raise typer.Exit(code)


def verify_mcas2(as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Verify that logs arrive at MCAS, and that unsanctioned apps come back.

    Token type and expiry, roles, the API, the data source with its last data, which feeds upload,
    whether the service runs with them, and what became of the files that were uploaded from this
    machine: parsed, pending or failed. Then the list of unsanctioned apps, the sign-in to ZIA, the
    last sync, and in short whether the category blocks (verify-blocking has all of that). The exit
    code is 1 when something is wrong, as when no feed uploads.

    Example: sudo nss verify-mcas2 --json
    """
    from cli.mcas.verifying import verify_both_ways

    raise typer.Exit(verify_both_ways(config, as_json=as_json))


def show_mcas2(as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Show what is stored for MCAS, secrets as ***. The exit code is 1 when there is nothing.

    Example: sudo nss show-mcas2
    """
    from cli.mcas.showing import show

    raise typer.Exit(show(config, as_json=as_json))


def clear_mcas2(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Remove the credentials for MCAS: uploads and sync stop, the URL category stays.

    Example: sudo nss clear-mcas2
    """
    from cli.mcas.showing import clear

    raise typer.Exit(clear(config, yes=yes))


def configure_mcas(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Explain what became of legacy tokens (use configure-mcas2).

    Example: sudo nss configure-mcas2
    """
    from cli.mcas.showing import explain_legacy

    raise typer.Exit(explain_legacy(config))
