"""`nss configure`: ask what is needed, show the file that comes of it, write it."""

import grp
import os
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import typer

from nss.config import load as configuration
from nss.config.kinds import FilePath
from nss.config.load import Config, ConfigProblems
from nss.config.setting import Kind, Refused
from nss.config.values import Destination, FormatName, ListenAddress, Zone
from nss.errors import ConfigError, InputMissing, NssError, UsageError
from nss.files.private import write_private
from nss.mcas.access import audit_log
from nss.setup.effective import effective
from nss.setup.template import Plan, Target, plan_of, text_of
from nss.wording import error_text

GROUP = "nss"
SAMPLE = Path("/usr/share/doc/nss-streamer/examples/nss.toml")
"""What the package installs; nobody's answers."""

_MODE = 0o640
_SUDO = "run the command with sudo"
_NONE = "none"
_LISTEN = ListenAddress(off=False)


@dataclass(frozen=True, slots=True)
class Given:
    """What options say; `None` where nothing was said."""

    listen_tcp: str | None = None
    listen_http: str | None = None
    token_file: str | None = None
    file: str | None = None
    format: str | None = None
    zone: str | None = None
    to: tuple[str, ...] = ()


def configure(path: Path, given: Given, *, ask_nobody: bool, force: bool) -> None:
    """Write the configuration file of the answers. Raises `NssError`."""
    before = _before(path)
    plan = _with_options(Plan() if before is None else plan_of(before), given)
    is_person = sys.stdin.isatty() and not ask_nobody
    if before is not None and not force:
        _refuse_loss(path, before)
    if is_person:
        plan = _interview(plan)
    elif given == Given():
        raise UsageError(
            "configure: nobody to ask, and no options",
            tip="give options, for example: nss configure --listen-tcp 0.0.0.0:5514 "
            "--to udp://collector.example.com:514",
        )
    if not plan.targets:
        raise UsageError("configure: records have to go somewhere", tip="give --to")
    text = text_of(plan)
    config = configuration.parse(text, path.absolute().parent, origin="the answers")
    if is_person:
        typer.echo(f"\n{text}")
        if not typer.confirm(f"Write this to {path}?", default=True):
            typer.echo("Nothing was written.")
            raise typer.Exit(1)
    _write(path, text, config)
    _tell_next(path, plan)


def _before(path: Path) -> Config | None:
    """Return what the file says now, `None` if nobody has said anything. Raises `ConfigError`."""
    try:
        if path.exists() and SAMPLE.exists() and path.read_bytes() == SAMPLE.read_bytes():
            return None
        return configuration.load(path)
    except InputMissing:
        if path.exists():
            raise
        return None
    except OSError as error:
        why = error_text(error)
        raise InputMissing(f"configure: can't be read: {why} ({path})", tip=_SUDO) from None
    except ConfigProblems as problems:
        raise ConfigError(
            f"{problems}".partition("\nTry: ")[0],
            tip=f"mend it, or set it aside: mv {path} {path}.wrong",
        ) from None


def _refuse_loss(path: Path, before: Config) -> None:
    """Raise `UsageError` with the keys that a new file would not have."""
    base = path.absolute().parent
    old = effective(before, tomllib.loads(path.read_text(encoding="utf-8-sig")))
    text = text_of(plan_of(before))
    new = effective(configuration.parse(text, base), tomllib.loads(text))
    lost = sorted(_paths(old) - _paths(new))
    if lost:
        raise UsageError(
            f"configure: the file has more than is asked for: {', '.join(lost[:8])} ({path})",
            tip="edit it, and run nss check; or give --force: it is kept beside the new one",
        )


def _paths(tables: dict[str, object], where: str = "") -> set[str]:
    """Return every key with its value, as texts: names of sources and feeds don't matter."""
    found: set[str] = set()
    for key, value in tables.items():
        name = f"{where}.{key}" if where else key
        if isinstance(value, dict):
            found |= _paths(value, where if where in {"sources", "feeds"} else name)
        elif not name.endswith(".sources"):
            found.add(f"{name} = {value}")
    return found


def _with_options(plan: Plan, given: Given) -> Plan:
    said: dict[str, Any] = {
        key: "" if value == _NONE else value
        for key in ("listen_tcp", "listen_http", "token_file", "file", "format", "zone")
        if (value := getattr(given, key)) is not None
    }
    plan = replace(plan, **said)
    return replace(plan, targets=tuple(map(target, given.to))) if given.to else plan


def target(text: str) -> Target:
    """Return the target that a text names. Raises `UsageError`."""
    scheme, mark, place = text.partition("://")
    if text == "mcas":
        return Target("mcas")
    if text.startswith("file:"):
        return Target("file", text.removeprefix("file:"))
    if mark and scheme in {"udp", "tcp", "tls"}:
        try:
            return Target(scheme, str(Destination().read(place)))  # type: ignore[arg-type]
        except Refused as refused:
            raise UsageError(f"configure: {refused.problems[0].why}: {place}") from None
    raise UsageError(
        f"configure: this is no place for records: {text}",
        tip="udp://HOST:PORT, tcp://HOST:PORT, tls://HOST:PORT, file:PATH or mcas",
    )


def _interview(plan: Plan) -> Plan:
    typer.echo("NSS: where records come from and where they go. Enter takes what is in brackets.")
    while True:
        tcp = _ask("Listen for records over TCP at", plan.listen_tcp, _checked(_LISTEN))
        push = _ask("Listen for records pushed over HTTP at", plan.listen_http, _checked(_LISTEN))
        token = ""
        if push:
            token = _ask("File with the token of those who push", plan.token_file, _as_it_is)
        file = _ask("Follow the file", plan.file, _checked(FilePath()))
        if tcp or push or file:
            break
        typer.echo("  Records have to come from somewhere.")
    feed_format = _ask("Feed format (a preset or a .fof file)", plan.format, _checked(FormatName()))
    zone = _ask("Time zone of the lines", plan.zone, _checked(Zone()))
    typer.echo(
        "Records go to udp://HOST:PORT, tcp://HOST:PORT, tls://HOST:PORT, file:PATH or mcas."
    )
    targets: list[Target] = []
    while True:
        default = str(plan.targets[len(targets)]) if len(targets) < len(plan.targets) else ""
        what = "Deliver to" if not targets else "And to"
        text = _ask(what, default, lambda text: str(target(text)))
        if text:
            targets.append(target(text))
        elif targets:
            break
    return Plan(tcp, push, token, file, feed_format, zone, tuple(targets))


def _ask(question: str, default: str, check: Callable[[str], object]) -> str:
    """Ask until the answer is right; `none` and nothing mean that it is not wanted."""
    while True:
        text = str(typer.prompt(question, default=default or _NONE)).strip()
        if text in {"", _NONE}:
            return ""
        try:
            check(text)
        except Refused as refused:
            typer.echo(f"  {refused.problems[0].why}")
        except NssError as error:
            typer.echo(f"  {error}".replace("\n", "\n  "))
        else:
            return text


def _checked(kind: Kind) -> Callable[[str], object]:
    return kind.read


def _as_it_is(text: str) -> str:
    return text


def _write(path: Path, text: str, config: Config) -> None:
    """Put the file in its place; the one before stays beside it. Raises `NssError`."""
    try:
        if path.exists():
            old = path.with_name(f"{path.name}.old")
            write_private(old, path.read_bytes(), owner=_owner())
            old.chmod(_MODE)
        write_private(path, text.encode(), owner=_owner())
        path.chmod(_MODE)
    except OSError as error:
        raise ConfigError(
            f"configure: can't be written: {error_text(error)} ({path})",
            tip=_SUDO,
        ) from None
    audit_log(config.service.state_directory).write("configure", "stored", path=str(path))


def _owner() -> tuple[int, int] | None:
    """Return root, and the group that the service is in, if there is one."""
    if os.geteuid() != 0:
        return None
    try:
        return 0, grp.getgrnam(GROUP).gr_gid
    except KeyError:
        return None


def _tell_next(path: Path, plan: Plan) -> None:
    typer.echo(f"Written to {path}.")
    typer.echo("Next:")
    if any(one.way == "mcas" for one in plan.targets):
        typer.echo("  sudo nss configure-mcas2    the credentials for uploads")
    typer.echo("  nss test-firewall           whether everything can be reached")
    typer.echo("  sudo nss start              or nss reload, if it runs")
