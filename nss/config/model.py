"""The sections of the configuration: each a frozen type whose fields carry their declarations.

Those of sources and sinks are in `nss.config.sources` and `nss.config.sinks`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from formats.filters import Filter
from nss.config.kinds import (
    GIB,
    KIB,
    MIB,
    TIB,
    Choice,
    FilePath,
    Flag,
    ListOf,
    Seconds,
    Size,
    Whole,
)
from nss.config.setting import Setting
from nss.config.sinks import SinkConfig
from nss.config.sources import SourceConfig
from nss.config.values import (
    Address,
    ComponentName,
    EscapeCharacters,
    FormatChoice,
    FormatName,
    FormatText,
    HeaderText,
    LineText,
    ListenAddress,
    ProxyUrl,
    Zone,
)


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
    state_directory: Annotated[
        Path,
        Setting(
            FilePath(),
            "Where credentials, the audit log and uploads under way are kept. Only commands and "
            "sinks that go to MCAS need it.",
        ),
    ] = Path("/var/lib/nss")
    metrics_listen: Annotated[
        Address | None,
        Setting(
            ListenAddress(off=True),
            "Where Prometheus metrics, `/healthz` and `/readyz` are served. There is no password: "
            "an address other than loopback is allowed, for a Prometheus elsewhere, and then it is "
            "for a firewall to say who may ask.",
            example='"127.0.0.1:9632"',
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class McasConfig:
    """The way to Microsoft Defender for Cloud Apps (MCAS), for uploads and for the commands.

    The credentials are not here: `nss configure-mcas2` asks for them and stores them.
    """

    data_source: Annotated[
        str,
        Setting(
            LineText(1, 200),
            "The data source in Cloud Discovery that uploads go to. What goes to another name than "
            "that of the integration may be dropped there without a word.",
        ),
    ] = "NSS"
    source_type: Annotated[
        str,
        Setting(
            HeaderText(80), "What the files are, in the words of the API's parameter `source`."
        ),
    ] = "ZSCALER_QRADAR_SYSLOG"
    requests_per_minute: Annotated[
        int,
        Setting(
            Whole(2, 10_000, "requests"),
            "So many requests are sent in a minute at most; the service takes 30 from a tenant.",
        ),
    ] = 30
    timeout_secs: Annotated[
        float, Setting(Seconds(1, 3600), "How long an answer may take to come.")
    ] = 60.0
    proxy: Annotated[
        str | None,
        Setting(
            ProxyUrl(),
            "The HTTP proxy to go through. What the environment says about proxies does not count.",
            example='"http://proxy.example.com:3128"',
            absent="none",
        ),
    ] = None
    proxy_auth_file: Annotated[
        Path | None,
        Setting(
            FilePath(),
            "The file with `USER:PASSWORD` for the proxy, not readable for everyone.",
            example='"proxy-auth"',
            absent="none",
        ),
    ] = None
    ca_file: Annotated[
        Path | None,
        Setting(
            FilePath(),
            "PEM with the authorities to trust, a proxy's that inspects what is sent for example.",
            example='"company-ca.pem"',
            absent="the system's",
        ),
    ] = None
    token_file: Annotated[
        Path | None,
        Setting(
            FilePath(),
            "The file with a legacy API token, which works until OAuth 2.0 is configured.",
            example='"mcas-token"',
            absent="`mcas-token` in the state directory",
        ),
    ] = None
    token_api_url: Annotated[
        str | None,
        Setting(
            HeaderText(300),
            "The API URL for the legacy token; with OAuth 2.0 it is among the credentials.",
            example='"https://contoso.us3.portal.cloudappsecurity.com"',
            absent="none",
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
    mcas: McasConfig
    sources: tuple[SourceConfig, ...]
    feeds: tuple[FeedConfig, ...]
