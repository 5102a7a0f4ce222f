"""What sources and sinks of the kind `kafka` share: brokers, TLS, sign-in, librdkafka's own keys.

`[*.kafka]` passes settings through to librdkafka as they are. What NSS decides itself, what would
switch off a guarantee or a check, and what would hold a secret in clear is refused with the reason.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal
from urllib.parse import urlsplit

from formats.errors import Problem
from nss.config.kinds import InvalidValue, Kind, invalid, list_of, texts, texts_that
from nss.config.setting import Example, Role, Rule, needs, needs_flag
from nss.config.toml import toml_text
from nss.config.values import Address, destination, header_text, is_loopback

KAFKA_PORT = 9092
"""The port that Kafka's own configuration has."""

PassedThrough = tuple[tuple[str, str], ...]
"""Settings of librdkafka and their values, in the order of their names."""

Refused = Mapping[str, str]
"""Settings of librdkafka that are not passed through, and why."""

_KEY = re.compile(r"[a-z0-9_.-]{1,100}")
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
_SECRET = re.compile(r"password|passphrase|secret|private\.key|\.key\.pem|jaas")
_MAX_VALUE = 4096
_MAX_PATTERN = 1000
_MAX_KEYS = 200

_TLS = needs_flag("tls")

_VERIFIED = "certificate and name of a broker are always verified; name its authority in tls_ca"
_SIGN_IN = "set sasl, and sasl_file with the name of the file that has user and password"
_PEM = "set tls_certificate and tls_key; the key is PEM, without password"
_LOADS_CODE = "loads code from a file into NSS"
_OWN = "NSS sets it itself"

COMMON_REFUSED: Refused = MappingProxyType(
    {
        "bootstrap.servers": "set brokers",
        "metadata.broker.list": "set brokers",
        "client.id": "set client_id",
        "security.protocol": "set tls and sasl",
        "sasl.mechanism": "set sasl",
        "sasl.mechanisms": "set sasl",
        "sasl.username": _SIGN_IN,
        "sasl.password": _SIGN_IN,
        "sasl.oauthbearer.client.id": _SIGN_IN,
        "sasl.oauthbearer.client.secret": _SIGN_IN,
        "sasl.oauthbearer.client.credentials.client.id": _SIGN_IN,
        "sasl.oauthbearer.client.credentials.client.secret": _SIGN_IN,
        "sasl.oauthbearer.method": 'set sasl = "oauthbearer"',
        "sasl.oauthbearer.metadata.authentication.type": 'set sasl = "managed_identity"',
        "sasl.oauthbearer.config": "set oauth_scope",
        "sasl.oauthbearer.token.endpoint.url": "set oauth_url",
        "sasl.oauthbearer.scope": "set oauth_scope",
        "enable.sasl.oauthbearer.unsecure.jwt": "tokens that nobody signed prove nothing",
        "sasl.kerberos.kinit.cmd": "runs a command; NSS has no Kerberos",
        "ssl.ca.location": "set tls_ca",
        "ssl.ca.pem": "set tls_ca",
        "ssl.certificate.location": _PEM,
        "ssl.certificate.pem": _PEM,
        "ssl.key.location": _PEM,
        "ssl.keystore.location": _PEM,
        "enable.ssl.certificate.verification": _VERIFIED,
        "ssl.endpoint.identification.algorithm": _VERIFIED,
        "plugin.library.paths": _LOADS_CODE,
        "ssl.providers": _LOADS_CODE,
        "ssl.engine.location": _LOADS_CODE,
        "ssl.engine.id": _LOADS_CODE,
        "builtin.features": _OWN,
        "debug": "its output can hold what NSS must not log",
        "log_level": "it follows the log level of NSS",
        "log.queue": _OWN,
        "logger": _OWN,
        "error_cb": _OWN,
        "log_cb": _OWN,
        "oauth_cb": _OWN,
        "stats_cb": _OWN,
        "throttle_cb": _OWN,
        "statistics.interval.ms": _OWN,
        "enabled_events": _OWN,
        "test.mock.num.brokers": "would send records to brokers that do not exist",
        "test.mock.broker.rtt": "is for tests of librdkafka",
    }
)
"""For sources and sinks."""

_DELIVERY = "a record counts as delivered only when all replicas in sync have it, once, in order"
_OF_CONSUMERS = "is of consumers; a sink produces"

SINK_REFUSED: Refused = MappingProxyType(
    {
        **COMMON_REFUSED,
        "acks": _DELIVERY,
        "request.required.acks": _DELIVERY,
        "enable.idempotence": _DELIVERY,
        "enable.gapless.guarantee": _DELIVERY,
        "transactional.id": "NSS makes no transactions",
        "transaction.timeout.ms": "NSS makes no transactions",
        "retries": "NSS gives no record up; see confirm_secs",
        "message.send.max.retries": "NSS gives no record up; see confirm_secs",
        "message.timeout.ms": "NSS gives no record up; see confirm_secs",
        "delivery.timeout.ms": "NSS gives no record up; see confirm_secs",
        "message.max.bytes": "set max_message_bytes",
        "compression.type": "set compression",
        "compression.codec": "set compression",
        "queue.buffering.max.messages": "what waits is in the spool; NSS bounds the rest",
        "queue.buffering.max.kbytes": "what waits is in the spool; NSS bounds the rest",
        "queuing.strategy": "records of one partition keep their order",
        "dr_cb": _OWN,
        "dr_msg_cb": _OWN,
        "on_delivery": _OWN,
        "delivery.report.only.error": "NSS waits for each confirmation",
        "produce.offset.report": _OWN,
        "group.id": _OF_CONSUMERS,
        "group.instance.id": _OF_CONSUMERS,
        "group.protocol": _OF_CONSUMERS,
        "session.timeout.ms": _OF_CONSUMERS,
        "heartbeat.interval.ms": _OF_CONSUMERS,
        "max.poll.interval.ms": _OF_CONSUMERS,
        "auto.offset.reset": _OF_CONSUMERS,
        "enable.auto.commit": _OF_CONSUMERS,
        "enable.auto.offset.store": _OF_CONSUMERS,
        "partition.assignment.strategy": _OF_CONSUMERS,
        "isolation.level": _OF_CONSUMERS,
        "fetch.min.bytes": _OF_CONSUMERS,
        "fetch.max.bytes": _OF_CONSUMERS,
        "fetch.wait.max.ms": _OF_CONSUMERS,
    }
)
"""For sinks."""

_POSITIONS = "NSS commits positions itself: only of what it has accepted or delivered"
_OF_PRODUCERS = "is of producers; a source consumes"

SOURCE_REFUSED: Refused = MappingProxyType(
    {
        **COMMON_REFUSED,
        "enable.auto.commit": _POSITIONS,
        "auto.commit.enable": _POSITIONS,
        "auto.commit.interval.ms": _POSITIONS,
        "enable.auto.offset.store": _POSITIONS,
        "offset.store.method": _POSITIONS,
        "offset.store.path": _POSITIONS,
        "offset_commit_cb": _OWN,
        "rebalance_cb": _OWN,
        "on_commit": _OWN,
        "consume_cb": _OWN,
        "enable.partition.eof": _OWN,
        "group.id": "set group",
        "group.instance.id": "set instance_id",
        "auto.offset.reset": "set start",
        "partition.assignment.strategy": "NSS gives up only the partitions that move "
        "(cooperative-sticky)",
        "queued.max.messages.kbytes": "set prefetch_bytes",
        "group.remote.assignor": "NSS leaves it to the cluster",
        "allow.auto.create.topics": "a source makes no topics",
        "acks": _OF_PRODUCERS,
        "enable.idempotence": _OF_PRODUCERS,
        "transactional.id": _OF_PRODUCERS,
        "compression.type": _OF_PRODUCERS,
        "linger.ms": _OF_PRODUCERS,
    }
)
"""For sources."""


def passed_through(refused: Refused) -> Kind:
    """Return the kind of tables with settings of librdkafka, but for those that are refused.

    Keys may be in quotes or not: `"linger.ms" = 5` and `linger.ms = 5` are the same.
    """

    def read(table: object) -> PassedThrough:
        if not isinstance(table, Mapping):
            raise invalid(table, f"must be {kind.expected}")
        found: dict[str, str] = {}
        problems: list[Problem] = []
        for key, value in _flat(table):
            reason = _fault(key, value, refused)
            if key in found:
                reason = "is there twice, with and without quotes"
            if reason:
                problems.append(Problem(f".{key}", _shown(key, value), reason))
            else:
                found[key] = str(value).lower() if isinstance(value, bool) else str(value)
        if len(found) > _MAX_KEYS:
            problems.append(Problem("", None, f"has more than {_MAX_KEYS} keys"))
        if problems:
            raise InvalidValue(*problems)
        return tuple(sorted(found.items()))

    kind = Kind("a table of settings of librdkafka", read, _shown_table)
    return kind


def _flat(table: Mapping[str, object], above: str = "") -> Iterator[tuple[str, object]]:
    """Yield the dotted keys of a table, whose parts TOML may have put into tables of their own."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _fault(key: str, value: object, refused: Refused) -> str:
    """Return why a setting is not passed through; empty if it is."""
    if not _KEY.fullmatch(key):
        return "is no name of a setting: lower-case letters, digits, and dots"
    if key in refused:
        return f"is not passed through: {refused[key]}"
    if _SECRET.search(key):
        return f"is not passed through: it is a secret, which belongs into a file; {_SIGN_IN}"
    if isinstance(value, str) and value.isprintable() and len(value) <= _MAX_VALUE:
        return ""
    if isinstance(value, int | float):
        return ""
    return "must be a number, true, false, or text without control characters"


def _shown(key: str, value: object) -> object:
    """Return the value for a message; `None`: it may be a secret."""
    is_number = isinstance(value, bool | int | float)
    return value if is_number and not _SECRET.search(key) else None


def _shown_table(pairs: PassedThrough) -> str:
    inside = ", ".join(f"{toml_text(key)} = {toml_text(value)}" for key, value in pairs)
    return f"{{ {inside} }}" if inside else "{}"


def topic_name() -> Kind:
    """Return the kind of names of topics."""
    return texts_that(
        "1 to 249 of letters, digits, ., _ and -",
        lambda text: _TOPIC.fullmatch(text) and text not in {".", ".."},
    )


def topic_or_pattern() -> Kind:
    """Return the kind of names of topics, and of patterns of names, which begin with `^`."""

    def is_right(text: str) -> bool:
        if not text.startswith("^"):
            return bool(_TOPIC.fullmatch(text)) and text not in {".", ".."}
        try:
            re.compile(text)
        except re.error:
            return False
        return text.isprintable() and len(text) <= _MAX_PATTERN

    return texts_that("the name of a topic, or ^ and a regular expression", is_right)


def https_url() -> Kind:
    """Return the kind of URLs with HTTPS, without a user."""
    expected = "https://HOST/PATH, without a user"

    def read(text: str) -> str | None:
        if not text.isprintable() or " " in text:
            return None
        if "@" in text:
            raise invalid("***", f"must be {expected}; the file in sasl_file has that")
        try:
            parts = urlsplit(text)
        except ValueError:
            return None
        return text if parts.scheme == "https" and parts.hostname else None

    return texts(expected, read)


def _lacks(mechanisms: set[str], other: str) -> Rule:
    named = " or ".join(f'"{each}"' for each in sorted(mechanisms))
    return Rule(
        lambda table: table.get("sasl") in mechanisms and other not in table,
        f"needs {other} as well",
        f"{named} needs `{other}`.",
    )


def _of_mechanisms(*mechanisms: str) -> Rule:
    named = " or ".join(f'"{each}"' for each in mechanisms)
    return Rule(
        lambda table: table.get("sasl") not in mechanisms,
        f"needs sasl = {named} as well",
        f"Needs `sasl` = {named}.",
    )


_WITH_PASSWORD = ("plain", "scram_sha_256", "scram_sha_512", "oauthbearer")
_WITH_TOKEN = ("oauthbearer", "managed_identity")


@dataclass(frozen=True, kw_only=True)  # without slots: sources have these of another base
class KafkaConfig:
    """What a source and a sink need to talk to a cluster."""

    brokers: Annotated[
        tuple[Address, ...],
        list_of(destination(KAFKA_PORT)),
        Example('["kafka1.example.com:9093", "kafka2.example.com:9093"]'),
    ]
    """Some brokers of the cluster, to begin with; they name the others."""
    client_id: Annotated[str, header_text(100)] = "nss"
    """The name of NSS in the logs and quotas of the brokers."""
    tls: bool = False
    """Whether to use TLS; certificate and name of each broker are verified."""
    tls_ca: Annotated[
        Path | None, Role.AUTHORITIES, _TLS, Example('"kafka-ca.pem"', "those of the system")
    ] = None
    """The authorities, PEM, one of which must have signed the certificate of each broker."""
    tls_certificate: Annotated[
        Path | None, Role.CERTIFICATE, needs("tls_key"), _TLS, Example('"nss.pem"', "none")
    ] = None
    """The certificate chain that NSS presents, PEM."""
    tls_key: Annotated[
        Path | None, Role.PRIVATE_KEY, needs("tls_certificate"), _TLS, Example('"nss.key"', "none")
    ] = None
    """The private key of `tls_certificate`, PEM, not encrypted."""
    sasl: Annotated[
        Literal[
            "off", "plain", "scram_sha_256", "scram_sha_512", "oauthbearer", "managed_identity"
        ],
        _lacks(set(_WITH_PASSWORD), "sasl_file"),
        _lacks({"oauthbearer"}, "oauth_url"),
        _lacks(set(_WITH_TOKEN), "oauth_scope"),
    ] = "off"
    """How NSS signs in. `oauthbearer` gets a token for an application (Entra, for example),
    `managed_identity` one for the identity of an Azure machine."""
    sasl_file: Annotated[
        Path | None,
        Role.USER_PASSWORD,
        _of_mechanisms(*_WITH_PASSWORD),
        Example('"kafka.password"', "none"),
    ] = None
    """The file with `USER:PASSWORD`, or `CLIENT_ID:CLIENT_SECRET` for `oauthbearer`."""
    oauth_url: Annotated[
        str | None,
        https_url(),
        _of_mechanisms("oauthbearer"),
        Example('"https://login.microsoftonline.com/TENANT/oauth2/v2.0/token"', "none"),
    ] = None
    """Where `oauthbearer` gets its token."""
    oauth_scope: Annotated[
        str | None,
        header_text(500),
        _of_mechanisms(*_WITH_TOKEN),
        Example('"https://NAMESPACE.servicebus.windows.net/.default"', "none"),
    ] = None
    """What the token is for."""


def kafka_problems(settings: KafkaConfig, where: str) -> Iterator[Problem]:
    """Yield what is wrong between settings that are each right."""
    if settings.sasl in {"off", "scram_sha_256", "scram_sha_512"} or settings.tls:
        return
    if not all(is_loopback(broker.host) for broker in settings.brokers):
        reason = "would send the secret in clear, so it needs tls = true as well"
        yield Problem(f"{where}.sasl", settings.sasl, reason)
