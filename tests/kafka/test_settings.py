"""What librdkafka is given for a section, and what it refuses."""

import logging
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import trustme

from nss.config.files import UnfitFile
from nss.config.kafka import KafkaConfig
from nss.config.values import Address
from nss.errors import ServiceError
from nss.kafka.library import confluent_kafka
from nss.kafka.settings import check_settings, client_settings

BROKER = (Address("kafka.example.com", 9093),)


def _secret(folder: Path, text: str) -> Path:
    path = folder / "secret"
    path.write_text(f"{text}\n")
    path.chmod(0o600)
    return path


def test_a_plain_section_names_brokers_and_client() -> None:
    brokers = (Address("a.example.com", 9092), Address("2001:db8::1", 9093))
    found = client_settings("feed siem", KafkaConfig(brokers=brokers))
    assert found["bootstrap.servers"] == "a.example.com:9092,[2001:db8::1]:9093"
    assert found["security.protocol"] == "plaintext"
    assert found["client.id"] == "nss"
    check_settings("feed siem", found, consumes=False)


def test_what_is_passed_through_changes_times_but_not_what_nss_sets() -> None:
    section = KafkaConfig(brokers=BROKER)
    passed = (("client.id", "other"), ("metadata.max.age.ms", "1000"), ("linger.ms", "7"))
    found = client_settings("feed siem", section, passed)
    assert found["metadata.max.age.ms"] == "1000"
    assert found["linger.ms"] == "7"
    assert found["client.id"] == "nss"


def test_tls_reads_its_files_and_verifies_names(tmp_path: Path) -> None:
    authority = trustme.CA()
    own = authority.issue_cert("nss.example.com")
    ca, chain, key = (tmp_path / name for name in ("ca.pem", "nss.pem", "nss.key"))
    authority.cert_pem.write_to_path(str(ca))
    own.cert_chain_pems[0].write_to_path(str(chain))
    own.private_key_pem.write_to_path(str(key))
    key.chmod(0o600)
    section = KafkaConfig(brokers=BROKER, tls=True, tls_ca=ca, tls_certificate=chain, tls_key=key)
    found = client_settings("feed siem", section)
    assert found["security.protocol"] == "ssl"
    assert found["ssl.endpoint.identification.algorithm"] == "https"
    assert found["ssl.key.pem"] == key.read_text()
    check_settings("feed siem", found, consumes=True)
    key.chmod(0o644)
    with pytest.raises(UnfitFile, match="open to everyone"):
        client_settings("feed siem", section)


@pytest.mark.parametrize(
    ("sasl", "mechanism"),
    [("plain", "PLAIN"), ("scram_sha_256", "SCRAM-SHA-256"), ("scram_sha_512", "SCRAM-SHA-512")],
)
def test_a_password_comes_from_its_file(tmp_path: Path, sasl: str, mechanism: str) -> None:
    text = "$ConnectionString:Endpoint=sb://x.servicebus.windows.net/;SharedAccessKey=a:b="
    section = KafkaConfig(
        brokers=BROKER,
        tls=True,
        sasl=sasl,  # type: ignore[arg-type]
        sasl_file=_secret(tmp_path, text),
    )
    found = client_settings("feed siem", section)
    assert found["security.protocol"] == "sasl_ssl"
    assert found["sasl.mechanism"] == mechanism
    assert found["sasl.username"] == "$ConnectionString"
    assert found["sasl.password"] == text.partition(":")[2]
    check_settings("feed siem", found, consumes=False)


def test_a_managed_identity_asks_for_the_resource() -> None:
    scope = "https://x.servicebus.windows.net/.default"
    section = KafkaConfig(brokers=BROKER, tls=True, sasl="managed_identity", oauth_scope=scope)
    found = client_settings("source web", section)
    resource = "resource=https://x.servicebus.windows.net"
    assert found["sasl.oauthbearer.config"] == f"query=api-version=2018-02-01&{resource}"
    check_settings("source web", found, consumes=True)


def test_a_setting_that_the_library_does_not_know_is_named() -> None:
    section = KafkaConfig(brokers=BROKER)
    found = client_settings("feed siem", section, (("linger.mss", "1"),))
    with pytest.raises(ServiceError, match=r'feed siem: .*No such .* property: "linger.mss"'):
        check_settings("feed siem", found, consumes=False)


def test_the_library_is_imported_only_when_asked_for() -> None:
    assert confluent_kafka().__name__ == "confluent_kafka"


class _TokenEndpoint(BaseHTTPRequestHandler):
    asked: list[str]

    def do_POST(self) -> None:
        self.asked.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.send_response(401)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_an_application_gets_its_token_where_the_section_says(tmp_path: Path) -> None:
    class Endpoint(_TokenEndpoint):
        asked: list[str] = []  # noqa: RUF012 - one test's

    server = HTTPServer(("127.0.0.1", 0), Endpoint)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    section = KafkaConfig(
        brokers=(Address("127.0.0.1", 9),),
        sasl="oauthbearer",
        sasl_file=_secret(tmp_path, "an-app:s3cret"),
        oauth_url=f"http://127.0.0.1:{server.server_port}/token",
        oauth_scope="https://x.servicebus.windows.net/.default",
    )
    found = client_settings("feed siem", section)
    logger = logging.Logger("kept")  # noqa: LOG001 - as the room's own
    said: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logger.addHandler(handler)
    client = confluent_kafka().Producer({**found, "logger": logger, "error_cb": print})
    try:
        for _ in range(100):
            client.poll(0.1)
            if Endpoint.asked:
                break
    finally:
        client.close()
        server.shutdown()
        thread.join(10)
        server.server_close()
    assert "grant_type=client_credentials" in Endpoint.asked[0]
    assert "scope=https" in Endpoint.asked[0]
    assert not any("s3cret" in line for line in said)
