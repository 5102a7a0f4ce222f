"""Prometheus metrics and health pages of a status, on a port of their own.

    /metrics   everything, in the text form of Prometheus
    /healthz   200 when healthy, 503 when degraded, with the reasons as JSON
    /readyz    200 when records are accepted now, 503 when not, with the reasons as JSON

Read-only and without a password: the port belongs on loopback.
"""

import socket
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nss.addresses import listener
from nss.admin.local_server import LocalServer, encoded
from nss.admin.operations import Operations
from nss.config.values import Address
from nss.errors import ServiceError
from nss.status.summary import FeedStatus, SourceStatus, Status
from nss.telemetry import events
from nss.wording import error_text

MAX_CONNECTIONS = 64

_BACKLOG = 64

_Sample = tuple[tuple[str, ...], float]


@dataclass(frozen=True, slots=True)
class Family:
    """A metric family: its name as it is scraped, its help text, and its labels."""

    name: str
    kind: Literal["counter", "gauge"]
    text: str
    labels: tuple[str, ...] = ()

    def filled(self, samples: Iterable[_Sample]) -> Metric:
        """Return the family with its samples, each the label values and the number."""
        kind = CounterMetricFamily if self.kind == "counter" else GaugeMetricFamily
        family = kind(self.name, self.text, labels=self.labels)
        for values, number in samples:
            family.add_metric(values, number)
        return family


OUTCOMES = ("delivered", "filtered", "rejected", "dropped")

BUILD = Family("nss_build_info", "gauge", "Always 1, with the version as a label.", ("version",))
STARTED = Family(
    "nss_start_time_seconds", "gauge", "When the service started, seconds since the epoch."
)
HEALTH = Family("nss_health", "gauge", "1 when healthy, 0 when degraded, as /healthz tells.")
ALIVE = Family("nss_alive", "gauge", "0 when the service itself hangs and a restart may help.")

_SOURCE = ("source",)
SOURCE_RECORDS = Family(
    "nss_source_records_total", "counter", "Records accepted from the source.", _SOURCE
)
SOURCE_BYTES = Family(
    "nss_source_bytes_total", "counter", "Bytes of the records accepted from the source.", _SOURCE
)
SOURCE_LAST = Family(
    "nss_source_last_record_timestamp_seconds",
    "gauge",
    "When the last record was accepted, seconds since the epoch; absent before the first.",
    _SOURCE,
)
SOURCE_FAILING = Family(
    "nss_source_failing", "gauge", "1 while the source tells an error.", _SOURCE
)

_FEED = ("feed",)
FEED_ACCEPTED = Family(
    "nss_feed_accepted_records_total",
    "counter",
    "Records accepted for the feed: those of all outcomes, and those pending.",
    _FEED,
)
FEED_RECORDS = Family(
    "nss_feed_records_total",
    "counter",
    f"What became of the feed's records; outcome is {', '.join(OUTCOMES[:-1])} or {OUTCOMES[-1]}.",
    ("feed", "outcome"),
)
FEED_SHORTENED = Family(
    "nss_feed_shortened_records_total",
    "counter",
    "Delivered records whose line was too long and was cut.",
    _FEED,
)
FEED_PENDING = Family(
    "nss_feed_pending_records", "gauge", "Records accepted for the feed and still waiting.", _FEED
)
FEED_LAG = Family(
    "nss_feed_lag_seconds", "gauge", "How long ago the oldest pending record was accepted.", _FEED
)
FEED_STILL = Family(
    "nss_feed_still_seconds",
    "gauge",
    "How long records have been pending while none of them moved.",
    _FEED,
)
FEED_FAILING = Family(
    "nss_feed_failing", "gauge", "1 while the feed's destination takes no lines.", _FEED
)

SPOOL_USED = Family(
    "nss_spool_used_bytes", "gauge", "Bytes held, as nss_spool_max_bytes limits them."
)
SPOOL_MAX = Family("nss_spool_max_bytes", "gauge", "Bytes that may be held.")
SPOOL_FULL = Family("nss_spool_full", "gauge", "1 while something waits for room.")
SPOOL_FAILING = Family("nss_spool_failing", "gauge", "1 while nothing can be accepted.")
SPOOL_DURABLE = Family(
    "nss_spool_durable", "gauge", "1 when what was accepted outlives the process."
)
REJECTS = Family("nss_rejects_kept", "gauge", "Rejected records that are kept for a look.")

EVENTS = Family(
    "nss_events_total",
    "counter",
    "What happened, by cause: event is the counter of the log's events, component the part.",
    ("event", "component"),
)

METRICS = (
    *(BUILD, STARTED, HEALTH, ALIVE),
    *(SOURCE_RECORDS, SOURCE_BYTES, SOURCE_LAST, SOURCE_FAILING),
    *(FEED_ACCEPTED, FEED_RECORDS, FEED_SHORTENED, FEED_PENDING, FEED_LAG, FEED_STILL),
    *(FEED_FAILING, SPOOL_USED, SPOOL_MAX, SPOOL_FULL, SPOOL_FAILING, SPOOL_DURABLE),
    *(REJECTS, EVENTS),
)


def families(status: Status, counters: Mapping[tuple[str, str], int]) -> Iterator[Metric]:
    """Yield every metric of a status; `counters` is (counter, component) -> count."""
    health, spool = status.health, status.spool
    yield BUILD.filled([((status.version,), 1)])
    for family, number in (
        (STARTED, status.started_at),
        (HEALTH, health.ok),
        (ALIVE, health.alive),
        (SPOOL_USED, spool.used_bytes),
        (SPOOL_MAX, spool.max_bytes),
        (SPOOL_FULL, spool.full),
        (SPOOL_FAILING, spool.last_error is not None),
        (SPOOL_DURABLE, spool.durable),
        (REJECTS, spool.kept_rejects),
    ):
        yield family.filled([((), float(number))])
    yield from _of_sources(status.sources)
    yield from _of_feeds(status.feeds)
    yield EVENTS.filled(sorted(counters.items()))


def _of_sources(sources: Iterable[SourceStatus]) -> Iterator[Metric]:
    sources = tuple(sources)
    yield SOURCE_RECORDS.filled(((source.name,), source.records) for source in sources)
    yield SOURCE_BYTES.filled(((source.name,), source.data_bytes) for source in sources)
    yield SOURCE_LAST.filled(
        ((source.name,), source.last_at) for source in sources if source.last_at is not None
    )
    yield SOURCE_FAILING.filled(
        ((source.name,), source.last_error is not None) for source in sources
    )


def _of_feeds(feeds: Iterable[FeedStatus]) -> Iterator[Metric]:
    feeds = tuple(feeds)
    yield FEED_ACCEPTED.filled(((feed.name,), feed.accepted) for feed in feeds)
    yield FEED_RECORDS.filled(
        ((feed.name, outcome), getattr(feed, outcome)) for feed in feeds for outcome in OUTCOMES
    )
    yield FEED_SHORTENED.filled(((feed.name,), feed.shortened) for feed in feeds)
    yield FEED_PENDING.filled(((feed.name,), feed.pending) for feed in feeds)
    yield FEED_LAG.filled(((feed.name,), feed.lag_secs) for feed in feeds)
    yield FEED_STILL.filled(((feed.name,), feed.still_secs) for feed in feeds)
    yield FEED_FAILING.filled(((feed.name,), feed.last_error is not None) for feed in feeds)


class _Scraped(Collector):
    """Asks the service for its status each time it is scraped."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    def collect(self) -> Iterable[Metric]:
        return families(self._operations.status(), events.counters)

    def describe(self) -> Iterable[Metric]:
        """Describe nothing in advance: there may be no status yet."""
        return ()


class MetricsServer:
    """Serves the metrics and health of `operations` at `address`."""

    def __init__(self, address: Address, operations: Operations) -> None:
        self.bound_port: int | None = None
        """The port listened at, which is the address's unless that is 0."""
        self._address = address
        self._operations = operations
        self._server: LocalServer | None = None
        self._registry = CollectorRegistry()
        self._registry.register(_Scraped(operations))
        ProcessCollector(registry=self._registry)

    async def start(self) -> None:
        """Listen. Raises `ServiceError` when the port can't be used."""
        listener = _listener(self._address)
        self.bound_port = listener.getsockname()[1]
        pages = {"/metrics": self._metrics, "/healthz": self._healthz, "/readyz": self._readyz}
        app = Starlette(routes=[Route(path, page) for path, page in pages.items()])
        self._server = LocalServer(app, listener, max_connections=MAX_CONNECTIONS)
        await self._server.start()

    async def close(self) -> None:
        """Stop listening, if it did."""
        if self._server is not None:
            await self._server.close()

    async def _metrics(self, _request: Request) -> Response:
        text = generate_latest(self._registry)
        return Response(text, headers={"content-type": CONTENT_TYPE_PLAIN_0_0_4})

    async def _healthz(self, _request: Request) -> Response:
        health = self._operations.status().health
        return Response(encoded(health), 200 if health.ok else 503, media_type="application/json")

    async def _readyz(self, _request: Request) -> Response:
        spool = self._operations.status().spool
        reason = spool.last_error or ("the spool is full" if spool.full else None)
        answer = {"ok": reason is None, "reasons": [reason] if reason else []}
        return Response(encoded(answer), 503 if reason else 200, media_type="application/json")


def _listener(address: Address) -> socket.socket:
    try:
        return listener(*address, _BACKLOG)
    except OSError as error:
        raise ServiceError(
            f"metrics: can't listen: {error_text(error)} ({address})",
            tip="set service.metrics_listen to a free address of this machine",
        ) from None
