"""`nss replay` and `nss reload`: what the running service is asked to do."""

import re
import time
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import typer

from cli.asking import service_of
from cli.output import iso_time, show_json, time_text
from nss.admin.control.client import ServiceUnavailable
from nss.errors import ConfigError, NssError, UsageError
from nss.status import left_behind
from nss.wording import harmless

_SECS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"(\d{1,9})([smhd])", re.ASCII)
_FORMS = "30m (s, m, h or d back from now) or 2026-11-23T10:00"


def replay(
    config: Path,
    feed: str,
    since: str,
    until: str | None,
    *,
    dry_run: bool = False,
    as_json: bool = False,
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
    if as_json:
        times = {"since": iso_time(begins), "until": iso_time(ends)}
        show_json({"feed": feed, **times, "records": records, "dry_run": dry_run})
    else:
        _show_replay(feed, records, (time_text(begins), time_text(ends)), dry_run=dry_run)


def _show_replay(feed: str, records: int, times: tuple[str, str], *, dry_run: bool) -> None:
    begins, ends = times
    if not records:
        typer.echo(
            f"Nothing to send again from {begins} to {ends}: what feed "
            f"{feed} took then is still pending, or no longer kept (replay_minutes)."
        )
        return
    does = "would deliver" if dry_run else "delivers"
    what = "1 record" if records == 1 else f"{records:,} records"
    typer.echo(
        f"{what} accepted from {begins} to {ends}: feed {feed} {does} "
        f"{'it' if records == 1 else 'them'} again.{' Nothing was sent.' if dry_run else ''}"
    )


def reload(config: Path, *, as_json: bool = False) -> None:
    """Put the configuration file in force. Raises `ConfigError` when it was refused."""
    with service_of(config) as service:
        try:
            done = service.reload()
        except ServiceUnavailable:
            raise
        except NssError as refused:
            if as_json:
                reason = str(refused.args[0])
                show_json({"in_force": False, "reason": reason, "tip": refused.tip})
                raise typer.Exit(ConfigError.exit_code) from None
            raise ConfigError(
                f"reload: refused, the old configuration stays in force: {refused.args[0]}",
                tip=refused.tip,
            ) from None
    if as_json:
        show_json({"in_force": True, **asdict(done)})
        return
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
