"""The sections of sources, one frozen type a kind."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal, get_args

from nss.config.kafka import (
    SOURCE_REFUSED,
    KafkaConfig,
    PassedThrough,
    passed_through,
    topic_or_pattern,
)
from nss.config.kinds import GIB, KIB, MIB, byte_size, list_of, seconds, whole_number
from nss.config.setting import Also, Example, Role, excludes, needs
from nss.config.values import (
    AUTO,
    Address,
    FormatChoice,
    format_name,
    format_text,
    header_name,
    header_text,
    listen_address,
    url_path,
    zone_name,
)


def format_string(description: str, *, for_source: bool) -> Also:
    """Return the key that gives a feed output format string instead of a format's name."""
    example = Example("'%d{epochtime} %s{elogin} %s{eurl}'", "`format` holds")
    return Also("format_string", description, (format_text(for_source=for_source), example))


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonSourceConfig:
    """What every source has."""

    name: str
    format: Annotated[
        FormatChoice,
        format_name(for_source=True),
        Role.FORMAT,
        format_string(
            "The feed output format string that wrote the records, instead of `format`.",
            for_source=True,
        ),
    ] = AUTO
    """The feed format of the records. `auto` recognises a preset from the records, `json` reads
    objects with NSS field names in any order."""
    zone: Annotated[str, zone_name()] = "GMT"
    """The time zone of times in records that do not state one."""
    max_record_bytes: Annotated[int, byte_size(64, 256 * MIB)] = MIB
    """A longer record is rejected; the records around it are not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSourceConfig(CommonSourceConfig):
    """Records from a file, followed through rotation or read once as a whole."""

    kind: ClassVar[str] = "file"

    path: Annotated[Path, Role.INPUT, Example('"/var/log/nss/web.log"')]
    """The file to read."""
    follow: bool = True
    """Whether to wait for more at the end of the file; otherwise it is read once."""
    poll_secs: Annotated[float, seconds(0.01, 60)] = 0.25
    """How often a followed file is checked for more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StdinSourceConfig(CommonSourceConfig):
    """Records from standard input, until it ends."""

    kind: ClassVar[str] = "stdin"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListeningSourceConfig(CommonSourceConfig):
    """What every source has that senders connect to."""

    listen: Annotated[Address, listen_address(), Role.LISTENER, Example('"127.0.0.1:5514"')]
    """The address to listen at."""
    tls_certificate: Annotated[
        Path | None, Role.CERTIFICATE, needs("tls_key"), Example('"server.pem"', "no TLS")
    ] = None
    """The certificate chain of the listener, PEM."""
    tls_key: Annotated[
        Path | None, Role.PRIVATE_KEY, needs("tls_certificate"), Example('"server.key"', "no TLS")
    ] = None
    """The private key of `tls_certificate`, PEM, not encrypted."""
    tls_client_ca: Annotated[
        Path | None,
        Role.AUTHORITIES,
        needs("tls_certificate"),
        Example('"clients-ca.pem"', "no client certificates"),
    ] = None
    """The authorities, PEM, one of which must have signed each client's certificate."""


MOST_CONNECTIONS = whole_number(1, 100_000, "connections")


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpSourceConfig(ListeningSourceConfig):
    """Records from TCP connections, with TLS if a certificate is given."""

    kind: ClassVar[str] = "tcp"

    framing: Literal["auto", "newline", "octet"] = "auto"
    """How records are separated: by line feeds, by octet counts (RFC 6587), or by whichever of the
    two a connection starts with."""
    idle_secs: Annotated[float, seconds(0.1, 86_400)] = 600.0
    """A connection that has been silent for this long is closed."""
    max_connections: Annotated[int, MOST_CONNECTIONS] = 256
    """Further connections are refused, unless one has not sent a complete record yet: the oldest
    of these is closed instead."""
    max_connections_per_address: Annotated[
        int | None, MOST_CONNECTIONS, Example("64", "a quarter of `max_connections`, at least 4")
    ] = None
    """How many of them may come from one address; of IPv6 that is a /64. Raise it for senders
    behind a load balancer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSourceConfig(ListeningSourceConfig):
    """Records pushed over HTTP as Cloud NSS does: JSON lines or arrays, also compressed.

    Answers 200 once the records are accepted, 503 while the spool is full. A listener that is not
    on loopback needs `token_file` or `basic_file`; one without either takes requests for localhost
    and its own address only, and none from web pages.
    """

    kind: ClassVar[str] = "http"

    listen: Annotated[Address, listen_address(), Role.LISTENER, Example('"127.0.0.1:8088"')]
    """The address to accept requests at."""
    path: Annotated[str, url_path()] = "/"
    """The path that accepts POST requests."""
    token_file: Annotated[Path | None, Role.TOKEN, Example('"push.token"', "no token")] = None
    """The file with the token that requests must carry as `Authorization: Bearer TOKEN`; `Splunk
    TOKEN`, the token alone, and `Basic` with it as user or password are accepted too."""
    token_header: Annotated[
        str | None,
        header_name(),
        needs("token_file"),
        Example('"X-Api-Key"', "`Authorization` only"),
    ] = None
    """A further header that may carry the token."""
    basic_file: Annotated[
        Path | None,
        Role.USER_PASSWORD,
        excludes("token_file"),
        Example('"push.password"', "no password"),
    ] = None
    """The file with `USER:PASSWORD` that requests must carry as `Authorization: Basic`."""
    max_body_bytes: Annotated[int, byte_size(KIB, GIB)] = 32 * MIB
    """A request body that is longer than this as sent is answered with 413."""
    max_decompressed_bytes: Annotated[int, byte_size(KIB, 4 * GIB)] = 256 * MIB
    """A request body that is longer than this when decompressed is answered with 413."""
    max_connections: Annotated[int, MOST_CONNECTIONS] = 64
    """Further simultaneous requests are answered with 503. Four times as many connections may be
    open, half of them before they have sent a request with valid credentials."""
    max_connections_per_address: Annotated[
        int | None, MOST_CONNECTIONS, Example("64", "`max_connections`, at least 4")
    ] = None
    """How many connections may come from one address; of IPv6 that is a /64. Raise it for senders
    behind a proxy."""
    body_secs: Annotated[float, seconds(0.1, 3600)] = 60.0
    """How long a request body may take to arrive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSourceConfig(CommonSourceConfig, KafkaConfig):
    """Records from topics of Kafka, shared with all instances of one consumer group.

    A message holds one record, or several lines. What each way to commit guarantees is in
    [kafka-source.md](kafka-source.md).
    """

    kind: ClassVar[str] = "kafka"

    topics: Annotated[
        tuple[str, ...], list_of(topic_or_pattern()), Example('["nss-web", "^nss-branch-.*"]')
    ]
    """The topics to read; what begins with `^` is a regular expression of names."""
    group: Annotated[str, header_text(200)] = "nss"
    """The consumer group. Instances with the same group share the partitions among them."""
    instance_id: Annotated[
        str | None, header_text(200), Example('"nss1"', "a member without a name")
    ] = None
    """A name that no other instance of the group has (static membership): a restart within the
    session time-out moves no partitions."""
    commit: Literal["accepted", "delivered"] = "accepted"
    """When positions are committed to the group: once the durable spool has the records, or once
    every feed is past them. With `delivered` nothing rests on one machine alone."""
    start: Literal["earliest", "latest"] = "earliest"
    """Where a partition begins for which neither the group nor the spool has a position. One that
    is added later begins with its first message."""
    prefetch_bytes: Annotated[int, byte_size(MIB, GIB)] = 16 * MIB
    """How many bytes of messages are fetched in advance."""
    max_undelivered_bytes: Annotated[int, byte_size(MIB, 16 * GIB), needs("commit")] = 128 * MIB
    """With `commit = "delivered"`: how many bytes of records may be on their way to the feeds; the
    rest stays in Kafka. Feeds that upload need more than one of their files."""
    revoke_secs: Annotated[float, seconds(0, 60)] = 5.0
    """How long a partition that goes to another instance waits for what is on its way."""
    kafka: Annotated[
        PassedThrough,
        passed_through(SOURCE_REFUSED),
        Example('{ "fetch.min.bytes" = 65536 }'),
    ] = ()
    """Further settings of librdkafka, by their names there. What NSS decides is refused."""


SourceConfig = (
    FileSourceConfig | StdinSourceConfig | TcpSourceConfig | HttpSourceConfig | KafkaSourceConfig
)
SOURCE_KINDS: tuple[type[SourceConfig], ...] = get_args(SourceConfig)
