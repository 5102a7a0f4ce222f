"""Which modules do what a configuration asks for: imported before anything starts.

`nss.service.build` and its neighbours import a kind where they build it. What can't be imported is
found here, by `nss check`, a start and a reload, and not when a part is built in the middle of one.
"""

import sys
from collections.abc import Iterator
from importlib import import_module

from nss.config.model import Config, DurableSpoolConfig, MemorySpoolConfig, SpoolConfig
from nss.config.sinks import (
    CloudDiscoverySinkConfig,
    FileSinkConfig,
    KafkaSinkConfig,
    SinkConfig,
    SyslogTcpSinkConfig,
    SyslogUdpSinkConfig,
)
from nss.config.sources import (
    FileSourceConfig,
    HttpSourceConfig,
    KafkaSourceConfig,
    SourceConfig,
    StdinSourceConfig,
    TcpSourceConfig,
)
from nss.errors import ServiceError


def import_parts(config: Config, *, later: bool = False) -> None:
    """Import what a configuration needs. Raises `ServiceError` for what can't be imported.

    With `later` also what a running service imports only when a sync first runs.
    """
    parts = [*parts_of(config), *(_later_parts(config) if later else ())]
    for part in dict.fromkeys(parts):
        module, _, name = part.partition(":")
        try:
            getattr(import_module(module), name)
        except Exception as error:
            sys.modules.pop(module, None)  # or a file that was repaired would not be looked at
            raise ServiceError(
                f"the installation is damaged: {module} can't be imported: {error!r}",
                tip="install NSS again",
            ) from error


def parts_of(config: Config) -> Iterator[str]:
    """Yield the parts of a configuration as `module:what is imported from it`."""
    yield _spool_module(config.spool)
    yield from map(_source_module, config.sources)
    for feed in config.feeds:
        yield from _sink_modules(feed.sink, watches=config.mcas.parse_check_secs > 0)
    if config.service.control_socket is not None:
        yield "nss.admin.control.server:ControlServer"
    if config.service.metrics_listen is not None:
        yield "nss.admin.metrics:MetricsServer"
    if config.portal.listen is not None:
        yield "nss.admin.portal.server:PortalServer"
    if config.sync.target != "off":
        yield "nss.sync.assembling:SyncSetup"
        yield "nss.sync.schedule:Schedule"


def _later_parts(config: Config) -> Iterator[str]:
    if config.sync.target != "off":
        yield "nss.mcas.unsanctioned:listed_entries"
    if config.sync.target not in {"off", "file"}:
        yield from ("nss.setup.zia:zia_setup_of", "nss.sync.blocked:look_up", "nss.zia.api:Pace")


def _spool_module(settings: SpoolConfig) -> str:
    match settings:
        case MemorySpoolConfig():
            return "nss.spool.memory:MemorySpool"
        case DurableSpoolConfig():
            return "nss.spool.durable.spool:DurableSpool"


def _source_module(settings: SourceConfig) -> str:
    match settings:
        case FileSourceConfig():
            return "nss.sources.file.source:FileSource"
        case StdinSourceConfig():
            return "nss.sources.stdin:StdinSource"
        case TcpSourceConfig():
            return "nss.sources.tcp.source:TcpSource"
        case HttpSourceConfig():
            return "nss.sources.http.source:HttpSource"
        case KafkaSourceConfig():
            return "nss.sources.kafka.source:KafkaSource"


def _sink_modules(settings: SinkConfig, *, watches: bool) -> Iterator[str]:
    match settings:
        case SyslogUdpSinkConfig():
            yield "nss.sinks.syslog.udp:SyslogUdpSink"
        case SyslogTcpSinkConfig():
            yield "nss.sinks.syslog.tcp:SyslogTcpSink"
        case FileSinkConfig():
            yield "nss.sinks.file:FileSink"
        case KafkaSinkConfig():
            yield "nss.sinks.kafka.sink:KafkaSink"
            yield "nss.kafka.settings:client_settings"
        case CloudDiscoverySinkConfig():
            yield "nss.sinks.cloud_discovery.sink:CloudDiscoverySink"
            yield "nss.feeds.collecting:CollectedDelivery"
            if watches:
                yield "nss.mcas.parse_watch:ParseWatch"
