"""Which modules do what a configuration asks for: imported before anything starts.

`nss.service.build` and its neighbours import a kind where they build it. What can't be imported is
found here, by `nss check`, a start and a reload, and not when a part is built in the middle of one.
"""

from collections.abc import Iterator
from importlib import import_module

from nss.config.model import Config, DurableSpoolConfig, MemorySpoolConfig, SpoolConfig
from nss.config.sinks import (
    CloudDiscoverySinkConfig,
    FileSinkConfig,
    SinkConfig,
    SyslogTcpSinkConfig,
    SyslogUdpSinkConfig,
)
from nss.config.sources import (
    FileSourceConfig,
    HttpSourceConfig,
    SourceConfig,
    StdinSourceConfig,
    TcpSourceConfig,
)
from nss.errors import ServiceError


def import_parts(config: Config) -> None:
    """Import what a configuration needs. Raises `ServiceError` for what can't be imported."""
    for module in dict.fromkeys(modules_of(config)):
        try:
            import_module(module)
        except ImportError as error:
            raise ServiceError(
                f"the installation is damaged: {module} can't be imported: {error}",
                tip="install NSS again",
            ) from error


def modules_of(config: Config) -> Iterator[str]:
    """Yield the modules of the parts of a configuration."""
    yield _spool_module(config.spool)
    yield from map(_source_module, config.sources)
    for feed in config.feeds:
        yield from _sink_modules(feed.sink, watches=config.mcas.parse_check_secs > 0)
    if config.service.control_socket is not None:
        yield "nss.admin.control.server"
    if config.service.metrics_listen is not None:
        yield "nss.admin.metrics"
    if config.portal.listen is not None:
        yield "nss.admin.portal.server"
    if config.sync.target != "off":
        yield "nss.sync.assembling"
        yield "nss.sync.schedule"


def _spool_module(settings: SpoolConfig) -> str:
    match settings:
        case MemorySpoolConfig():
            return "nss.spool.memory"
        case DurableSpoolConfig():
            return "nss.spool.durable.spool"


def _source_module(settings: SourceConfig) -> str:
    match settings:
        case FileSourceConfig():
            return "nss.sources.file.source"
        case StdinSourceConfig():
            return "nss.sources.stdin"
        case TcpSourceConfig():
            return "nss.sources.tcp.source"
        case HttpSourceConfig():
            return "nss.sources.http.source"


def _sink_modules(settings: SinkConfig, *, watches: bool) -> Iterator[str]:
    match settings:
        case SyslogUdpSinkConfig():
            yield "nss.sinks.syslog.udp"
        case SyslogTcpSinkConfig():
            yield "nss.sinks.syslog.tcp"
        case FileSinkConfig():
            yield "nss.sinks.file"
        case CloudDiscoverySinkConfig():
            yield "nss.sinks.cloud_discovery.sink"
            yield "nss.feeds.collecting"
            if watches:
                yield "nss.mcas.parse_watch"
