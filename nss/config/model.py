"""The sections of the configuration: each a frozen type whose fields carry their declarations.

Those of sources and sinks are in `nss.config.sources` and `nss.config.sinks`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal, get_args

from formats.filters import Filter
from nss.config.kinds import (
    GIB,
    KIB,
    MIB,
    TIB,
    byte_size,
    file_path,
    list_of,
    seconds,
    whole_number,
)
from nss.config.setting import Absent, Also, Example, Held, Role, held_by, needs
from nss.config.sinks import SINK_KINDS, SinkConfig
from nss.config.sources import SOURCE_KINDS, SourceConfig
from nss.config.toml import key_path
from nss.config.values import (
    Address,
    FormatChoice,
    component_name,
    format_name,
    format_text,
    further_escapes,
    header_text,
    line_text,
    listen_address,
    proxy_url,
    zone_name,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceConfig:
    """The service as a whole."""

    log_format: Literal["text", "json"] = "text"
    """How the log on stderr is written."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe event that is logged."""
    drain_secs: Annotated[float, seconds(0, 3600)] = 10.0
    """How long a stop waits for the feeds to deliver what is pending."""
    control_socket: Annotated[Path | None, file_path(off=True), Role.SOCKET] = Path(
        "/run/nss/control.sock"
    )
    """The socket that `nss status` and the other commands ask the running service at; its folder
    must be there."""
    state_directory: Annotated[Path, Role.STATE_FOLDER] = Path("/var/lib/nss")
    """Where credentials, the audit log and uploads under way are kept. Only commands and sinks that
    go to MCAS need it."""
    metrics_listen: Annotated[
        Address | None, listen_address(off=True), Role.LISTENER, Example('"127.0.0.1:9632"')
    ] = None
    """Where Prometheus metrics, `/healthz` and `/readyz` are served. There is no password: an
    address other than loopback is allowed, for a Prometheus elsewhere, and then it is for a
    firewall to say who may ask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class McasConfig:
    """The way to Microsoft Defender for Cloud Apps (MCAS), for uploads and for the commands.

    The credentials are not here: `nss configure-mcas2` asks for them and stores them.
    """

    data_source: Annotated[str, line_text(1, 200)] = "NSS"
    """The data source in Cloud Discovery that uploads go to. What goes to another name than that of
    the integration may be dropped there without a word."""
    source_type: Annotated[str, header_text(80)] = "ZSCALER_QRADAR_SYSLOG"
    """What the files are, in the words of the API's parameter `source`."""
    requests_per_minute: Annotated[int, whole_number(2, 10_000, "requests")] = 30
    """So many requests are sent in a minute at most; the service takes 30 from a tenant."""
    timeout_secs: Annotated[float, seconds(1, 3600)] = 60.0
    """How long an answer may take to come."""
    proxy: Annotated[
        str | None, proxy_url(), Example('"http://proxy.example.com:3128"'), Absent("none")
    ] = None
    """The HTTP proxy to go through. What the environment says about proxies does not count."""
    proxy_auth_file: Annotated[
        Path | None, Role.USER_PASSWORD, needs("proxy"), Example('"proxy-auth"'), Absent("none")
    ] = None
    """The file with `USER:PASSWORD` for the proxy."""
    ca_file: Annotated[
        Path | None, Role.AUTHORITIES, Example('"company-ca.pem"'), Absent("the system's")
    ] = None
    """PEM with the authorities to trust, a proxy's that inspects what is sent for example."""
    token_file: Annotated[
        Path | None,
        Role.STORED_TOKEN,
        Example('"mcas-token"'),
        Absent("`mcas-token` in the state directory"),
    ] = None
    """The file with a legacy API token, which works until OAuth 2.0 is configured."""
    token_api_url: Annotated[
        str | None,
        header_text(300),
        Example('"https://contoso.us3.portal.cloudappsecurity.com"'),
        Absent("none"),
    ] = None
    """The API URL for the legacy token; with OAuth 2.0 it is among the credentials."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DurableSpoolConfig:
    """A spool on disk: what was accepted outlives the process, and the machine's power."""

    kind: ClassVar[str] = "durable"

    path: Annotated[Path, Role.SPOOL] = Path("/var/lib/nss/spool.db")
    """The file; SQLite keeps two more of its name beside it."""
    max_bytes: Annotated[int, byte_size(16 * MIB, 16 * TIB)] = 8 * GIB
    """Bytes on disk, compressed, for what is pending and what is kept for a replay."""
    min_free_bytes: Annotated[int, byte_size(0, TIB)] = 512 * MIB
    """Nothing is accepted while the file system has less free than this."""
    when_full: Literal["wait", "drop_oldest"] = "wait"
    """What a full spool does: let the sources wait, or drop the oldest records and count them."""
    replay_minutes: Annotated[int, whole_number(0, 10_080, "minutes")] = 60
    """How long records stay for `nss replay` after they were accepted, while there is room."""
    rejects_max_bytes: Annotated[int, byte_size(64 * KIB, 16 * GIB)] = 64 * MIB
    """Bytes of rejected records that are kept; beyond, the oldest go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemorySpoolConfig:
    """A spool in memory: what is pending is lost when the process ends before it is delivered."""

    kind: ClassVar[str] = "memory"

    max_bytes: Annotated[int, byte_size(MIB, 64 * GIB)] = 32 * MIB
    """Bytes of records held for the feeds; when full, the sources wait."""


SpoolConfig = DurableSpoolConfig | MemorySpoolConfig
SPOOL_KINDS: tuple[type[SpoolConfig], ...] = get_args(SpoolConfig)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedConfig:
    """Which records go where, and in which format."""

    name: str
    sources: Annotated[
        tuple[str, ...], list_of(component_name()), Example('["web"]'), Absent("all sources")
    ]
    """The sources whose records the feed takes."""
    format: Annotated[
        FormatChoice,
        format_name(),
        Role.FORMAT,
        Example('"MCAS"'),
        Absent("required, or `format_string`"),
        Also(
            "format_string",
            "The feed output format string to render, instead of `format`.",
            (
                format_text(),
                Example("'%d{epochtime} %s{elogin} %s{eurl}'"),
                Absent("`format` holds"),
            ),
        ),
    ]
    """The feed format to render."""
    zone: Annotated[str, zone_name()] = "GMT"
    """The time zone of the times that are rendered."""
    escape_characters: Annotated[str, further_escapes(), Example("',\"'")] = ""
    """The feed escape characters: further characters that `e*` fields encode as `%HH`."""
    protect_separators: bool = True
    """Whether a format's own separators are encoded inside of values (the quote of CSV, the quote
    and backslash of JSON, `|` and `=` of CEF). `false` protects only LEEF's and writes the rest
    exactly as the service does."""
    obfuscation_key_file: Annotated[
        Path | None,
        Role.OBFUSCATION_KEY,
        Example('"obfuscation.key"'),
        Absent("no key: `o*` values of known texts can be found out"),
    ] = None
    """The file with the key of the `o*` fields."""
    filter: Filter
    sink: SinkConfig


SECTION_TYPES: tuple[type, ...] = (
    ServiceConfig,
    McasConfig,
    *SPOOL_KINDS,
    *SOURCE_KINDS,
    FeedConfig,
    *SINK_KINDS,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A whole configuration, valid as far as can be told without a look at the machine."""

    service: ServiceConfig
    spool: SpoolConfig
    mcas: McasConfig
    sources: tuple[SourceConfig, ...]
    feeds: tuple[FeedConfig, ...]

    def sections(self) -> Iterator[tuple[str, object]]:
        """Yield every section with its place, in the order of the file."""
        yield "service", self.service
        yield "spool", self.spool
        yield "mcas", self.mcas
        for source in self.sources:
            yield key_path("sources", source.name), source
        for feed in self.feeds:
            where = key_path("feeds", feed.name)
            yield where, feed
            yield f"{where}.sink", feed.sink

    def settings(self) -> Iterator[Held]:
        """Yield every setting with its value."""
        for where, part in self.sections():
            yield from held_by(part, where)
