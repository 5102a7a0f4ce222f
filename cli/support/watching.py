"""`nss troubleshoot`: the running service's feeds, connections and sockets."""

import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import typer

from cli.asking import process_of, status_of
from cli.output import show_json
from cli.status import Sheet, aligned
from nss.addresses import host_port
from nss.admin.control.client import ServiceUnavailable
from nss.config import load as configuration
from nss.connectivity.owners import owner
from nss.connectivity.sockets import Socket, sockets_of
from nss.errors import NotAllowed
from nss.status.summary import FeedStatus
from nss.wording import duration_text, harmless, size_text

LOOK_SECS = 0.25
"""Connections that live shorter than this may not be seen."""

SLOW_SECS = 5.0
"""So long a lag is nothing of the ordinary."""

_NONE = "Feed is stable. No suspicious events detected."


def show_feeds(path: Path, *, as_json: bool) -> int:
    """Print how each feed is; returns the exit code. Raises `NssError`."""
    status = status_of(path)
    found = {feed.name: _suspicions(feed) for feed in status.feeds}
    spool = [reason for reason in status.health.reasons if reason.component == "spool"]
    troubles = [reason for reason in spool if reason.degrades]
    stable = not any(found.values()) and not troubles
    if as_json:
        rows = [
            {"name": feed.name, "destination": feed.destination, "stable": not found[feed.name]}
            | {"suspicions": found[feed.name]}
            for feed in status.feeds
        ]
        show_json({"stable": stable, "feeds": rows, "spool": [each.why for each in troubles]})
        return 0 if stable else 1
    typer.echo(f"NSS is live\nCurrently active feeds: {len(status.feeds)}")
    for feed in status.feeds:
        state = "Stable"
        if feed.last_error is not None:
            state = f"Failing for {duration_text(feed.failing_secs)}"
        typer.echo(f"Feed name: {harmless(feed.name)}:\n  Connection Status:")
        typer.echo(f"    [{harmless(feed.destination)}] : {state}\n  Other health checks:")
        for sentence in found[feed.name] or [_NONE]:
            typer.echo(f"    {harmless(sentence)}")
        if feed.advice is not None:
            typer.echo(f"    {harmless(feed.advice)}")
    for each in troubles:
        typer.echo(f"Spool: no record is accepted\n    {harmless(each.why)}")
        typer.echo(f"    {harmless(each.meaning)}\n    Try: {harmless(each.remedy)}")
    return 0 if stable else 1


def _suspicions(feed: FeedStatus) -> list[str]:
    """Return what is not as it should be, as sentences."""
    found = []
    if feed.last_error is not None:
        found.append(f"Last error: {feed.last_error}")
    lag_secs = feed.lag_secs - feed.patience_secs
    if feed.last_error is None and lag_secs > SLOW_SECS:
        grows = "and more with time" if feed.lag_growth_secs > 0 else "and no more with time"
        found.append(
            f"{feed.pending:,} records wait, the oldest for {duration_text(feed.lag_secs)}, "
            f"{grows}: the destination takes them more slowly than they come."
        )
    if feed.limited_since is not None and feed.max_pending_bytes is not None:
        limit = f"as much is pending as it may have, {size_text(feed.max_pending_bytes)}"
        what = f"Its sources wait: {limit} (max_pending_bytes)."
        if feed.drops_oldest:
            what = f"It drops its oldest records, {feed.limited_dropped:,} of them so far: {limit}."
        found.append(what)
    if feed.rejected_lately:
        found.append(f"{feed.rejected_lately:,} records were rejected lately: nss rejects")
    if feed.unaccounted:
        found.append(f"The account has lost sight of {feed.unaccounted:,} records: a fault of NSS.")
    return found


def show_connections(path: Path, seconds: float, *, as_json: bool) -> int:
    """Watch connections and print what became of them; returns the exit code."""
    config = configuration.load(path)
    status = status_of(path)
    pid = process_of(status, path)
    made: Counter[str] = Counter()
    waiting: dict[str, int] = {}
    last: set[tuple[str, int, str, int]] = set()
    owners: dict[tuple[str, int, str, int], str] = {}
    deadline = time.monotonic() + seconds
    first = True
    while first or time.monotonic() < deadline:
        now = {
            _ends(socket): socket
            for socket in _sockets(pid)
            if socket.state == "established" and socket.proto.startswith("tcp")
        }
        for ends in now.keys() - last:
            owners[ends] = owner(now[ends], config, status.feeds) or host_port(ends[2], ends[3])
            made[owners[ends]] += not first
        for ends, socket in now.items():
            waiting[owners[ends]] = max(waiting.get(owners[ends], 0), socket.unsent_bytes)
        last = set(now)
        first = False
        time.sleep(LOOK_SECS)
    # A source's senders come and go as they like; only a feed keeps its connection.
    flapping = {name for name, times in made.items() if times and not name.startswith("source ")}
    rows = [
        {"name": name, "made_again": made[name], "unsent_bytes": waiting[name]}
        | {"stable": name not in flapping}
        for name in sorted(waiting)
    ]
    if as_json:
        show_json({"stable": not flapping, "seconds": seconds, "connections": rows})
        return 1 if flapping else 0
    typer.echo(f"Watched for {duration_text(seconds)}.")
    if not rows:
        typer.echo("No TCP connection was open. UDP has none.")
    for name in sorted(waiting):
        state = f"Flapping: made again {made[name]} times" if name in flapping else "Stable"
        typer.echo(f"  {harmless(name):32} : {state}, up to {waiting[name]:,} bytes unsent")
    return 1 if flapping else 0


def show_sockets(path: Path, *, as_json: bool) -> None:
    """Print the sockets of the service. Raises `NssError`."""
    config = configuration.load(path)
    status = status_of(path)
    pid = process_of(status, path)
    found = [(socket, owner(socket, config, status.feeds)) for socket in _sockets(pid)]
    found.sort(key=lambda pair: (pair[0].state != "listening", _ends(pair[0])))
    if as_json:
        show_json([asdict(socket) | {"owner": whose} for socket, whose in found])
        return
    columns = ("proto", "recv-q", "send-q", "local", "remote", "state", "of")
    rows = tuple(_row(socket, whose) for socket, whose in found)
    typer.echo("\n".join(aligned(Sheet(columns, rows, frozenset()))))


def _row(socket: Socket, whose: str) -> tuple[str, ...]:
    remote = host_port(socket.remote_host, socket.remote_port) if socket.remote_host else "*"
    queues = (str(socket.received_bytes), str(socket.unsent_bytes))
    local = host_port(socket.local_host, socket.local_port)
    return (socket.proto, *queues, local, remote, socket.state, whose)


def _ends(socket: Socket) -> tuple[str, int, str, int]:
    return socket.local_host, socket.local_port, socket.remote_host, socket.remote_port


def _sockets(pid: int) -> list[Socket]:
    try:
        return sockets_of(pid)
    except PermissionError:
        raise NotAllowed(
            f"troubleshoot: the sockets of the service can't be seen by this user (pid {pid})",
            tip="run the command with sudo",
        ) from None
    except OSError:
        raise ServiceUnavailable(f"the service has ended meanwhile (pid {pid})") from None
