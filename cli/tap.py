"""`nss tap`: a sampled live view of what feeds read or send, or of the messages of a source."""

import sys
from base64 import b64encode
from contextlib import closing
from itertools import islice
from pathlib import Path

import orjson
import typer

from cli.asking import service_of
from cli.output import harmless_bytes, show_json
from nss.errors import UsageError
from nss.feeds.tap import Seen, TapKind
from nss.wording import harmless


def show_tap(
    config: Path,
    feed: str | None,
    kind: TapKind,
    text: str,
    limit: int | None,
    *,
    source: str | None = None,
    as_json: bool = False,
) -> None:
    """Print records or lines as they pass, until Ctrl-C, `limit`, or the end of the service.

    With `source` prints its messages instead, as JSON.

    On a terminal they are made harmless, and named by feed when all feeds are shown; anywhere
    else they are printed as they are. Raises `NssError`.
    """
    if source is not None and (feed is not None or kind == "records"):
        raise UsageError(
            "tap: --source shows what was read before any feed: no --feed, no --records"
        )
    for_people = sys.stdout.isatty()
    left_out = 0
    with service_of(config) as service:
        try:
            with closing(service.tap(feed, kind, text, source=source)) as passing:
                for seen in islice(passing, limit):
                    if as_json and source is not None:
                        show_json(_plain_message(seen), on_one_line=True)
                    elif as_json:
                        show_json(_plain(seen, kind), on_one_line=True)
                    elif source is not None:
                        typer.echo(harmless_bytes(seen.data) if for_people else seen.data)
                    else:
                        _print(seen, for_people=for_people, named=feed is None)
                    left_out = seen.left_out
        except KeyboardInterrupt:
            pass
    if left_out:
        typer.echo(f"nss: tap: {left_out:,} more passed and were not shown", err=True)


def _plain(seen: Seen, kind: TapKind) -> dict[str, object]:
    """Return what was seen for JSON; `data` is base64, since records may hold any bytes."""
    return {
        "feed": seen.feed,
        "kind": kind,
        "text": seen.data.decode(errors="backslashreplace"),
        "data": b64encode(seen.data).decode(),
        "full_bytes": seen.full_bytes,
        "left_out": seen.left_out,
    }


def _plain_message(seen: Seen) -> dict[str, object]:
    """Return a message for JSON."""
    message: dict[str, object] = orjson.loads(seen.data)
    sizes = {"value_bytes": seen.full_bytes, "left_out": seen.left_out}
    return {"source": seen.feed, **message, **sizes}


def _print(seen: Seen, *, for_people: bool, named: bool) -> None:
    if for_people:
        cut = seen.full_bytes - len(seen.data)
        name = harmless(f"{seen.feed}: ") if named else ""
        typer.echo(f"{name}{harmless_bytes(seen.data)}{f' ... {cut:,} more bytes' if cut else ''}")
    else:
        typer.echo(seen.data)
