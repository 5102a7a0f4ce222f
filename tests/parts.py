"""Sources, sinks and spools for tests: settings and seams by name, what is not named by default."""

from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from nss.config.model import DurableSpoolConfig, McasConfig, MemorySpoolConfig
from nss.config.sinks import (
    CloudDiscoverySinkConfig,
    FileSinkConfig,
    KafkaSinkConfig,
    SyslogTcpSinkConfig,
    SyslogUdpSinkConfig,
)
from nss.config.sources import (
    FileSourceConfig,
    HttpSourceConfig,
    StdinSourceConfig,
    TcpSourceConfig,
)
from nss.config.values import Address
from nss.kafka.settings import client_settings
from nss.sinks.cloud_discovery.sink import CloudDiscoverySink
from nss.sinks.file import FileSink
from nss.sinks.kafka.sink import KafkaSink
from nss.sinks.syslog.sink import Environment
from nss.sinks.syslog.tcp import SyslogTcpSink
from nss.sinks.syslog.udp import SyslogUdpSink
from nss.sources.file.source import FileSource
from nss.sources.http.auth import Credentials
from nss.sources.http.source import HttpSource
from nss.sources.stdin import StdinSource
from nss.sources.tcp.source import TcpSource
from nss.spool.durable.spool import DurableSpool
from nss.spool.memory import MemorySpool

if TYPE_CHECKING:
    import pytest

    from nss.mcas.session import McasSession

S = TypeVar("S")


def section(kind: type[S], options: dict[str, Any]) -> tuple[S, dict[str, Any]]:
    """Return the section that the options make, and those that are not of the section."""
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]  # every section is one
    settings = {name: value for name, value in options.items() if name in names}
    return kind(**settings), {n: v for n, v in options.items() if n not in names}


def file_source(path: Path, **options: Any) -> FileSource:  # noqa: ANN401 - the source's own
    """Return a source called `web`."""
    settings, seams = section(FileSourceConfig, {"name": "web", "path": path, **options})
    return FileSource(settings, **seams)


def stdin_source(**options: Any) -> StdinSource:  # noqa: ANN401 - the source's own
    """Return a source called `stdin`."""
    settings, seams = section(StdinSourceConfig, {"name": "stdin", **options})
    return StdinSource(settings, **seams)


def tcp_source(host: str = "127.0.0.1", port: int = 0, **options: Any) -> TcpSource:  # noqa: ANN401 - the source's own
    """Return a source called `tcp`."""
    listen = Address(host, port)
    settings, seams = section(TcpSourceConfig, {"name": "tcp", "listen": listen, **options})
    return TcpSource(settings, **seams)


def http_source(
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    token: bytes | None = None,
    basic: bytes | None = None,
    **options: Any,  # noqa: ANN401 - the source's own
) -> HttpSource:
    """Return a source called `push`."""
    listen = Address(host, port)
    settings, seams = section(HttpSourceConfig, {"name": "push", "listen": listen, **options})
    header = settings.token_header
    credentials = Credentials(token=token, basic=basic, token_header=header)
    return HttpSource(settings, credentials=credentials, **{"held_up": lambda: None} | seams)


def udp_sink(destinations: Iterable[tuple[str, int]], **options: Any) -> SyslogUdpSink:  # noqa: ANN401 - the sink's own
    """Return the sink of a feed called `feed`."""
    to = tuple(Address(*destination) for destination in destinations)
    settings, seams = section(SyslogUdpSinkConfig, {"destinations": to, **options})
    return SyslogUdpSink("feed", settings, **_with_environment(seams))


def tcp_sink(destinations: Iterable[tuple[str, int]], **options: Any) -> SyslogTcpSink:  # noqa: ANN401 - the sink's own
    """Return the sink of a feed called `feed`."""
    to = tuple(Address(*destination) for destination in destinations)
    settings, seams = section(SyslogTcpSinkConfig, {"destinations": to, **options})
    return SyslogTcpSink("feed", settings, **_with_environment(seams))


def kafka_sink(brokers: str, **options: Any) -> KafkaSink:  # noqa: ANN401 - the sink's own
    """Return a sink called `mcas` for the topic `web`; `brokers` as librdkafka has them."""
    addresses = tuple(
        Address(host, int(port))
        for host, _, port in (each.rpartition(":") for each in brokers.split(","))
    )
    named = {"brokers": addresses, "topic": "web", **options}
    settings, seams = section(KafkaSinkConfig, named)
    client = client_settings("feed mcas", settings, settings.kafka)
    return KafkaSink("mcas", settings, client, **seams)


def file_sink(path: Path | None, **options: Any) -> FileSink:  # noqa: ANN401 - the sink's own
    """Return the sink of a feed called `feed`; without a path it writes to standard output."""
    settings, seams = section(FileSinkConfig, {"path": path, **options})
    return FileSink("feed", settings, **seams)


def cloud_discovery_sink(
    session: object,
    state_directory: Path,
    mcas: McasConfig = McasConfig(),  # noqa: B008 - it is frozen
    **options: Any,  # noqa: ANN401 - the sink's own
) -> CloudDiscoverySink:
    """Return the sink of a feed called `mcas`."""
    settings, seams = section(CloudDiscoverySinkConfig, options)
    way = cast("McasSession", session)
    return CloudDiscoverySink("mcas", settings, mcas, way, state_directory, **seams)


def _with_environment(seams: dict[str, Any]) -> dict[str, Any]:
    """Put the seams that are of the environment there."""
    names = {field.name for field in fields(Environment)}
    surrounding = {name: value for name, value in seams.items() if name in names}
    rest = {name: value for name, value in seams.items() if name not in names}
    return {**rest, "environment": Environment(**surrounding)}


def happened(caplog: "pytest.LogCaptureFixture") -> list[tuple[str, dict[str, Any]]]:
    """Return the events that were logged so far, each with its facts."""
    logged = [vars(record) for record in caplog.records if record.name == "nss"]
    return [(record["event"], record["facts"]) for record in logged]


async def durable_spool(path: Path, **options: Any) -> DurableSpool:  # noqa: ANN401 - the spool's own
    """Return a spool, opened."""
    settings, seams = section(DurableSpoolConfig, {"path": path, **options})
    return await DurableSpool.open(settings, **seams)


def memory_spool(max_bytes: int, **seams: Any) -> MemorySpool:  # noqa: ANN401 - the spool's own
    """Return a spool of so many bytes."""
    return MemorySpool(MemorySpoolConfig(max_bytes=max_bytes), **seams)
