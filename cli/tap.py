"""`nss tap`: a sampled live view of what feeds read or send, or of the messages of a source."""

import sys
from base64 import b64encode
from collections.abc import Callable, Generator
from contextlib import closing
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TypeVar

import typer

from cli.asking import service_of
from cli.output import harmless_bytes, show_json
from nss.admin.control.client import ControlClient
from nss.errors import UsageError
from nss.feeds.tap import Seen, TapKind
from nss.sources.watching import SeenHeader, SeenMessage
from nss.wording import harmless

S = TypeVar("S", Seen, SeenMessage)


def show_tap(
    config: Path,
    feed: str | None,
    kind: TapKind,
    text: str,
    limit: int | None,
    *,
    as_json: bool = False,
) -> None:
    """Print records or lines as they pass, until Ctrl-C, `limit`, or the end of the feed.

    On a terminal they are made harmless, and named by feed when all feeds are shown; anywhere
    else they are printed as they are. Raises `NssError`.
    """
    for_people = sys.stdout.isatty()

    def show(seen: Seen) -> None:
        if as_json:
            show_json(_plain(seen, kind), on_one_line=True)
        else:
            _print(seen, for_people=for_people, named=feed is None)

    _watch(config, lambda service: service.tap(feed, kind, text), show, limit)


def show_messages(
    config: Path,
    source: str,
    feed: str | None,
    kind: TapKind,
    text: str,
    limit: int | None,
    *,
    as_json: bool = False,
) -> None:
    """Print messages as a source reads them, likewise, each made harmless on a line.

    Raises `NssError`; `UsageError` when a feed is named too, or its records are asked for.
    """
    if feed is not None or kind == "records":
        raise UsageError("tap: --source shows what comes before any feed: no --feed, no --records")

    def show(seen: SeenMessage) -> None:
        if as_json:
            show_json(_plain_message(seen), on_one_line=True)
        else:
            typer.echo(_message_text(seen))

    _watch(config, lambda service: service.messages(source, text), show, limit)


def _watch(
    config: Path,
    passing_of: Callable[[ControlClient], Generator[S, None, None]],
    show: Callable[[S], None],
    limit: int | None,
) -> None:
    left_out = shown = 0
    is_ended = False
    with service_of(config) as service:
        try:
            with closing(passing_of(service)) as passing:
                for seen in islice(passing, limit):
                    show(seen)
                    shown += 1
                    left_out = seen.left_out
            is_ended = shown != limit
        except KeyboardInterrupt:
            pass
    if is_ended:
        typer.echo("nss: tap: the service ended it: it stops, or a reload took that away", err=True)
    if left_out:
        typer.echo(f"nss: tap: {left_out:,} more passed and were not shown", err=True)


def _plain(seen: Seen, kind: TapKind) -> dict[str, object]:
    """Return what was seen for JSON; `data` is base64, since records may hold any bytes."""
    return {
        "feed": seen.feed,
        "kind": kind,
        **_any_bytes(seen.data),
        "full_bytes": seen.full_bytes,
        "left_out": seen.left_out,
    }


def _any_bytes(data: bytes) -> dict[str, object]:
    return {
        "text": data.decode(errors="backslashreplace"),
        "data": b64encode(data).decode(),
    }


def _plain_message(seen: SeenMessage) -> dict[str, object]:
    """Return a message for JSON; no key, no value (a tombstone), unreadable headers are null."""
    return {
        "source": seen.source,
        "kind": "messages",
        "topic": seen.topic,
        "partition": seen.partition,
        "offset": seen.offset,
        "produced_ms": seen.produced_ms,
        "key": _plain_part(seen.key, seen.key_bytes),
        "headers": None if seen.headers is None else [_plain_header(one) for one in seen.headers],
        "more_headers": seen.more_headers,
        "value": _plain_part(seen.value, seen.value_bytes),
        "left_out": seen.left_out,
    }


def _plain_part(data: bytes | None, full_bytes: int) -> dict[str, object] | None:
    return None if data is None else {**_any_bytes(data), "full_bytes": full_bytes}


def _plain_header(header: SeenHeader) -> dict[str, object]:
    name = header.name.decode(errors="backslashreplace")
    return {"name": name, "value": _plain_part(header.value, header.value_bytes)}


def _print(seen: Seen, *, for_people: bool, named: bool) -> None:
    if for_people:
        cut = seen.full_bytes - len(seen.data)
        name = harmless(f"{seen.feed}: ") if named else ""
        typer.echo(f"{name}{harmless_bytes(seen.data)}{f' ... {cut:,} more bytes' if cut else ''}")
    else:
        typer.echo(seen.data)


def _message_text(seen: SeenMessage) -> str:
    parts = [f"{harmless(seen.topic)}[{seen.partition}] {seen.offset}"]
    if seen.produced_ms is not None:
        parts.append(_time(seen.produced_ms))
    if seen.key is not None:
        parts.append(f"key {_quoted(seen.key, seen.key_bytes)}")
    if seen.headers is None:
        parts.append("headers that can't be read")
    for header in seen.headers or ():
        name = _quoted(header.name, len(header.name))
        parts.append(f"{name}={_quoted(header.value, header.value_bytes)}")
    if seen.more_headers:
        parts.append(f"{seen.more_headers:,} more headers")
    return f"{' '.join(parts)}: {_quoted(seen.value, seen.value_bytes)}"


def _quoted(data: bytes | None, full_bytes: int) -> str:
    if data is None:
        return "null"
    text = harmless_bytes(data).replace('"', '\\"')
    cut = full_bytes - len(data)
    return f'"{text}"' + (f" ({cut:,} more bytes)" if cut else "")


def _time(milliseconds: int) -> str:
    """Return a time in UTC; a number where no calendar has it: producers say what they like."""
    try:
        at = datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return str(milliseconds)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
