"""The command lines for the portal; what they do is imported inside."""

from typing import Annotated, Literal

import typer

from cli.groups import CommandGroup
from cli.options import ConfigOption, JsonOption
from nss.config import DEFAULT_CONFIG

portal = typer.Typer(name="portal", cls=CommandGroup, rich_markup_mode=None)


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    portal.callback(invoke_without_command=True)(show)
    portal.command()(set_password)
    portal.command()(users)
    portal.command()(remove_user)
    portal.command()(sign_in_link)
    app.add_typer(portal)


def show(
    context: typer.Context,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Show where the portal is, who may sign in, and what to do next.

    The running service serves it to browsers, as [portal] in the configuration says.

    Example: sudo nss portal
    """
    if context.invoked_subcommand is None:
        from cli.portal.showing import show_portal

        show_portal(config, as_json=as_json)
    elif as_json or config != DEFAULT_CONFIG:
        from nss.errors import UsageError

        command = f"nss portal {context.invoked_subcommand}"
        raise UsageError(f"{command}: options stand behind it", tip=f"{command} --help")


def set_password(
    user: Annotated[str, typer.Argument(metavar="USER", help="Who signs in with it.")] = "admin",
    role: Annotated[
        Literal["admin", "viewer"] | None,
        typer.Option(
            help="admin changes and does everything, viewer only looks.",
            show_default="as before; admin for a new user",
        ),
    ] = None,
    password_file: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help='A file with the password, "-" for stdin.',
            show_default="asked for",
        ),
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Set the password of a user of the portal, who is added if need be.

    At a terminal it is asked for twice and not shown. At least 12 characters; a hash of it is
    stored. Sessions of that user end. A running service takes it over at once.

    Example: sudo nss portal set-password alice --role viewer
    """
    from cli.portal.accounts import set_password

    set_password(config, user, role, password_file)


def users(as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """List who may sign in at the portal. The exit code is 1 when nobody may.

    Example: sudo nss portal users
    """
    from cli.portal.showing import show_users

    raise typer.Exit(show_users(config, as_json=as_json))


def remove_user(
    user: Annotated[str, typer.Argument(metavar="USER", help="Who is not to sign in any more.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Remove a user of the portal, whose sessions end.

    Example: sudo nss portal remove-user alice
    """
    from cli.portal.accounts import remove_user

    raise typer.Exit(remove_user(config, user, yes=yes))


def sign_in_link(
    role: Annotated[
        Literal["admin", "viewer"],
        typer.Option(help="admin changes and does everything, viewer only looks."),
    ] = "admin",
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Print a link that signs in at the portal once, within ten minutes, without a password.

    For the first look, and when a password is forgotten or an attack on it makes its user wait.
    Whoever has the link is signed in: pass it on to nobody.

    Example: sudo nss portal sign-in-link
    """
    from cli.portal.showing import show_link

    show_link(config, role, as_json=as_json)
