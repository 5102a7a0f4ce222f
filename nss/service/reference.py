"""The tables of `docs/metrics.md`, written from what is declared: metrics, counters, log events.

Run as `python -m nss.service.reference docs/metrics.md`, it rewrites the tables in that page, each
between `<!-- NAME: ... -->` and `<!-- end of NAME -->`.
"""

import logging
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from nss.admin import events as admin_events
from nss.admin.metric_families import METRICS
from nss.kafka import events as kafka_events
from nss.mcas import events as mcas_events
from nss.service import service
from nss.sinks import events as sink_events
from nss.sinks.cloud_discovery import events as upload_events
from nss.sources import events as source_events
from nss.sources.kafka import events as kafka_source_events
from nss.spool import events as feed_limit_events
from nss.spool.durable import events as spool_events
from nss.sync import events as sync_events
from nss.telemetry.counters import Counter
from nss.telemetry.events import declared

DECLARING = (
    service,
    admin_events,
    kafka_events,
    mcas_events,
    sink_events,
    upload_events,
    source_events,
    kafka_source_events,
    feed_limit_events,
    spool_events,
    sync_events,
)
"""To import the service is to import all events, but for those of parts that it imports late."""


def page(text: str) -> str:
    """Return the page with its tables as they should be. Raises `ValueError` without a place."""
    for name, table in (("metrics", _metrics()), ("counters", _counters()), ("events", _events())):
        place = re.compile(f"(<!-- {name}: .* -->\n\n).*(\n<!-- end of {name} -->)", re.DOTALL)
        found = place.search(text)
        if found is None:
            raise ValueError(f"the page has no place for the table of {name}")
        text = f"{text[: found.end(1)]}{table}{text[found.start(2) :]}"
    return text


def _metrics() -> str:
    return _table(
        ("metric", "type", "labels", "meaning"),
        ((_code(each.name), each.kind, _codes(each.labels), each.text) for each in METRICS),
    )


def _counters() -> str:
    return _table(
        ("event", "component", "what is counted"),
        ((_code(each), each.component, each.description) for each in Counter),
    )


def _events() -> str:
    return _table(
        ("event", "level", "component", "sentence", "fields", "counter"),
        (
            (
                _code(each.name),
                logging.getLevelName(each.level).lower(),
                each.component,
                each.sentence,
                _codes(each.fields.values()),
                _codes([each.counter] if each.counter else []),
            )
            for each in sorted(declared, key=lambda each: (each.name, each.level, each.sentence))
        ),
    )


def _code(text: str) -> str:
    return f"`{text}`"


def _codes(texts: Iterable[str]) -> str:
    return ", ".join(map(_code, texts))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(page(path.read_text(encoding="utf-8")), encoding="utf-8")
