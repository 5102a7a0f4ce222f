"""The sections of the configuration: each a frozen type whose fields carry their declarations."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from formats.filters import Filter
from nss.setting_values import (
    AUTO,
    Address,
    ComponentName,
    Destination,
    EscapeCharacters,
    FormatChoice,
    FormatName,
    FormatText,
    HeaderText,
    ListenAddress,
    Zone,
)
from nss.settings import (
    Choice,
    FilePath,
    Flag,
    ListOf,
    OutputPath,
    Seconds,
    Setting,
    Size,
    Whole,
)

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceConfig:
    """The service as a whole."""

    log_format: Annotated[
        Literal["text", "json"],
        Setting(Choice("text", "json"), "How the log on stderr is written."),
    ] = "text"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Setting(
            Choice("debug", "info", "warning", "error"), "The least severe event that is logged."
        ),
    ] = "info"
    drain_secs: Annotated[
        float,
        Setting(
            Seconds(0, 3600), "How long a stop waits for the feeds to deliver what is pending."
        ),
    ] = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MemorySpoolConfig:
    """A spool in memory: what is pending is lost when the process ends before it is delivered."""

    kind: ClassVar[str] = "memory"

    max_bytes: Annotated[
        int,
        Setting(
            Size(MIB, 64 * GIB), "Bytes of records held for the feeds; when full, the sources wait."
        ),
    ] = 32 * MIB


SpoolConfig = MemorySpoolConfig
SPOOL_KINDS: tuple[type[SpoolConfig], ...] = (MemorySpoolConfig,)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonSourceConfig:
    """What every source has."""

    name: str
    format: Annotated[
        FormatChoice,
        Setting(
            FormatName(for_source=True),
            "The feed format that the records are in. `auto` recognises a preset from the records, "
            "`json` reads objects with NSS field names in any order.",
        ),
        Setting(
            FormatText(for_source=True),
            "The feed output format string that wrote the records, instead of `format`.",
            key="format_string",
            example="'%d{epochtime} %s{elogin} %s{eurl}'",
            absent="`format` holds",
        ),
    ] = AUTO
    zone: Annotated[
        str, Setting(Zone(), "The time zone of times in the records that carry none.")
    ] = "GMT"
    max_record_bytes: Annotated[
        int,
        Setting(
            Size(64, 256 * MIB), "A longer record is set apart as bad; its neighbours are not."
        ),
    ] = MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSourceConfig(CommonSourceConfig):
    """Records from a file, followed through rotation or read once as a whole."""

    kind: ClassVar[str] = "file"

    path: Annotated[
        Path, Setting(FilePath(), "The file to read.", example='"/var/log/nss/web.log"')
    ]
    follow: Annotated[
        bool,
        Setting(
            Flag(), "Whether to wait for more at the end of the file; otherwise it is read once."
        ),
    ] = True
    poll_secs: Annotated[
        float, Setting(Seconds(0.01, 60), "How often a followed file is looked at for more.")
    ] = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class StdinSourceConfig(CommonSourceConfig):
    """Records from standard input, until it ends."""

    kind: ClassVar[str] = "stdin"


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpSourceConfig(CommonSourceConfig):
    """Records from TCP connections, with TLS when a certificate is given."""

    kind: ClassVar[str] = "tcp"

    listen: Annotated[
        Address,
        Setting(
            ListenAddress(), "The address to accept connections at.", example='"127.0.0.1:5514"'
        ),
    ]
    framing: Annotated[
        Literal["auto", "newline", "octet"],
        Setting(
            Choice("auto", "newline", "octet"),
            "How records are told apart: by line feeds, by octet counts (RFC 6587), or by "
            "whichever a connection starts with.",
        ),
    ] = "auto"
    idle_secs: Annotated[
        float, Setting(Seconds(0.1, 86_400), "A connection silent for this long is closed.")
    ] = 600.0
    max_connections: Annotated[
        int, Setting(Whole(1, 100_000, "connections"), "Connections beyond this many are refused.")
    ] = 256
    tls_certificate: Annotated[
        Path | None,
        Setting(
            FilePath(),
            "The certificate chain of the listener, PEM; needs `tls_key`.",
            example='"server.pem"',
            absent="no TLS",
        ),
    ] = None
    tls_key: Annotated[
        Path | None,
        Setting(
            FilePath(),
            "The private key of `tls_certificate`, PEM, not encrypted, not readable for everyone.",
            example='"server.key"',
            absent="no TLS",
        ),
    ] = None
    tls_client_ca: Annotated[
        Path | None,
        Setting(
            FilePath(),
            "The authorities, PEM, one of which must have signed each client's certificate.",
            example='"clients-ca.pem"',
            absent="no client certificates",
        ),
    ] = None


SourceConfig = FileSourceConfig | StdinSourceConfig | TcpSourceConfig
SOURCE_KINDS: tuple[type[SourceConfig], ...] = (
    FileSourceConfig,
    StdinSourceConfig,
    TcpSourceConfig,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SyslogUdpSinkConfig:
    """One syslog message in one UDP datagram for each line."""

    kind: ClassVar[str] = "syslog_udp"

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
    max_message_bytes: Annotated[
        int,
        Setting(
            Size(480, 65_507),
            "A longer message is shortened in its longest URL, referer or user agent.",
        ),
    ] = 8 * KIB
    max_messages_per_sec: Annotated[
        int | None,
        Setting(
            Whole(1, 10_000_000, "messages"),
            "The pace at which messages are sent, evenly, without bursts.",
            example="9000",
            absent="no limit",
        ),
    ] = None
    source_ports: Annotated[
        int,
        Setting(
            Whole(1, 64),
            "From how many ports to send, so that a collector with several sockets can share the "
            "load; one user's records keep their order.",
        ),
    ] = 1
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


SinkConfig = SyslogUdpSinkConfig | FileSinkConfig
SINK_KINDS: tuple[type[SinkConfig], ...] = (SyslogUdpSinkConfig, FileSinkConfig)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedConfig:
    """Which records go where, and in which format."""

    name: str
    sources: Annotated[
        tuple[str, ...],
        Setting(
            ListOf(ComponentName()),
            "The sources whose records the feed takes.",
            example='["web"]',
            absent="all sources",
        ),
    ]
    format: Annotated[
        FormatChoice,
        Setting(
            FormatName(),
            "The feed format to render.",
            example='"MCAS"',
            absent="required, or `format_string`",
        ),
        Setting(
            FormatText(),
            "The feed output format string to render, instead of `format`.",
            key="format_string",
            example="'%d{epochtime} %s{elogin} %s{eurl}'",
            absent="`format` holds",
        ),
    ]
    zone: Annotated[str, Setting(Zone(), "The time zone of the times that are rendered.")] = "GMT"
    escape_characters: Annotated[
        str,
        Setting(
            EscapeCharacters(),
            "The feed escape characters: further characters that `e*` fields encode as `%HH`.",
            example="',\"'",
        ),
    ] = ""
    protect_separators: Annotated[
        bool,
        Setting(
            Flag(),
            "Whether a format's own separators are encoded inside of values (the quote of CSV, the "
            "quote and backslash of JSON, `|` and `=` of CEF). `false` protects only LEEF's and "
            "writes the rest exactly as the service does.",
        ),
    ] = True
    obfuscation_key_file: Annotated[
        Path | None,
        Setting(
            FilePath(),
            "The file with the key of the `o*` fields, not readable for everyone.",
            example='"obfuscation.key"',
            absent="no key: `o*` values of known texts can be found out",
        ),
    ] = None
    filter: Filter
    sink: SinkConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A whole configuration, valid as far as can be told without a look at the machine."""

    service: ServiceConfig
    spool: SpoolConfig
    sources: tuple[SourceConfig, ...]
    feeds: tuple[FeedConfig, ...]
