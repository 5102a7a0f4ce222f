"""`nss portal`, `nss portal users` and `nss portal sign-in-link`."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import typer

from cli.asking import service_of, status_if_running
from cli.output import show_json, time_text
from cli.portal.accounts import sections_of
from nss.config.portal import PortalConfig, warnings
from nss.config.stored import StoredError
from nss.config.values import is_loopback
from nss.setup.portal_users import SET_PASSWORD, PortalUsers, Role, User
from nss.wording import harmless


def show_portal(path: Path, *, as_json: bool) -> None:
    """Print where the portal is, who may sign in, and what to do next. Raises `NssError`."""
    sections = sections_of(path)
    portal = sections.portal
    users, problem = _users(sections.service.state_directory)
    is_running = status_if_running(path) is not None
    if as_json:
        show_json(
            {
                "on": portal.listen is not None,
                "addresses": portal.addresses,
                "running": is_running,
                "users": None if users is None else list(map(_plain, users)),
                "problem": problem,
                "warnings": list(warnings(portal)),
            }
        )
        return
    typer.echo(f"Portal:       {', '.join(portal.addresses) or 'off'}")
    typer.echo(f"Service:      {'running' if is_running else 'does not answer'}")
    names = None if users is None else ", ".join(f"{each.name} ({each.role})" for each in users)
    typer.echo(f"May sign in:  {harmless(problem or names or 'nobody yet')}")
    for warning in warnings(portal):
        typer.echo(f"Warning:      {warning}")
    typer.echo("Next:")
    for step in _next(portal, users, is_running=is_running):
        typer.echo(f"  {step}")


def show_users(path: Path, *, as_json: bool) -> int:
    """List the users; the exit code is 1 when there are none. Raises `StoredError`."""
    users = PortalUsers(sections_of(path).service.state_directory).users()
    if as_json:
        show_json({"users": list(map(_plain, users))})
    for user in users if not as_json else ():
        since = time_text(user.changed_at)
        typer.echo(harmless(f"{user.name:20}  {user.role:6}  password of {since}"))
    if not users and not as_json:
        typer.echo(f"Nobody can sign in at the portal yet. Try: {SET_PASSWORD}")
    return 0 if users else 1


def show_link(path: Path, role: Role, *, as_json: bool) -> None:
    """Print a link that the running service made. Raises `NssError`."""
    with service_of(path) as service:
        link = service.sign_in_link(role)
    if as_json:
        show_json({"link": link, "role": role})
        return
    typer.echo(harmless(link))
    typer.echo(f"Good once, for ten minutes, as {role}.", err=True)


def _users(folder: Path) -> tuple[list[User] | None, str | None]:
    """Return the users, or why they are not known."""
    try:
        return PortalUsers(folder).users(), None
    except StoredError as error:
        return None, str(error.args[0])


def _plain(user: User) -> dict[str, object]:
    return asdict(user)


def _next(portal: PortalConfig, users: list[User] | None, *, is_running: bool) -> Iterator[str]:
    """Yield what is left to do, in order."""
    if portal.listen is None:
        yield 'set listen = "127.0.0.1:9633" in [portal], then: sudo nss restart'
    if users is None:
        yield "sudo nss portal                 shows who may sign in"
    elif not users:
        yield f"{SET_PASSWORD}    a password for the user admin"
    if portal.listen is None:
        return
    if not is_running:
        yield "sudo nss start"
        return
    yield f"open {portal.addresses[0]} in a browser"
    if is_loopback(portal.listen.host):
        port = portal.listen.port
        yield f"from another machine first: ssh -L {port}:{portal.listen} THIS-MACHINE"
    yield "sudo nss portal sign-in-link    signs in without a password, once"
