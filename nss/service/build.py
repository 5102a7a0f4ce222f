"""Configuration to parts: the one place that knows which class a kind is."""

import socket
import ssl
from collections.abc import Callable, Collection, Mapping

from formats import pipeline
from formats.times import zone
from nss.config.files import load_format, load_input, read_basic, read_obfuscation_key, read_token
from nss.config.load import (
    CloudDiscoverySinkConfig,
    Config,
    DurableSpoolConfig,
    FeedConfig,
    FileSinkConfig,
    FileSourceConfig,
    HttpSourceConfig,
    ListeningSourceConfig,
    MemorySpoolConfig,
    SourceConfig,
    SpoolConfig,
    StdinSourceConfig,
    SyslogTcpSinkConfig,
    SyslogUdpSinkConfig,
    TcpSourceConfig,
)
from nss.errors import ServiceError
from nss.feeds.collecting import CollectedDelivery
from nss.feeds.delivery import Delivery, LineDelivery
from nss.feeds.feed import Feed
from nss.feeds.pipelines import Origin
from nss.feeds.tap import Tap
from nss.mcas.access import McasAccess, audit_log, uploads_folder
from nss.sinks import CollectingSink, Sink
from nss.sinks.file import FileSink
from nss.sinks.syslog.tcp import SyslogTcpSink
from nss.sinks.syslog.udp import SyslogUdpSink
from nss.sources import Source
from nss.sources.file.source import FileSource
from nss.sources.http.source import HttpSource
from nss.sources.stdin import StdinSource
from nss.sources.tcp.source import TcpSource
from nss.spool import Cursor, Spool
from nss.spool.durable.schema import At
from nss.spool.durable.spool import DurableSpool
from nss.spool.durable.store import Limits
from nss.spool.memory import MemorySpool
from nss.tls import client_context, server_context


def build_source(
    settings: SourceConfig, position: str | None, is_full: Callable[[], bool]
) -> Source:
    """Return the source of a kind; `is_full` tells whether the spool would make it wait."""
    match settings:
        case FileSourceConfig():
            return FileSource(
                settings.name,
                settings.path,
                follow=settings.follow,
                max_record_bytes=settings.max_record_bytes,
                poll_secs=settings.poll_secs,
                position=position,
            )
        case StdinSourceConfig():
            return StdinSource(settings.name, max_record_bytes=settings.max_record_bytes)
        case TcpSourceConfig():
            return TcpSource(
                settings.name,
                settings.listen.host,
                settings.listen.port,
                framing=settings.framing,
                ssl_context=_server_context(settings),
                idle_secs=settings.idle_secs,
                max_record_bytes=settings.max_record_bytes,
                max_connections=settings.max_connections,
            )
        case HttpSourceConfig():
            token_file, basic_file = settings.token_file, settings.basic_file
            return HttpSource(
                settings.name,
                settings.listen.host,
                settings.listen.port,
                path=settings.path,
                token=None if token_file is None else read_token(token_file),
                basic=None if basic_file is None else read_basic(basic_file),
                max_record_bytes=settings.max_record_bytes,
                max_body_bytes=settings.max_body_bytes,
                max_decompressed_bytes=settings.max_decompressed_bytes,
                max_connections=settings.max_connections,
                body_secs=settings.body_secs,
                ssl_context=_server_context(settings),
                is_full=is_full,
            )


def _server_context(settings: ListeningSourceConfig) -> ssl.SSLContext | None:
    return server_context(
        settings.name, settings.tls_certificate, settings.tls_key, settings.tls_client_ca
    )


def build_sink(settings: FeedConfig, config: Config, access: McasAccess) -> Sink:
    """Return the sink of a feed. Raises `NssError` for one that can't be built."""
    match settings.sink:
        case CloudDiscoverySinkConfig() as upload:
            # What uploads takes 30 MB, which a service without uploads does not need.
            from nss.sinks.cloud_discovery.sink import CloudDiscoverySink  # noqa: PLC0415

            return CloudDiscoverySink(
                settings.name,
                access.session(config),
                uploads_folder(config.service.state_directory),
                audit_log(config.service.state_directory),
                source_type=config.mcas.source_type,
                data_source=config.mcas.data_source,
                max_records=upload.max_records,
                max_bytes=upload.max_bytes,
                max_secs=upload.max_secs,
                gzip=upload.gzip,
            )
        case SyslogUdpSinkConfig() as udp:
            return SyslogUdpSink(
                settings.name,
                udp.destinations,
                pri=udp.pri,
                rfc5424=udp.rfc5424,
                hostname=udp.hostname or socket.gethostname(),
                app_name=udp.app_name,
                max_message_bytes=udp.max_message_bytes,
                max_messages_per_sec=udp.max_messages_per_sec,
                source_ports=udp.source_ports,
                resolve_secs=udp.resolve_secs,
                failback_secs=udp.failback_secs,
            )
        case SyslogTcpSinkConfig() as tcp:
            identity = (tcp.tls_ca, tcp.tls_certificate, tcp.tls_key)
            return SyslogTcpSink(
                settings.name,
                tcp.destinations,
                framing=tcp.framing,
                pri=tcp.pri,
                rfc5424=tcp.rfc5424,
                hostname=tcp.hostname or socket.gethostname(),
                app_name=tcp.app_name,
                max_message_bytes=tcp.max_message_bytes,
                max_messages_per_sec=tcp.max_messages_per_sec,
                ssl_context=client_context(*identity) if tcp.tls else None,
                tls_server_name=tcp.tls_server_name,
                connect_secs=tcp.connect_secs,
                stall_secs=tcp.stall_secs,
                resend_secs=tcp.resend_secs,
                resolve_secs=tcp.resolve_secs,
                failback_secs=tcp.failback_secs,
            )
        case FileSinkConfig() as file:
            return FileSink(
                settings.name,
                "-" if file.path is None else file.path,
                rotate_bytes=file.rotate_bytes,
                rotate_keep=file.rotate_keep,
                sync=file.sync,
            )


def build_feed(
    name: str,
    cursor: Cursor,
    sink: Sink,
    origins: Mapping[str, Origin],
    taps: Collection[Tap],
    at: At,
    is_full: Callable[[], bool],
) -> Feed:
    """Return a feed; `is_full` tells whether the spool waits for room."""
    delivery: Delivery = LineDelivery(sink)
    if isinstance(sink, CollectingSink):
        delivery = CollectedDelivery(sink, is_full)
    return Feed(name, cursor, origins, delivery, taps, at)


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
            pipeline.FeedSettings(
                format=feed_format,
                filter=settings.filter,
                zone=zone(settings.zone),
                source_zone=zone(source.zone),
                escape_characters=settings.escape_characters,
                protect_separators=settings.protect_separators,
                obfuscation_key=key,
                max_record_bytes=source.max_record_bytes,
            ),
        )
    return origins


async def open_spool(settings: SpoolConfig, at: At) -> Spool:
    """Return the spool, opened. Raises `SpoolError`. `at` is a seam for crash tests."""
    match settings:
        case MemorySpoolConfig():
            return MemorySpool(settings.max_bytes)
        case DurableSpoolConfig():
            limits = Limits(
                settings.max_bytes,
                min_free_bytes=settings.min_free_bytes,
                drop_oldest=settings.when_full == "drop_oldest",
                replay_secs=settings.replay_minutes * 60,
                rejects_max_bytes=settings.rejects_max_bytes,
            )
            return await DurableSpool.open(settings.path, limits, at=at)
