"""`nss configure`: ask what is needed, show the file that comes of it, write it."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer

from nss.config.kinds import InvalidValue, file_path
from nss.config.values import format_name, listen_address, zone_name
from nss.errors import NssError, UsageError
from nss.setup.configuration import check_kept, composed, replace_file, written
from nss.setup.template import Choices, Target, choices_of

_NONE = "none"


def configure(
    path: Path, given: Mapping[str, str], to: Sequence[str], *, ask_nobody: bool, force: bool
) -> None:
    """Write the configuration file of the answers. Raises `NssError`.

    `given` are the options that name a field of `Choices`, `to` the targets.
    """
    before = written(path)
    choices = _with_options(Choices() if before is None else choices_of(before), given, to)
    is_person = sys.stdin.isatty() and not ask_nobody
    if before is not None and not force:
        check_kept(path, before)
    if is_person:
        choices = replace(_interview(choices), portal=choices.portal)
    elif not given and not to:
        raise UsageError(
            "configure: nobody to ask, and no options",
            tip="give options, for example: nss configure --listen-tcp 0.0.0.0:5514 "
            "--to udp://collector.example.com:514",
        )
    text = composed(path, choices)
    if is_person:
        typer.echo(f"\n{text}")
        if not typer.confirm(f"Write this to {path}?", default=True):
            typer.echo("Nothing was written.")
            raise typer.Exit(1)
    replace_file(path, text)
    _show_next(path, choices)


def _with_options(choices: Choices, given: Mapping[str, str], to: Sequence[str]) -> Choices:
    said: dict[str, Any] = {key: "" if value == _NONE else value for key, value in given.items()}
    if to:
        said["targets"] = tuple(map(Target.parse, to))
    return replace(choices, **said)


def _interview(choices: Choices) -> Choices:
    typer.echo("NSS: where records come from and where they go. Enter keeps what is in brackets.")
    listen = listen_address().read
    while True:
        tcp = _ask("Listen for records over TCP at", choices.listen_tcp, listen)
        push = _ask("Listen for records pushed over HTTP at", choices.listen_http, listen)
        token = ""
        if push:
            token = _ask("File with the token of those who push", choices.token_file, str)
        file = _ask("Follow the file", choices.file, file_path().read)
        if tcp or push or file:
            break
        typer.echo("  Records have to come from somewhere.")
    feed_format = _ask("Feed format (a preset or a .fof file)", choices.format, format_name().read)
    zone = _ask("Time zone of the lines", choices.zone, zone_name().read)
    typer.echo(
        "Records go to udp://HOST:PORT, tcp://HOST:PORT, tls://HOST:PORT, file:PATH or mcas."
    )
    targets = _targets(choices.targets)
    return Choices(tcp, push, token, file, feed_format, zone, targets)


def _targets(known: tuple[Target, ...]) -> tuple[Target, ...]:
    targets: list[Target] = []
    while True:
        default = str(known[len(targets)]) if len(targets) < len(known) else ""
        text = _ask("And to" if targets else "Deliver to", default, Target.parse)
        if text:
            targets.append(Target.parse(text))
        elif targets:
            return tuple(targets)


def _ask(question: str, default: str, check: Callable[[str], object]) -> str:
    """Ask until the answer is right; `none` and nothing mean that it is not wanted."""
    while True:
        text = str(typer.prompt(question, default=default or _NONE)).strip()
        if text in {"", _NONE}:
            return ""
        try:
            check(text)
        except InvalidValue as error:
            typer.echo(f"  {error.problems[0].reason}")
        except NssError as error:
            typer.echo(f"  {error}".replace("\n", "\n  "))
        else:
            return text


def _show_next(path: Path, choices: Choices) -> None:
    typer.echo(f"Written to {path}.")
    typer.echo("Next:")
    if any(target.way == "mcas" for target in choices.targets):
        typer.echo("  sudo nss configure-mcas2    the credentials for uploads")
    typer.echo("  nss test-firewall           whether everything can be reached")
    if choices.portal.listen is not None:
        typer.echo("  sudo nss portal set-password    who may sign in at the portal")
    typer.echo("  sudo nss start              or nss reload, if it runs")
