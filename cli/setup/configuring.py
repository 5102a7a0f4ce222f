"""`nss configure`: ask what is needed, show the file that comes of it, write it."""

import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import typer

from cli.appliance.networking import ask_first
from cli.setup.interview import NONE, McasWay, collector_at, combined, interview, way_of
from nss.appliance import is_appliance
from nss.appliance.proxy import store_apt_proxy
from nss.config import DEFAULT_CONFIG
from nss.config.model import Config
from nss.errors import UsageError
from nss.setup.configuration import check_kept, composed, replace_file, written
from nss.setup.template import UPLOAD, Choices, Target, choices_of


@dataclass(frozen=True, slots=True)
class Places:
    """What options say of where records go; `None` and nothing are what they don't."""

    to: tuple[str, ...] = ()
    mcas: McasWay | None = None
    collector: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.to or self.mcas or self.collector)


def configure(
    path: Path, given: Mapping[str, str], places: Places, *, ask_nobody: bool, force: bool
) -> None:
    """Write the configuration file of the answers. Raises `NssError`.

    `given` are the options that name a field of `Choices`.
    """
    before = written(path)
    choices = _with_options(Choices() if before is None else choices_of(before), given, places)
    is_person = sys.stdin.isatty() and not ask_nobody
    if before is not None and not force:
        check_kept(path, before)
    asks_network = is_person and is_appliance() and path.absolute() == DEFAULT_CONFIG
    proxy: str | None = None
    if asks_network:
        proxy = ask_first(path)
        choices = _with_proxy(choices, proxy)
    if is_person:
        choices = interview(choices)
    elif not given and not places:
        raise UsageError(
            "configure: nobody to ask, and no options",
            tip="give options, for example: nss configure --listen-tcp 0.0.0.0:5514 "
            "--mcas both --collector collector.example.com:514",
        )
    text = composed(path, choices)
    if is_person:
        typer.echo(f"\n{text}")
        if not typer.confirm(f"Write this to {path}?", default=True):
            typer.echo("Nothing was written.")
            raise typer.Exit(1)
    replace_file(path, text)
    if asks_network:
        store_apt_proxy(proxy)
    _show_next(path, choices, before)


def _with_proxy(choices: Choices, proxy: str | None) -> Choices:
    auth_file = None if proxy is None else choices.mcas.proxy_auth_file
    return replace(choices, mcas=replace(choices.mcas, proxy=proxy, proxy_auth_file=auth_file))


def _with_options(choices: Choices, given: Mapping[str, str], places: Places) -> Choices:
    said: dict[str, Any] = {key: "" if value == NONE else value for key, value in given.items()}
    if places:
        said["targets"] = _targets(choices.targets, places)
    return replace(choices, **said)


def _targets(known: tuple[Target, ...], places: Places) -> tuple[Target, ...]:
    """Return the targets of the options: `to` takes the place of what is known."""
    targets = tuple(map(Target.parse, places.to)) or known
    if len(places.collector) > 1:
        raise UsageError(
            "configure: --collector is given twice, and there is one log collector",
            tip="--collector for one, --to udp://HOST:PORT for the other",
        )
    collector = collector_at(*places.collector) if places.collector else None
    way = places.mcas
    if collector is not None and way in {"upload", "none"}:
        raise UsageError(f"configure: --collector does not go with --mcas {way}")
    if places.to and (way or collector):
        # What is named by `to` stays as it is; the rest comes before it.
        return (*combined((), way or "collector", collector), *targets)
    if way is None:
        if collector is None:
            return targets
        way = "both" if way_of(targets) in {"upload", "both"} else "collector"
    return combined(targets, way, collector)


def _show_next(path: Path, choices: Choices, before: Config | None) -> None:
    typer.echo(f"Written to {path}.")
    places = zip(choices.feed_names, choices.targets, strict=True)
    typer.echo("Feeds: " + ", ".join(f"{name} to {target}" for name, target in places) + ".")
    names = [] if before is None else [feed.name for feed in before.feeds]
    if gone := [name for name in names if name not in choices.feed_names]:
        typer.echo(f"No longer there: feed {', '.join(gone)}. {path.name}.old has it.")
    typer.echo("Next:")
    named = "" if path.absolute() == DEFAULT_CONFIG else f" --config {shlex.quote(str(path))}"
    steps = [
        ("sudo nss configure-mcas2", "the credentials for uploads", UPLOAD in choices.targets),
        ("nss test-firewall", "whether everything can be reached", True),
        (
            "sudo nss portal set-password",
            "who may sign in at the portal",
            choices.portal.listen is not None,
        ),
        ("sudo nss start", "or nss reload, if it runs", True),
    ]
    rows = [(f"{command}{named}", note) for command, note, is_due in steps if is_due]
    cells = max(len(command) for command, _ in rows)
    for command, note in rows:
        typer.echo(f"  {command:{cells}}  {note}")
