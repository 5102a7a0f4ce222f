"""`nss portal set-password` and `nss portal remove-user`."""

import sys
from pathlib import Path

import typer

from cli.dialogue import Dialogue, quiet
from cli.secrets import secret_text
from nss.errors import NssError, UsageError
from nss.mcas.access import audit_log
from nss.setup.portal_users import PortalUsers, Role, check_name, checked_password
from nss.setup.sections import Sections, read_sections
from nss.wording import nearest

_SET = "portal-set-password"
_REMOVE = "portal-remove-user"
_ATTEMPTS = 3


def sections_of(path: Path) -> Sections:
    """Return what these commands need of a configuration file. Raises `NssError`."""
    return read_sections(path, "portal", "service.state_directory", may_be_missing=True)


def set_password(path: Path, name: str, role: Role | None, password_file: str | None) -> None:
    """Store a password. Raises `NssError`."""
    sections = sections_of(path)
    folder = sections.service.state_directory
    users, audit = PortalUsers(folder), audit_log(folder)
    try:
        check_name(name)
        users.check_writable()
        user = users.set_password(name, _password(name, password_file), role)
    except NssError as error:
        if folder.is_dir():
            audit.write(_SET, "failed", str(error.args[0]), user=name)
        raise
    audit.write(_SET, "stored", user=user.name, role=user.role)
    addresses = sections.portal.addresses
    where = f" at {addresses[0]}" if addresses else ""
    typer.echo(f"{user.name} ({user.role}) can sign in with it{where}.")
    if not addresses:
        typer.echo('The portal is off: set listen = "127.0.0.1:9633" in [portal], then')
        typer.echo("  sudo nss restart")


def remove_user(path: Path, name: str, *, yes: bool) -> int:
    """Remove a user, after a question; the exit code is 1 if somebody says no."""
    folder = sections_of(path).service.state_directory
    users = PortalUsers(folder)
    users.check_writable()
    known = [user.name for user in users.users()]
    if name not in known:
        near = nearest(name, known)
        tip = f"did you mean {near}?" if near else "nss portal users lists them"
        raise UsageError(f"portal: there is no user {name!r}", tip=tip)
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError("portal: nobody to ask", tip="give --yes")
        if not typer.confirm(f"Remove {name}? Sessions of that user end.", default=False):
            typer.echo("Nothing was removed.")
            return 1
    users.remove(name)
    audit_log(folder).write(_REMOVE, "removed", user=name)
    typer.echo(f"Removed {name}.")
    if not any(user.role == "admin" for user in users.users()):
        typer.echo("No admin is left. Try: sudo nss portal set-password", err=True)
    return 0


def _password(name: str, password_file: str | None) -> str:
    """Return a password that can be used. Raises `UsageError`."""
    if password_file is None:
        if not sys.stdin.isatty():
            tip = "give --password-file FILE, or - for stdin"
            raise UsageError("portal: nobody to ask", tip=tip)
        with quiet(), Dialogue() as dialogue:
            return _asked(dialogue, name)
    password = secret_text("portal", password_file, "") or ""
    if "\ufffd" in password:
        raise UsageError("the password is not UTF-8")
    return password


def _asked(dialogue: Dialogue, name: str) -> str:
    """Ask twice, and again for what can't be used."""
    typer.echo(f"The password of {name}: at least 12 characters, for example a few words.")
    for _ in range(_ATTEMPTS):
        password = dialogue.ask("Password", hidden=True)
        try:
            checked_password(name, password)
        except UsageError as error:
            typer.echo(f"  {error}".replace("\n", "\n  "))
            continue
        if dialogue.ask("Once more", hidden=True) == password:
            return password
        typer.echo("  these are two different ones")
    raise UsageError("portal: no password was set", tip="run the command again")
