"""The sections of sinks, one frozen type a kind."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from nss.config.kinds import (
    KIB,
    MIB,
    TIB,
    Choice,
    FilePath,
    Flag,
    ListOf,
    OutputPath,
    Seconds,
    Size,
    Whole,
)
from nss.config.setting import Setting
from nss.config.values import Address, Destination, HeaderText, HostName


@dataclass(frozen=True, slots=True, kw_only=True)
class SyslogSinkConfig:
    """What every sink that speaks syslog has."""

    destinations: Annotated[
        tuple[Address, ...],
        Setting(
            ListOf(Destination()),
            "The collectors. The first is used; the next takes over while those before it fail.",
            example='["collector.example.com:514", "[2001:db8::1]:514"]',
        ),
    ]
    pri: Annotated[
        int | None,
        Setting(
            Whole(0, 191),
            "The priority `<PRI>` before the line: 8 times the facility plus the severity.",
            example="134",
            absent="no `<PRI>`; 134 with `rfc5424`",
        ),
    ] = None
    rfc5424: Annotated[
        bool, Setting(Flag(), "Whether the line is wrapped in an RFC 5424 header.")
    ] = False
    hostname: Annotated[
        str | None,
        Setting(
            HeaderText(255),
            "The host name in the RFC 5424 header.",
            example='"nss1.example.com"',
            absent="the machine's name",
        ),
    ] = None
    app_name: Annotated[
        str, Setting(HeaderText(48), "The application name in the RFC 5424 header.")
    ] = "zscaler-nss"
    max_messages_per_sec: Annotated[
        int | None,
        Setting(
            Whole(1, 10_000_000, "messages"),
            "The pace at which messages are sent, evenly, without bursts.",
            example="9000",
            absent="no limit",
        ),
    ] = None
    resolve_secs: Annotated[
        float, Setting(Seconds(1, 86_400), "How often host names are resolved again.")
    ] = 300.0
    failback_secs: Annotated[
        float,
        Setting(
            Seconds(1, 86_400),
            "How long after a takeover the destinations before it are tried again.",
        ),
    ] = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SyslogUdpSinkConfig(SyslogSinkConfig):
    """One syslog message in one UDP datagram for each line."""

    kind: ClassVar[str] = "syslog_udp"

    max_message_bytes: Annotated[
        int,
        Setting(
            Size(480, 65_507),
            "A longer message is shortened in its longest URL, referer or user agent.",
        ),
    ] = 8 * KIB
    source_ports: Annotated[
        int,
        Setting(
            Whole(1, 64),
            "From how many ports to send, so that a collector with several sockets can share the "
            "load; one user's records keep their order.",
        ),
    ] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SyslogTcpSinkConfig(SyslogSinkConfig):
    """One syslog message for each line over a TCP connection, with TLS if wanted."""

    kind: ClassVar[str] = "syslog_tcp"

    destinations: Annotated[
        tuple[Address, ...],
        Setting(
            ListOf(Destination()),
            "The collectors. The first is used; the next takes over while those before it fail.",
            example='["collector.example.com:6514"]',
        ),
    ]
    framing: Annotated[
        Literal["newline", "octet"],
        Setting(
            Choice("newline", "octet"),
            "How messages are told apart: by line feeds, or by octet counts (RFC 6587).",
        ),
    ] = "newline"
    max_message_bytes: Annotated[
        int,
        Setting(
            Size(480, 16 * MIB),
            "A longer message is shortened in its longest URL, referer or user agent.",
        ),
    ] = 64 * KIB
    tls: Annotated[
        bool,
        Setting(
            Flag(), "Whether to speak TLS; certificate and name of the collector are verified."
        ),
    ] = False
    tls_ca: Annotated[
        Path | None,
        Setting(
            FilePath(),
            "The authorities, PEM, one of which must have signed the collector's certificate.",
            example='"collectors-ca.pem"',
            absent="those of the system",
        ),
    ] = None
    tls_certificate: Annotated[
        Path | None,
        Setting(
            FilePath(),
            "The certificate chain that NSS shows, PEM; needs `tls_key`.",
            example='"nss.pem"',
            absent="none",
        ),
    ] = None
    tls_key: Annotated[
        Path | None,
        Setting(
            FilePath(),
            "The private key of `tls_certificate`, PEM, not encrypted, not readable for everyone.",
            example='"nss.key"',
            absent="none",
        ),
    ] = None
    tls_server_name: Annotated[
        str | None,
        Setting(
            HostName(),
            "The name that the collector's certificate must have.",
            example='"collector.example.com"',
            absent="the destination's host",
        ),
    ] = None
    connect_secs: Annotated[
        float, Setting(Seconds(0.1, 300), "How long a connection may take to be made.")
    ] = 10.0
    stall_secs: Annotated[
        float,
        Setting(
            Seconds(0.1, 3600),
            "A connection that takes or confirms nothing for this long is given up.",
        ),
    ] = 30.0
    resend_secs: Annotated[
        float,
        Setting(
            Seconds(0, 600),
            "After a connection was lost, lines of the last so many seconds are sent again (the "
            "service's Duplicate Logs), beside those the collector never confirmed.",
        ),
    ] = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSinkConfig:
    """Lines appended to a file or written to standard output."""

    kind: ClassVar[str] = "file"

    path: Annotated[
        Path | None,
        Setting(
            OutputPath(),
            'The file to append to, or "-" for standard output.',
            example='"/var/lib/nss/web.jsonl"',
        ),
    ]
    """`None` is standard output."""
    rotate_bytes: Annotated[
        int | None,
        Setting(
            Size(KIB, TIB),
            "At this size the file is set aside as `NAME.1`, `NAME.2` and so on, and begun anew.",
            example='"1GiB"',
            absent="never",
        ),
    ] = None
    rotate_keep: Annotated[
        int, Setting(Whole(1, 10_000, "files"), "How many files set aside are kept.")
    ] = 10
    sync: Annotated[
        bool,
        Setting(Flag(), "Whether lines count as delivered only once they are on the disk (fsync)."),
    ] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudDiscoverySinkConfig:
    """Files of lines, uploaded to Cloud Discovery of MCAS; `[mcas]` says how to get there.

    A file is uploaded when one more batch might not fit, or after `max_secs`. Give the feed the
    format `MCAS`.
    """

    kind: ClassVar[str] = "cloud_discovery"

    max_records: Annotated[
        int, Setting(Whole(1, 10_000_000, "records"), "So many records go into a file.")
    ] = 100_000
    max_bytes: Annotated[
        int,
        Setting(
            Size(64 * KIB, 5 * 10**9),
            "So many bytes go into a file, before `gzip`. Above 64 MiB it is uploaded in blocks.",
        ),
    ] = 60 * 10**6
    max_secs: Annotated[
        float, Setting(Seconds(1, 86_400), "So long records are collected for a file.")
    ] = 300.0
    gzip: Annotated[
        bool,
        Setting(Flag(), "Whether files are compressed: about a tenth of the bytes, for some CPU."),
    ] = False


SinkConfig = SyslogUdpSinkConfig | SyslogTcpSinkConfig | FileSinkConfig | CloudDiscoverySinkConfig
SINK_KINDS: tuple[type[SinkConfig], ...] = (
    SyslogUdpSinkConfig,
    SyslogTcpSinkConfig,
    FileSinkConfig,
    CloudDiscoverySinkConfig,
)
