"""The questions of `nss configure`, each asked until the answer is right."""

from collections.abc import Callable
from dataclasses import replace
from typing import Literal, get_args

import typer

from nss.config.kinds import InvalidValue, file_path
from nss.config.values import format_name, listen_address, zone_name
from nss.errors import NssError, UsageError
from nss.setup.template import UPLOAD, Choices, Target

McasWay = Literal["upload", "collector", "both", "none"]
"""How MCAS gets records."""

NONE = "none"
_TWICE = (
    "  MCAS then gets each record twice, and may count it twice: to keep both for good, give the\n"
    "  feeds different filters, or the log collector a data source of its own."
)


def interview(choices: Choices) -> Choices:
    """Ask a person; `choices` are offered as answers."""
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
    targets = _targets(choices.targets)
    return replace(
        choices,
        listen_tcp=tcp,
        listen_http=push,
        token_file=token,
        file=file,
        format=feed_format,
        zone=zone,
        targets=targets,
    )


def way_of(targets: tuple[Target, ...]) -> McasWay:
    """Return how MCAS gets records by these targets."""
    has_collector = any(target.is_collector for target in targets)
    if UPLOAD in targets:
        return "both" if has_collector else "upload"
    return "collector" if has_collector else "none"


def collector_at(text: str) -> Target:
    """Return the log collector at HOST:PORT. Raises `UsageError`."""
    return Target.parse(f"udp://{text.removeprefix('udp://')}")


def combined(
    known: tuple[Target, ...], way: McasWay, collector: Target | None
) -> tuple[Target, ...]:
    """Return targets by which MCAS gets records in a way, with all others that are known.

    Of known ones that reach a log collector, the first is replaced by `collector`. What was known
    keeps its place.
    """
    first = next((target for target in known if target.is_collector), None)
    others = [target for target in known if target not in {UPLOAD, first}]
    wanted = [UPLOAD] if way in {"upload", "both"} else []
    if way in {"collector", "both"}:
        place = collector or first
        if place is None:
            raise UsageError(
                "configure: which log collector?", tip="give --collector HOST:PORT as well"
            )
        wanted.append(place)
    found = [*wanted, *others]
    return tuple(sorted(found, key=lambda each: _rank(each, known, first)))


def _rank(target: Target, known: tuple[Target, ...], first: Target | None) -> int:
    if target in known:
        return known.index(target)
    if target.is_collector and first is not None:
        return known.index(first)
    return -1 if target == UPLOAD or target.is_collector else len(known)


def _targets(known: tuple[Target, ...]) -> tuple[Target, ...]:
    typer.echo("Defender for Cloud Apps (MCAS) gets records by upload, or by its log collector.")
    while True:
        default = way_of(known) if known else "upload"
        way = _way(_ask("MCAS by upload, collector, both or none", default, _way))
        collector = None
        first = next((target for target in known if target.is_collector), None)
        while way in {"collector", "both"} and collector is None:
            place = _ask("Log collector, HOST:PORT", first.place if first else "", collector_at)
            collector = collector_at(place) if place else None
        if way == "both":
            typer.echo(_TWICE)
        rest = tuple(target for target in known if target not in {UPLOAD, first})
        found = _others(combined((), way, collector), rest)
        if found:
            return tuple(sorted(found, key=lambda each: _rank(each, known, first)))
        typer.echo("  Records have to go somewhere.")


def _others(chosen: tuple[Target, ...], known: tuple[Target, ...]) -> tuple[Target, ...]:
    typer.echo("Other places: udp://HOST:PORT, tcp://HOST:PORT, tls://HOST:PORT or file:PATH.")
    found = list(chosen)
    rest = list(known)

    def fresh(text: str) -> None:
        target = Target.parse(text)
        if target.identity in {other.identity for other in found}:
            raise UsageError(f"records go to {target} already")

    while text := _ask("Also to", str(rest.pop(0)) if rest else "", fresh):
        found.append(Target.parse(text))
    return tuple(found)


def _way(text: str) -> McasWay:
    known: tuple[McasWay, ...] = get_args(McasWay)
    for way in known:
        if way == (text or NONE):
            return way
    raise UsageError(f"it must be one of {', '.join(known)}")


def _ask(question: str, default: str, check: Callable[[str], object]) -> str:
    """Ask until the answer is right; `none` and nothing mean that it is not wanted."""
    while True:
        text = str(typer.prompt(question, default=default or NONE)).strip()
        if text in {"", NONE}:
            return ""
        try:
            check(text)
        except InvalidValue as error:
            typer.echo(f"  {error.problems[0].reason}")
        except NssError as error:
            typer.echo(f"  {error}".replace("\n", "\n  "))
        else:
            return text
