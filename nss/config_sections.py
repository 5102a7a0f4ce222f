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
    HostName,
    ListenAddress,
    UrlPath,
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
TIB = 1 << 40


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
    control_socket: Annotated[
        Path | None,
        Setting(
            FilePath(off=True),
            "The socket that `nss status` and the other commands ask the running service at; its "
            "folder must be there.",
        ),
    ] = Path("/run/nss/control.sock")
    metrics_listen: Annotated[
        Address | None,
        Setting(
            ListenAddress(off=True),
            "Where Prometheus metrics, `/healthz` and `/readyz` are served, without a password: "
            "keep it on loopback.",
            example='"127.0.0.1:9632"',
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DurableSpoolConfig:
    """A spool on disk: what was accepted outlives the process, and the machine's power."""

    kind: ClassVar[str] = "durable"

    path: Annotated[
        Path, Setting(FilePath(), "The file; SQLite keeps two more of its name beside it.")
    ] = Path("/var/lib/nss/spool.db")
    max_bytes: Annotated[
        int,
        Setting(
            Size(16 * MIB, 16 * TIB),
            "Bytes on disk, compressed, for what is pending and what is kept for a replay.",
        ),
    ] = 8 * GIB
    min_free_bytes: Annotated[
        int,
        Setting(Size(0, TIB), "Nothing is accepted while the file system has less free than this."),
    ] = 512 * MIB
    when_full: Annotated[
        Literal["wait", "drop_oldest"],
        Setting(
            Choice("wait", "drop_oldest"),
            "What a full spool does: let the sources wait, or drop the oldest records and count "
            "them.",
        ),
    ] = "wait"
    replay_minutes: Annotated[
        int,
        Setting(
            Whole(0, 10_080, "minutes"),
            "How long records stay for `nss replay` after they were accepted, while there is room.",
        ),
    ] = 60
    rejects_max_bytes: Annotated[
        int,
        Setting(
            Size(64 * KIB, 16 * GIB),
            "Bytes of rejected records that are kept; beyond, the oldest go.",
        ),
    ] = 64 * MIB


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


SpoolConfig = DurableSpoolConfig | MemorySpoolConfig
SPOOL_KINDS: tuple[type[SpoolConfig], ...] = (DurableSpoolConfig, MemorySpoolConfig)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSourceConfig(CommonSourceConfig):
    """Records pushed over HTTP as Cloud NSS does: JSON lines or arrays, also compressed.

    Answers 200 once the records are accepted, 503 while the spool is full. A listener that is not
    on loopback needs `token_file` or `basic_file`.
    """

    kind: ClassVar[str] = "http"

    listen: Annotated[
        Address,
        Setting(ListenAddress(), "The address to accept requests at.", example='"127.0.0.1:8088"'),
    ]
    path: Annotated[str, Setting(UrlPath(), "The path that takes POST requests.")] = "/"
    token_file: Annotated[
        Path | None,
        Setting(
            FilePath(),
            "The file with the token that requests must carry as `Authorization: Bearer`, not "
            "readable for everyone.",
            example='"push.token"',
            absent="no token",
        ),
    ] = None
    basic_file: Annotated[
        Path | None,
        Setting(
            FilePath(),
            "The file with `USER:PASSWORD` that requests must carry as `Authorization: Basic`, not "
            "readable for everyone.",
            example='"push.password"',
            absent="no password",
        ),
    ] = None
    max_body_bytes: Annotated[
        int, Setting(Size(KIB, GIB), "A longer request body, as it is sent, is answered with 413.")
    ] = 32 * MIB
    max_decompressed_bytes: Annotated[
        int, Setting(Size(KIB, 4 * GIB), "A body longer than this unpacked is answered with 413.")
    ] = 256 * MIB
    max_connections: Annotated[
        int, Setting(Whole(1, 100_000, "connections"), "Requests beyond this many at once get 503.")
    ] = 64
    body_secs: Annotated[
        float, Setting(Seconds(0.1, 3600), "How long a request body may take to come.")
    ] = 60.0
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


SourceConfig = FileSourceConfig | StdinSourceConfig | TcpSourceConfig | HttpSourceConfig
SOURCE_KINDS: tuple[type[SourceConfig], ...] = (
    FileSourceConfig,
    StdinSourceConfig,
    TcpSourceConfig,
    HttpSourceConfig,
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
class SyslogTcpSinkConfig:
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
            Size(480, 16 * MIB),
            "A longer message is shortened in its longest URL, referer or user agent.",
        ),
    ] = 64 * KIB
    max_messages_per_sec: Annotated[
        int | None,
        Setting(
            Whole(1, 10_000_000, "messages"),
            "The pace at which messages are sent, evenly, without bursts.",
            example="9000",
            absent="no limit",
        ),
    ] = None
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


SinkConfig = SyslogUdpSinkConfig | SyslogTcpSinkConfig | FileSinkConfig
SINK_KINDS: tuple[type[SinkConfig], ...] = (
    SyslogUdpSinkConfig,
    SyslogTcpSinkConfig,
    FileSinkConfig,
)


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
