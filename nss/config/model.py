"""The sections of the configuration: each a frozen type whose fields carry their declarations.

Those of sources, sinks, sync and portal are in `nss.config.sources`, `sinks`, `sync`, `portal`,
`updates`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal, get_args

from formats.filters import Filter
from formats.structure.guards import PROTECTIONS
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
    words,
)
from nss.config.portal import PortalConfig
from nss.config.setting import Example, Held, Role, held_by, needs, not_beside
from nss.config.sinks import SINK_KINDS, SinkConfig
from nss.config.sources import SOURCE_KINDS, SourceConfig, format_string
from nss.config.sync import SyncConfig
from nss.config.toml import key_path
from nss.config.updates import UpdatesConfig
from nss.config.values import (
    Address,
    FormatChoice,
    component_name,
    format_name,
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
    """The format of the log on stderr."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe events that are logged."""
    threads: Annotated[
        int | None,
        whole_number(1, 64, "threads"),
        Example("2", "the cores that the process may use"),
    ] = None
    """How many threads render records at once, beside the one that receives and sends. With 1 all
    is done in that one."""
    drain_secs: Annotated[float, seconds(0, 3600)] = 10.0
    """How long a stop waits for the feeds to deliver what is pending."""
    control_socket: Annotated[Path | None, file_path(off=True), Role.SOCKET] = Path(
        "/run/nss/control.sock"
    )
    """The socket on which the running service answers `nss status` and the other commands; its
    folder must exist. Members of the service's group may ask for the status, root and the
    service's user for everything."""
    state_directory: Annotated[Path, Role.STATE_FOLDER] = Path("/var/lib/nss")
    """Where credentials, users of the portal, the audit log and unfinished uploads are kept. Only
    the portal, and commands and sinks that connect to MCAS, need it."""
    metrics_listen: Annotated[
        Address | None, listen_address(off=True), Role.LISTENER, Example('"127.0.0.1:9632"')
    ] = None
    """Where Prometheus metrics, `/healthz`, `/readyz` and `/livez` are served. No password. An
    address other than loopback is allowed, for a Prometheus elsewhere; restrict access with a
    firewall."""


@dataclass(frozen=True, slots=True, kw_only=True)
class McasConfig:
    """The connection to Microsoft Defender for Cloud Apps (MCAS), for uploads and for commands.

    The credentials are not here: `nss configure-mcas2` asks for them and stores them.
    """

    data_source: Annotated[str, line_text(1, 200)] = "NSS"
    """The data source in Cloud Discovery that uploads go to. Uploads to any name other than the
    integration's may be dropped there silently."""
    source_type: Annotated[str, header_text(80)] = "ZSCALER_QRADAR_SYSLOG"
    """The type of the files, as the API's parameter `source` names it; it decides how they are
    parsed."""
    check_source_type: bool = True
    """Whether `source_type` must be on Microsoft's lists, and the formats of upload feeds ones that
    Cloud Discovery parses for it. `false` for a type newer than the lists (they lag behind the
    portal), and for a data source with a custom parser."""
    uploaded_by: Annotated[str | None, line_text(1, 100), Example('"nss1.example.com"', "none")] = (
        None
    )
    """Which machine of several uploads, for `nss status` of the others, which have no feed that
    does. Nobody asks that machine."""
    parse_check_secs: Annotated[float, seconds(0, 86_400)] = 900.0
    """How often to ask MCAS what became of uploaded files, while some have no result; 0: never."""
    parse_failure_days: Annotated[int, whole_number(1, 90, "days")] = 3
    """How long a file that Cloud Discovery could not use degrades the health, unless a later file
    of its feed was parsed."""
    requests_per_minute: Annotated[int, whole_number(2, 10_000, "requests")] = 30
    """At most this many requests are sent per minute; the service accepts 30 from a tenant."""
    timeout_secs: Annotated[float, seconds(1, 3600)] = 60.0
    """How long to wait for a response."""
    max_retry_after_secs: Annotated[float, seconds(1, 86_400)] = 600.0
    """How long uploads wait at most when MCAS, its storage or Entra asks for a pause."""
    unconfirmed_counts_as_delivered: bool = False
    """Whether a file counts as delivered when MCAS answers its finalize with neither a yes nor a
    no. Otherwise its records wait until MCAS says yes, or somebody decides."""
    proxy: Annotated[
        str | None, proxy_url(), Example('"http://proxy.example.com:3128"', "none")
    ] = None
    """The HTTP proxy to connect through. Proxy settings in the environment are ignored."""
    proxy_auth_file: Annotated[
        Path | None, Role.USER_PASSWORD, needs("proxy"), Example('"proxy-auth"', "none")
    ] = None
    """The file with `USER:PASSWORD` for the proxy."""
    ca_file: Annotated[
        Path | None, Role.AUTHORITIES, Example('"company-ca.pem"', "the system's")
    ] = None
    """PEM with the authorities to trust, for example that of a proxy that inspects traffic."""
    token_file: Annotated[
        Path | None,
        Role.STORED_TOKEN,
        Example('"mcas-token"', "`mcas-token` in the state directory"),
    ] = None
    """The file with a legacy API token, which is used until OAuth 2.0 is configured."""
    token_api_url: Annotated[
        str | None,
        header_text(300),
        Example('"https://contoso.us3.portal.cloudappsecurity.com"', "none"),
    ] = None
    """The API URL for the legacy token; with OAuth 2.0 the credentials include it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ZiaConfig:
    """How Zscaler Internet Access (ZIA) is reached, for the sync of unsanctioned apps.

    The credentials are not here: `nss configure-zia` asks for them and stores them.
    """

    timeout_secs: Annotated[float, seconds(1, 3600)] = 60.0
    """How long to wait for a response. Changes wait for a minute at least: ZIA needs that for many
    URLs."""
    proxy: Annotated[
        str | None, proxy_url(), Example('"http://proxy.example.com:3128"', "none")
    ] = None
    """The HTTP proxy to connect through. Proxy settings in the environment are ignored."""
    proxy_auth_file: Annotated[
        Path | None, Role.USER_PASSWORD, needs("proxy"), Example('"proxy-auth"', "none")
    ] = None
    """The file with `USER:PASSWORD` for the proxy."""
    ca_file: Annotated[
        Path | None, Role.AUTHORITIES, Example('"company-ca.pem"', "the system's")
    ] = None
    """PEM with the authorities to trust, for example that of a proxy that inspects traffic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DurableSpoolConfig:
    """A spool on disk: accepted records survive a crash of the process and a loss of power."""

    kind: ClassVar[str] = "durable"

    path: Annotated[Path, Role.SPOOL] = Path("/var/lib/nss/spool.db")
    """The database file; SQLite keeps two more files beside it."""
    max_bytes: Annotated[int, byte_size(16 * MIB, 16 * TIB)] = 8 * GIB
    """Bytes on disk, compressed, for pending records and those kept for a replay."""
    min_free_bytes: Annotated[int, byte_size(0, TIB)] = 512 * MIB
    """No records are accepted while the file system has less free space than this."""
    when_full: Literal["wait", "drop_oldest"] = "wait"
    """What a full spool does: let the sources wait, or drop the oldest records and count them."""
    replay_minutes: Annotated[int, whole_number(0, 10_080, "minutes")] = 60
    """How long records are kept for `nss replay` once every feed is done with them, space
    permitting; 0: not at all. Pending records are kept in any case."""
    rejects_max_bytes: Annotated[int, byte_size(64 * KIB, 16 * GIB)] = 64 * MIB
    """Bytes of rejected records that are kept; beyond that, the oldest are deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemorySpoolConfig:
    """A spool in memory: records that are pending when the process ends are lost."""

    kind: ClassVar[str] = "memory"

    max_bytes: Annotated[int, byte_size(MIB, 64 * GIB)] = 32 * MIB
    """Bytes of records held for the feeds; when full, the sources wait."""


SpoolConfig = DurableSpoolConfig | MemorySpoolConfig
SPOOL_KINDS: tuple[type[SpoolConfig], ...] = get_args(SpoolConfig)


_RENDERED = not_beside("format", "unchanged", "a record goes as it came; leave this out")


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedConfig:
    """Which records go where, and in which format."""

    name: str
    sources: Annotated[
        tuple[str, ...], list_of(component_name()), Example('["web"]', "all sources")
    ]
    """The sources whose records the feed takes."""
    format: Annotated[
        FormatChoice,
        format_name(),
        Role.FORMAT,
        Example('"MCAS"', "required, or `format_string`"),
        format_string(
            "The feed output format string to render, instead of `format`.", for_source=False
        ),
    ]
    """The feed format to render; `unchanged` passes each record on as it came."""
    zone: Annotated[str, zone_name(), _RENDERED] = "GMT"
    """The time zone in which times are rendered."""
    escape_characters: Annotated[str, further_escapes(), _RENDERED, Example("',\"'")] = ""
    """The feed escape characters: further characters that `e*` fields encode as `%HH`."""
    protect_separators: Annotated[bool, _RENDERED] = True
    """Whether a format's own separators are encoded inside values (the quote of CSV, the quote and
    backslash of JSON, `|` and `=` of CEF). `false` protects only LEEF's and writes everything else
    exactly as the service does."""
    protect_for: Annotated[
        tuple[str, ...],
        list_of(words(*PROTECTIONS), may_be_empty=True),
        _RENDERED,
        Example('["quotes", "pipes"]'),
    ] = ()
    """What else is encoded inside values as `%HH`, in every format, for readers that take it for
    more than text: `quotes` (`"`, `'` and the backslash), `pipes` (`|`), `pairs` (the `=` of a
    ` key=`). [Feed formats](formats.md#readers-that-take-values-for-more-than-text) says which
    reader needs which."""
    obfuscation_key_file: Annotated[
        Path | None,
        Role.OBFUSCATION_KEY,
        _RENDERED,
        Example('"obfuscation.key"', "no key: `o*` values of known texts can be guessed"),
    ] = None
    """The file with the key of the `o*` fields."""
    max_pending_bytes: Annotated[
        int | None, byte_size(MIB, 16 * TIB), Example('"2GiB"', "no limit but the spool's")
    ] = None
    """What the records that wait for this feed may take in the spool, as the spool counts its
    `max_bytes`. It bounds what one dead destination costs all others."""
    when_pending_full: Annotated[Literal["wait", "drop_oldest"], needs("max_pending_bytes")] = (
        "wait"
    )
    """What happens at `max_pending_bytes`: let the sources of the feed wait, or drop its oldest
    records and count them. No other feed loses any. A feed that uploads delivers early once it has
    collected half of the limit."""
    filter: Filter
    sink: SinkConfig


SECTION_TYPES: tuple[type, ...] = (
    ServiceConfig,
    McasConfig,
    ZiaConfig,
    SyncConfig,
    PortalConfig,
    UpdatesConfig,
    *SPOOL_KINDS,
    *SOURCE_KINDS,
    FeedConfig,
    *SINK_KINDS,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A whole configuration, valid as far as it can be checked without looking at the machine."""

    service: ServiceConfig
    spool: SpoolConfig
    mcas: McasConfig
    zia: ZiaConfig
    sync: SyncConfig
    portal: PortalConfig
    updates: UpdatesConfig
    sources: tuple[SourceConfig, ...]
    feeds: tuple[FeedConfig, ...]

    def sections(self) -> Iterator[tuple[str, object]]:
        """Yield every section with its place, in the order of the file."""
        yield "service", self.service
        yield "spool", self.spool
        yield "mcas", self.mcas
        yield "zia", self.zia
        yield "sync", self.sync
        yield "portal", self.portal
        yield "updates", self.updates
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
