"""The sections of sinks, one frozen type a kind."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal, get_args

from nss.config.kafka import SINK_REFUSED, KafkaConfig, PassedThrough, passed_through, topic_name
from nss.config.kinds import KIB, MIB, TIB, byte_size, list_of, output_path, seconds, whole_number
from nss.config.setting import Example, Role, Rule, needs, needs_flag, not_beside
from nss.config.values import Address, destination, header_text, host_name

_TLS = needs_flag("tls")


def _not_of_stdout(done: str) -> Rule:
    reason = f"standard output can't be {done}; leave this out, or name a file as path"
    return not_beside("path", "-", reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class SyslogSinkConfig:
    """What every sink that speaks syslog has."""

    destinations: Annotated[
        tuple[Address, ...],
        list_of(destination()),
        Example('["collector.example.com:514", "[2001:db8::1]:514"]'),
    ]
    """The collectors. The first is used; the next takes over while the ones before it fail."""
    pri: Annotated[
        int | None, whole_number(0, 191), Example("134", "no `<PRI>`; 134 with `rfc5424`")
    ] = None
    """The priority `<PRI>` before the line: 8 times the facility, plus the severity."""
    rfc5424: bool = False
    """Whether the line is wrapped in an RFC 5424 header."""
    hostname: Annotated[
        str | None, header_text(255), Example('"nss1.example.com"', "the machine's name")
    ] = None
    """The host name in the RFC 5424 header."""
    app_name: Annotated[str, header_text(48)] = "zscaler-nss"
    """The application name in the RFC 5424 header."""
    max_messages_per_sec: Annotated[
        int | None, whole_number(1, 10_000_000, "messages"), Example("9000", "no limit")
    ] = None
    """The rate at which messages are sent, evenly, without bursts."""
    resolve_secs: Annotated[float, seconds(1, 86_400)] = 300.0
    """How often host names are resolved again."""
    failback_secs: Annotated[float, seconds(1, 86_400)] = 60.0
    """How long after a takeover the earlier destinations are tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyslogUdpSinkConfig(SyslogSinkConfig):
    """One syslog message in one UDP datagram for each line."""

    kind: ClassVar[str] = "syslog_udp"

    max_message_bytes: Annotated[int, byte_size(480, 65_507)] = 8 * KIB
    """A longer message is shortened in its longest URL, referer or user agent."""
    source_ports: Annotated[int, whole_number(1, 64)] = 1
    """How many ports to send from, so that a collector with several sockets can share the load; the
    records of one user keep their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyslogTcpSinkConfig(SyslogSinkConfig):
    """One syslog message for each line over a TCP connection, with TLS if wanted."""

    kind: ClassVar[str] = "syslog_tcp"

    destinations: Annotated[
        tuple[Address, ...], list_of(destination()), Example('["collector.example.com:6514"]')
    ]
    """The collectors. The first is used; the next takes over while the ones before it fail."""
    framing: Literal["newline", "octet"] = "newline"
    """How messages are separated: by line feeds, or by octet counts (RFC 6587)."""
    max_message_bytes: Annotated[int, byte_size(480, 16 * MIB)] = 64 * KIB
    """A longer message is shortened in its longest URL, referer or user agent."""
    tls: bool = False
    """Whether to use TLS; the collector's certificate and name are verified."""
    tls_ca: Annotated[
        Path | None, Role.AUTHORITIES, _TLS, Example('"collectors-ca.pem"', "those of the system")
    ] = None
    """The authorities, PEM, one of which must have signed the collector's certificate."""
    tls_certificate: Annotated[
        Path | None, Role.CERTIFICATE, needs("tls_key"), _TLS, Example('"nss.pem"', "none")
    ] = None
    """The certificate chain that NSS presents, PEM."""
    tls_key: Annotated[
        Path | None, Role.PRIVATE_KEY, needs("tls_certificate"), _TLS, Example('"nss.key"', "none")
    ] = None
    """The private key of `tls_certificate`, PEM, not encrypted."""
    tls_server_name: Annotated[
        str | None, host_name(), _TLS, Example('"collector.example.com"', "the destination's host")
    ] = None
    """The name that the collector's certificate must have."""
    connect_secs: Annotated[float, seconds(0.1, 300)] = 10.0
    """How long connecting may take."""
    stall_secs: Annotated[float, seconds(0.1, 3600)] = 30.0
    """A connection that accepts or confirms nothing for this long is abandoned."""
    resend_secs: Annotated[float, seconds(0, 600)] = 0.0
    """After a connection is lost, lines sent up to this many seconds before are sent again (the
    service's Duplicate Logs), as well as those that the collector never confirmed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSinkConfig:
    """Lines appended to a file or written to standard output."""

    kind: ClassVar[str] = "file"

    # `None` is standard output.
    path: Annotated[Path | None, output_path(), Role.OUTPUT, Example('"/var/lib/nss/web.jsonl"')]
    """The file to append to, or "-" for standard output."""
    rotate_bytes: Annotated[
        int | None, byte_size(KIB, TIB), _not_of_stdout("rotated"), Example('"1GiB"', "never")
    ] = None
    """At this size the file is set aside as `NAME.1`, `NAME.2` and so on, and a new one started."""
    rotate_keep: Annotated[int, whole_number(1, 10_000, "files"), needs("rotate_bytes")] = 10
    """How many of the files set aside are kept."""
    sync: Annotated[bool, _not_of_stdout("synced")] = False
    """Whether lines count as delivered only once they are on disk (fsync)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudDiscoverySinkConfig:
    """Files of lines, uploaded to Cloud Discovery of MCAS; `[mcas]` says how to connect.

    Files are uploaded when one more batch might not fit, or after `max_secs`; a batch that does not
    fit into one file continues in the next. Give the feed the format `MCAS`.
    """

    kind: ClassVar[str] = "cloud_discovery"

    max_records: Annotated[int, whole_number(1, 10_000_000, "records")] = 100_000
    """The most records that go into one file."""
    max_bytes: Annotated[int, byte_size(64 * KIB, 5 * 10**9)] = 60 * 10**6
    """The most bytes that go into one file, before `gzip`; a longer line is shortened in its
    longest URL, referer or user agent. Above 64 MiB a file is uploaded in blocks."""
    max_secs: Annotated[float, seconds(1, 86_400)] = 300.0
    """How long records are collected for one file."""
    gzip: bool = False
    """Whether files are compressed: about a tenth of the bytes, at the cost of some CPU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSinkConfig(KafkaConfig):
    """Messages in a topic of Kafka, Redpanda or Event Hubs: each line one, or several lines in one.

    Lines count as delivered once all replicas that are in sync have confirmed them. Needs the extra
    `kafka` (confluent-kafka), which the Debian package has.
    """

    kind: ClassVar[str] = "kafka"

    topic: Annotated[str, topic_name(), Example('"web"')]
    """The topic; it must exist, or the cluster must create topics by itself."""
    key: Literal["none", "user"] = "none"
    """What chooses the partition: nothing, or the user, whose records then stay in order. The key
    of a message is a number made of the user's name (CRC-32, eight hex digits)."""
    pack_bytes: Annotated[
        int | None,
        byte_size(KIB, 16 * MIB),
        not_beside("key", "user", "a message with records of many users has no key; keep one"),
        Example('"64KiB"', "each line is a message"),
    ] = None
    """Lines go together in messages of up to this size, separated by line feeds: far less work for
    NSS and the cluster, where the readers know it. A source of NSS does."""
    compression: Literal["none", "lz4", "zstd", "snappy", "gzip"] = "lz4"
    """How batches of messages are compressed."""
    max_message_bytes: Annotated[int, byte_size(KIB, 16 * MIB)] = 10**6
    """A line that makes a longer message is shortened in its longest URL, referer or user agent.
    What the cluster still refuses as too large is rejected."""
    confirm_secs: Annotated[float, seconds(0.1, 600)] = 30.0
    """When the cluster confirms nothing for this long the feed counts as failing. Nothing is given
    up: the lines stay on their way, and are confirmed later or sent again."""
    kafka: Annotated[
        PassedThrough, passed_through(SINK_REFUSED), Example('{ "linger.ms" = 20 }', "none")
    ] = ()
    """Further settings of librdkafka, as they are. What NSS sets itself is refused."""


SinkConfig = (
    SyslogUdpSinkConfig
    | SyslogTcpSinkConfig
    | FileSinkConfig
    | CloudDiscoverySinkConfig
    | KafkaSinkConfig
)
SINK_KINDS: tuple[type[SinkConfig], ...] = get_args(SinkConfig)
