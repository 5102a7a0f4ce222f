"""From configuration to parts: the only place that knows the class of each kind.

A kind is imported where it is built: a service does not wait for what its configuration does not
ask for. `nss.service.imports` imports all that it does ask for, before anything starts.
"""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from formats import FeedSettings, zone
from nss.config.files import load_format, load_input, read_basic, read_obfuscation_key, read_token
from nss.config.model import Config, DurableSpoolConfig, FeedConfig, MemorySpoolConfig, SpoolConfig
from nss.config.portal import PortalConfig
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
    KafkaSourceConfig,
    ListeningSourceConfig,
    SourceConfig,
    StdinSourceConfig,
    TcpSourceConfig,
)
from nss.errors import ServiceError
from nss.expiry import Credential, Expiry, file_end
from nss.feeds.delivery import Delivery, LineDelivery
from nss.feeds.pipelines import Origin
from nss.mcas.access import McasAccess
from nss.sinks import CollectingSink, Sink
from nss.sources import Passing, Source
from nss.spool import At, PendingLimit, Spool
from nss.tls import client_context, server_context

if TYPE_CHECKING:
    from nss.kafka.settings import ClientSettings
    from nss.sources.http.auth import Credentials


@dataclass(frozen=True, slots=True)
class SourceFiles:
    """What is in the files that the section of a source names."""

    ssl_context: ssl.SSLContext | None = None
    credentials: "Credentials | None" = None
    expiries: tuple[Expiry, ...] = ()
    """When the certificate ends that is shown from now on."""
    client: "ClientSettings | None" = field(default=None, repr=False)
    """What librdkafka is given, with secrets."""


def read_source_files(settings: SourceConfig) -> SourceFiles:
    """Read the files of a source. Raises `NssError` for those that can't be used."""
    match settings:
        case TcpSourceConfig():
            return SourceFiles(_server_context(settings), expiries=_shown_to_clients(settings))
        case HttpSourceConfig():
            expiries = _shown_to_clients(settings)
            return SourceFiles(_server_context(settings), _credentials(settings), expiries)
        case KafkaSourceConfig():
            from nss.sources.kafka.settings import consumer_settings

            shown = _expiries(
                f"source {settings.name}", "client_certificate", settings.tls_certificate
            )
            return SourceFiles(client=consumer_settings(settings), expiries=shown)
        case _:
            return SourceFiles()


def build_source(
    settings: SourceConfig,
    files: SourceFiles,
    position: str | None,
    held_up: Callable[[], str | None],
    passing: Callable[[], Passing],
) -> Source:
    """Return the source that a section describes; nothing is read for it.

    `held_up` returns why its records can't be accepted now, as half a sentence, `passing` how far
    its feeds are.
    """
    match settings:
        case FileSourceConfig():
            from nss.sources.file.source import FileSource

            return FileSource(settings, position=position)
        case StdinSourceConfig():
            from nss.sources.stdin import StdinSource

            return StdinSource(settings)
        case TcpSourceConfig():
            from nss.sources.tcp.source import TcpSource

            return TcpSource(settings, ssl_context=files.ssl_context)
        case HttpSourceConfig():
            from nss.sources.http.auth import Credentials
            from nss.sources.http.source import HttpSource

            return HttpSource(
                settings,
                credentials=files.credentials or Credentials(token=None, basic=None),
                held_up=held_up,
                ssl_context=files.ssl_context,
            )
        case KafkaSourceConfig():
            from nss.sources.kafka.source import KafkaSource

            return KafkaSource(settings, files.client or {}, position=position, passing=passing)


def _credentials(settings: HttpSourceConfig) -> "Credentials":
    from nss.sources.http.auth import Credentials

    token_file, basic_file = settings.token_file, settings.basic_file
    return Credentials(
        token=None if token_file is None else read_token(token_file),
        basic=None if basic_file is None else read_basic(basic_file),
        token_header=settings.token_header,
    )


def _server_context(settings: ListeningSourceConfig) -> ssl.SSLContext | None:
    return server_context(
        f"source {settings.name}",
        settings.tls_certificate,
        settings.tls_key,
        settings.tls_client_ca,
    )


def build_sink(settings: FeedConfig, config: Config, access: McasAccess) -> Sink:
    """Return the sink of a feed. Raises `NssError` if it can't be built."""
    name = settings.name
    match settings.sink:
        case CloudDiscoverySinkConfig() as upload:
            from nss.sinks.cloud_discovery.sink import CloudDiscoverySink

            return CloudDiscoverySink(
                name, upload, config.mcas, access.session(config), config.service.state_directory
            )
        case SyslogUdpSinkConfig() as udp:
            from nss.sinks.syslog.udp import SyslogUdpSink

            return SyslogUdpSink(name, udp)
        case SyslogTcpSinkConfig() as tcp:
            from nss.sinks.syslog.tcp import SyslogTcpSink

            identity = (tcp.tls_ca, tcp.tls_certificate, tcp.tls_key)
            return SyslogTcpSink(
                name, tcp, ssl_context=client_context(*identity) if tcp.tls else None
            )
        case FileSinkConfig() as file:
            from nss.sinks.file import FileSink

            return FileSink(name, file)
        case KafkaSinkConfig() as kafka:
            from nss.kafka.settings import client_settings
            from nss.sinks.kafka.sink import KafkaSink

            client = client_settings(f"feed {name}", kafka, kafka.kafka)
            return KafkaSink(name, kafka, client)


def _shown_to_clients(settings: ListeningSourceConfig) -> tuple[Expiry, ...]:
    name = f"source {settings.name}"
    return _expiries(name, "server_certificate", settings.tls_certificate)


def shown_to_collectors(settings: FeedConfig) -> tuple[Expiry, ...]:
    """Return when the certificate ends that a feed shows to its collectors from now on."""
    sink = settings.sink
    shown = (SyslogTcpSinkConfig, KafkaSinkConfig)
    path = sink.tls_certificate if isinstance(sink, shown) else None
    return _expiries(f"feed {settings.name}", "client_certificate", path)


def shown_by_portal(portal: PortalConfig) -> tuple[Expiry, ...]:
    """Return when the certificate ends that the portal shows from now on."""
    path = None if portal.listen is None else portal.tls_certificate
    return _expiries("portal", "portal_certificate", path)


def _expiries(component: str, credential: Credential, path: Path | None) -> tuple[Expiry, ...]:
    ends_at = None if path is None else file_end(path)
    if ends_at is None:  # a file that can't be read is reported where it is used
        return ()
    found = Expiry(component=component, credential=credential, place=str(path), ends_at=ends_at)
    return (found,)


def build_delivery(sink: Sink, is_full: Callable[[], bool]) -> Delivery:
    """Return how a feed delivers to its sink. `is_full`: whether what waits for it is too much."""
    if isinstance(sink, CollectingSink):
        from nss.feeds.collecting import CollectedDelivery

        return CollectedDelivery(sink, is_full)
    return LineDelivery(sink)


def pending_limit(settings: FeedConfig) -> PendingLimit | None:
    """Return how much may be pending for a feed."""
    most = settings.max_pending_bytes
    drops_oldest = settings.when_pending_full == "drop_oldest"
    return None if most is None else PendingLimit(most, drops_oldest)


def build_origins(settings: FeedConfig, sources: tuple[SourceConfig, ...]) -> dict[str, Origin]:
    """Return how a feed reads each of its sources."""
    feed_format = load_format(settings.format)
    if feed_format is None:
        raise ServiceError(f"feed {settings.name}: {settings.format.value} is no format to render")
    key_file = settings.obfuscation_key_file
    key = b"" if key_file is None else read_obfuscation_key(key_file)
    origins = {}
    for source in sources:
        if source.name not in settings.sources:
            continue
        origins[source.name] = Origin(
            load_input(source.format),
            FeedSettings(
                format=feed_format,
                filter=settings.filter,
                zone=zone(settings.zone),
                source_zone=zone(source.zone),
                escape_characters=settings.escape_characters,
                protect_separators=settings.protect_separators,
                protect_for=frozenset(settings.protect_for),
                obfuscation_key=key,
                max_record_bytes=source.max_record_bytes,
            ),
        )
    return origins


async def open_spool(settings: SpoolConfig, at: At) -> Spool:
    """Return the spool, opened. Raises `SpoolError`. `at` is a seam for crash tests."""
    match settings:
        case MemorySpoolConfig():
            from nss.spool.memory import MemorySpool

            return MemorySpool(settings)
        case DurableSpoolConfig():
            from nss.spool.durable.spool import DurableSpool

            return await DurableSpool.open(settings, at=at)
