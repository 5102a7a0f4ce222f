"""What librdkafka is given: the settings of a section, with the secrets in the files it names."""

from pathlib import Path
from typing import Any

from nss.config.files import MAX_PEM_BYTES, UnfitFile, read_basic, read_bounded
from nss.config.kafka import KafkaConfig, PassedThrough
from nss.errors import NssError, ServiceError
from nss.kafka.library import confluent_kafka
from nss.kafka.logs import library_log

ClientSettings = dict[str, Any]
"""The dictionary for `confluent_kafka`. It holds secrets: it is neither logged nor shown."""

# Event Hubs closes connections that were idle for 10 minutes, networks of Azure after 4.
# https://learn.microsoft.com/azure/event-hubs/apache-kafka-configurations
_TIMES = {
    "metadata.max.age.ms": 180_000,
    "connections.max.idle.ms": 180_000,
    "socket.keepalive.enable": True,
    "socket.timeout.ms": 60_000,
    "reconnect.backoff.ms": 250,
    "reconnect.backoff.max.ms": 10_000,
}
_MECHANISMS = {
    "plain": "PLAIN",
    "scram_sha_256": "SCRAM-SHA-256",
    "scram_sha_512": "SCRAM-SHA-512",
    "oauthbearer": "OAUTHBEARER",
    "managed_identity": "OAUTHBEARER",
}
_IDENTITY_VERSION = "2018-02-01"
"""Of the API of the identity service of Azure machines."""


def client_settings(
    part: str, settings: KafkaConfig, passed_through: PassedThrough = ()
) -> ClientSettings:
    """Return what every client of `part` (`feed siem`) is made with. Raises `NssError`.

    `passed_through` may change times and sizes; what NSS guarantees is refused there already.
    """
    return {
        **_TIMES,
        **dict(passed_through),
        "bootstrap.servers": ",".join(map(str, settings.brokers)),
        "client.id": settings.client_id,
        "logger": library_log(part),
        "security.protocol": _protocol(settings),
        **(_tls(part, settings) if settings.tls else {}),
        **(_sign_in(part, settings) if settings.sasl != "off" else {}),
    }


def check_settings(part: str, settings: ClientSettings, *, consumes: bool) -> None:
    """Have librdkafka read settings without connecting. Raises `ServiceError` in its words."""
    library = confluent_kafka()
    alone = {**settings, "bootstrap.servers": ""}
    try:
        if consumes:
            library.Consumer({"group.id": "nss", **alone}).close()
        else:
            library.Producer(alone).close()
    except (library.KafkaException, TypeError, ValueError) as error:
        raise refused_settings(part, error) from None


def refused_settings(part: str, error: Exception) -> ServiceError:
    """Return what to report when librdkafka did not take settings."""
    first = error.args[0] if error.args else error
    text = first.str() if hasattr(first, "str") else str(first)
    return ServiceError(
        f"{part}: the Kafka library refuses its settings: {text}",
        tip="correct the table `kafka` of its section; its keys are those of librdkafka",
    )


def _protocol(settings: KafkaConfig) -> str:
    if settings.sasl == "off":
        return "ssl" if settings.tls else "plaintext"
    return "sasl_ssl" if settings.tls else "sasl_plaintext"


def _tls(part: str, settings: KafkaConfig) -> ClientSettings:
    """Files are read here, with a bound, so librdkafka opens none."""
    found: ClientSettings = {"ssl.endpoint.identification.algorithm": "https"}
    if settings.tls_ca is not None:
        found["ssl.ca.pem"] = _pem(part, settings.tls_ca)
    if settings.tls_certificate is not None and settings.tls_key is not None:
        found["ssl.certificate.pem"] = _pem(part, settings.tls_certificate)
        found["ssl.key.pem"] = _pem(part, settings.tls_key, secret=True)
    return found


def _sign_in(part: str, settings: KafkaConfig) -> ClientSettings:
    found: ClientSettings = {"sasl.mechanism": _MECHANISMS[settings.sasl]}
    if settings.sasl == "managed_identity":
        resource = (settings.oauth_scope or "").removesuffix("/.default")
        query = f"api-version={_IDENTITY_VERSION}&resource={resource}"
        return found | {
            "sasl.oauthbearer.method": "oidc",
            "sasl.oauthbearer.metadata.authentication.type": "azure_imds",
            "sasl.oauthbearer.config": f"query={query}",
        }
    user, password = _user_password(part, settings.sasl_file)
    if settings.sasl == "oauthbearer":
        return found | {
            "sasl.oauthbearer.method": "oidc",
            "sasl.oauthbearer.token.endpoint.url": settings.oauth_url,
            "sasl.oauthbearer.scope": settings.oauth_scope,
            "sasl.oauthbearer.client.id": user,
            "sasl.oauthbearer.client.secret": password,
        }
    return found | {"sasl.username": user, "sasl.password": password}


def _user_password(part: str, path: Path | None) -> tuple[str, str]:
    if path is None:
        raise NssError(f"{part}: sasl_file is missing", tip="name the file in sasl_file")
    try:
        user, _, password = read_basic(path).decode().partition(":")
    except UnicodeDecodeError:
        raise UnfitFile("user and password", "is not UTF-8", path) from None
    return user, password


def _pem(part: str, path: Path, *, secret: bool = False) -> str:
    try:
        return read_bounded(f"{part}: PEM", path, MAX_PEM_BYTES, secret=secret).decode()
    except UnicodeDecodeError:
        raise UnfitFile(f"{part}: PEM", "is not text", path) from None
