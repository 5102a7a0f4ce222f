"""Prometheus metrics and health pages of a status, on a port of their own.

    /metrics   everything, in the text form of Prometheus
    /healthz   200 when healthy, 503 when degraded, with the reasons as JSON
    /readyz    200 when records are accepted now, 503 when not, with the reasons as JSON
    /livez     200 while a restart would change nothing, 503 when the service itself hangs

Read-only and without a password: the port belongs on loopback.
"""

import socket
import time
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nss.addresses import listener
from nss.admin.local_server import LocalServer, encoded
from nss.admin.metric_families import METRICS
from nss.admin.operations import Operations
from nss.config.sources import SOURCE_KINDS, ListeningSourceConfig
from nss.config.values import Address
from nss.errors import ServiceError
from nss.status.summary import Status
from nss.wording import error_text

MAX_CONNECTIONS = 32
MAX_CONNECTIONS_EACH = 16
"""Of one address."""

_BACKLOG = 64

_LISTENING = {each.kind for each in SOURCE_KINDS if issubclass(each, ListeningSourceConfig)}


class _Scraped(Collector):
    """Asks the service for its status each time it is scraped."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    def collect(self) -> Iterable[Metric]:
        status = self._operations.status()
        return [family.filled(status) for family in METRICS]

    def describe(self) -> Iterable[Metric]:
        """Describe nothing in advance: there may be no status yet."""
        return ()


class _Process(ProcessCollector):
    """Metrics of the process, also where /proc shows only processes (ProcSubset= of the unit)."""

    def _boot_time(self) -> float:
        # The library reads it from /proc/stat, and without it has no metrics at all.
        return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)


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
        _Process(registry=self._registry)

    async def start(self) -> None:
        """Listen. Raises `ServiceError` when the port can't be used."""
        listener = _listener(self._address)
        self.bound_port = listener.getsockname()[1]
        pages = {
            "/metrics": self._metrics,
            "/healthz": self._healthz,
            "/readyz": self._readyz,
            "/livez": self._livez,
        }
        app = Starlette(routes=[Route(path, page) for path, page in pages.items()])
        self._server = LocalServer(
            "metrics",
            app,
            listener,
            max_connections=MAX_CONNECTIONS,
            max_each=MAX_CONNECTIONS_EACH,
        )
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
        reasons = _unready(self._operations.status())
        answer = {"ok": not reasons, "reasons": reasons}
        return Response(encoded(answer), 503 if reasons else 200, media_type="application/json")

    async def _livez(self, _request: Request) -> Response:
        health = self._operations.status().health
        # What stands still is among the reasons; if the service hangs, they say with what.
        reasons = [] if health.alive else [str(each) for each in health.reasons if each.degrades]
        answer = {"ok": health.alive, "reasons": reasons}
        status = 200 if health.alive else 503
        return Response(encoded(answer), status, media_type="application/json")


def _unready(status: Status) -> list[str]:
    """Return why no records are accepted now, each reason a sentence; empty: some are.

    Only sources that others connect to count: a load balancer asks for them. Without any, all do.
    """
    spool = status.spool
    if reason := spool.last_error or ("the spool is full" if spool.full else None):
        return [reason]
    sources = [source for source in status.sources if source.kind in _LISTENING] or status.sources
    reasons = [f"source {each.name}: {each.held_up}" for each in sources if each.held_up]
    return reasons if len(reasons) == len(sources) else []


def _listener(address: Address) -> socket.socket:
    try:
        return listener(*address, _BACKLOG)
    except OSError as error:
        raise ServiceError(
            f"metrics: can't listen: {error_text(error)} ({address})",
            tip="set service.metrics_listen to a free address of this machine",
        ) from None
