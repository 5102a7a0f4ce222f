"""`nss replay` and `nss reload`: what the running service is asked to do."""

import re
import time
from datetime import datetime
from pathlib import Path

import typer

from cli.asking import service_of
from cli.output import time_text
from nss.admin.control.client import ServiceUnavailable
from nss.errors import ConfigError, NssError, UsageError
from nss.status import left_behind
from nss.wording import harmless

_SECS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"(\d{1,9})([smhd])", re.ASCII)
_FORMS = "30m (s, m, h or d back from now) or 2026-11-23T10:00"


def replay(
    config: Path, feed: str, since: str, until: str | None, *, dry_run: bool = False
) -> None:
    """Have a feed deliver again what was accepted between two times. Raises `NssError`.

    With `dry_run` only show how many records there would be.
    """
    now = time.time()
    begins = moment(since, now, "--since")
    ends = now if until is None else moment(until, now, "--until")
    if begins >= ends:
        raise UsageError(
            f"replay: --since, {time_text(begins)}, is not before the end, {time_text(ends)}"
        )
    with service_of(config) as service:
        asked = service.replayable if dry_run else service.replay
        records = asked(feed, begins, ends)
    if not records:
        typer.echo(
            f"Nothing to send again from {time_text(begins)} to {time_text(ends)}: what feed "
            f"{feed} took then is still pending, or no longer kept (replay_minutes)."
        )
        return
    does = "would deliver" if dry_run else "delivers"
    what = "1 record" if records == 1 else f"{records:,} records"
    typer.echo(
        f"{what} accepted from {time_text(begins)} to {time_text(ends)}: feed {feed} {does} "
        f"{'it' if records == 1 else 'them'} again.{' Nothing was sent.' if dry_run else ''}"
    )


def reload(config: Path) -> None:
    """Put the configuration file in force. Raises `ConfigError` when it was refused."""
    with service_of(config) as service:
        try:
            done = service.reload()
        except ServiceUnavailable:
            raise
        except NssError as refused:
            raise ConfigError(
                f"reload: refused, the old configuration stays in force: {refused.args[0]}",
                tip=refused.tip,
            ) from None
    for verb, parts in (("ended", done.ended), ("started", done.started)):
        if parts:
            typer.echo(harmless(f"{verb} {', '.join(parts)}"))
    for left in done.left_behind:
        for sentence in left_behind.sentences(left):
            typer.echo(harmless(sentence))
    if not done.ended and not done.started:
        typer.echo("The configuration is in force; no part of it needed a restart.")


def moment(text: str, now: float, option: str) -> float:
    """Return the time, seconds since the epoch, that an option states. Raises `UsageError`.

    A time without a zone is in that of this machine.
    """
    duration = _DURATION.fullmatch(text)
    try:
        if duration is not None:
            stated = now - int(duration[1]) * _SECS[duration[2]]
        else:
            stated = datetime.fromisoformat(text).timestamp()
        time_text(stated)  # or the answer could not be shown
    except (ValueError, OverflowError, OSError):
        raise UsageError(f"{option} {text!r}: neither a duration nor a time", tip=_FORMS) from None
    return stated
