"""The command lines of the ZIA commands; what they do is imported inside."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from cli.options import ConfigOption, JsonOption, NoInputOption
from nss.config import DEFAULT_CONFIG

_Text = str | None
_Method = Literal["oneapi_secret", "oneapi_key", "entra", "legacy"]


def _secret_file(what: str, variable: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(
        metavar="FILE",
        help=f"A file with the {what}, - for standard input; or set the variable {variable}. "
        "Never an argument: anybody on the machine can read those.",
    )
    return option


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (configure_zia, show_zia, clear_zia, verify_blocking):
        app.command()(command)


def configure_zia(
    method: Annotated[
        _Method | None,
        typer.Option(
            help="How to sign in: an API client of OneAPI by secret or by key, the Entra "
            "application that is stored for MCAS, or an administrator's API key (legacy).",
            show_default="as the other options say, else asked",
        ),
    ] = None,
    client_id: Annotated[_Text, typer.Option(metavar="ID", help="OneAPI: the Client ID.")] = None,
    client_secret_file: Annotated[
        _Text, _secret_file("Client Secret", "NSS_ZIA_CLIENT_SECRET")
    ] = None,
    private_key: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="OneAPI: sign in by this private key (PEM) instead."),
    ] = None,
    passphrase_file: Annotated[
        _Text, typer.Option(metavar="FILE", help="The key's passphrase; or NSS_ZIA_PASSPHRASE.")
    ] = None,
    vanity_domain: Annotated[
        _Text,
        typer.Option(
            metavar="NAME|URL", help="OneAPI: acme of acme.zslogin.net, or the token endpoint."
        ),
    ] = None,
    cloud: Annotated[
        _Text,
        typer.Option(metavar="NAME|URL", help="The cloud, as zscalertwo, or the API's URL."),
    ] = None,
    scope: Annotated[_Text, typer.Option(help="Entra: the Scope, RESOURCE/.default.")] = None,
    username: Annotated[_Text, typer.Option(help="Legacy: the API administrator.")] = None,
    password_file: Annotated[_Text, _secret_file("password", "NSS_ZIA_PASSWORD")] = None,
    api_key_file: Annotated[_Text, _secret_file("API key", "NSS_ZIA_API_KEY")] = None,
    skip_test: Annotated[bool, typer.Option("--skip-test", help="Store without testing.")] = False,
    no_input: NoInputOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Sign in to Zscaler Internet Access, which blocks unsanctioned apps: ask, test, store.

    Without options it asks for everything, and tests before it stores. The exit code is 69 when the
    test failed; then nothing was stored.

    Example: sudo nss configure-zia
    """
    from cli.dialogue import quiet

    with quiet():  # before what takes a while to be imported: a secret may be on its way
        from cli.zia.configuring import configure
        from cli.zia.prompts import ZiaOptions

        given = ZiaOptions(
            method,
            {
                "client_id": client_id,
                "token_url": vanity_domain,
                "api_url": cloud,
                "scope": scope,
                "username": username,
            },
            {
                "client_secret": client_secret_file,
                "password": password_file,
                "api_key": api_key_file,
            },
            private_key,
            passphrase_file,
        )
        code = configure(config, given, skip_test=skip_test, as_json=as_json, ask_nobody=no_input)
    raise typer.Exit(code)


def show_zia(as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Show what is stored for ZIA, secrets as ***. The exit code is 1 when there is nothing.

    Example: sudo nss show-zia
    """
    from cli.zia.showing import show

    raise typer.Exit(show(config, as_json=as_json))


def clear_zia(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Remove the credentials for ZIA: the URL category stays as it is.

    With the target "auto" of [sync], unsanctioned apps are synced into the file from then on.

    Example: sudo nss clear-zia
    """
    from cli.zia.showing import clear

    raise typer.Exit(clear(config, yes=yes))


def verify_blocking(
    urls: Annotated[
        list[str] | None,
        typer.Argument(metavar="URL", help="URLs to ask about, besides the whole category."),
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Verify that ZIA blocks the category of unsanctioned apps, and say why if it does not.

    Reads rules, settings and categories by the API; nothing is changed, and no URL is requested.
    The exit code is 1 when something may open, and 69 when the API role may not read enough to say.

    Example: sudo nss verify-blocking dropbox.com
    """
    from cli.zia.blocking import verify

    raise typer.Exit(verify(config, urls or [], as_json=as_json))
