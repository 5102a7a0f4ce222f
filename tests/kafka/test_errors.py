"""Errors of brokers and of librdkafka in plain words."""

import logging

import pytest

from nss.config.values import Address
from nss.kafka.errors import Cluster, cause_of
from nss.kafka.logs import library_log
from nss.kafka.troubles import RECENT_SECS, Troubles

CLUSTER = Cluster((Address("kafka.example.com", 9093),), "feeds.siem.sink", "web")


class Error:
    def __init__(self, name: str, text: str = "text") -> None:
        self._name, self._text = name, text

    def name(self) -> str:
        return self._name

    def str(self) -> str:
        return self._text


@pytest.mark.parametrize(
    ("name", "sentence", "remedy"),
    [
        ("_TRANSPORT", "no broker can be reached (text)", "advertised.listeners"),
        ("_RESOLVE", "the name of a broker has no address (text)", "DNS"),
        ("_SSL", "TLS with a broker failed (text)", "tls_ca"),
        ("SASL_AUTHENTICATION_FAILED", "a broker refused the sign-in (text)", "sasl_file"),
        ("UNKNOWN_TOPIC_OR_PART", "the cluster has no topic web (text)", "create it"),
        ("_MSG_TIMED_OUT", "the cluster does not confirm in time (text)", "kafka.example.com:9093"),
        ("NOT_ENOUGH_REPLICAS", "too few replicas of a partition of web", "min.insync.replicas"),
        ("SOMETHING_NEW", "Kafka: text", "logs of the brokers"),
    ],
)
def test_an_error_says_what_is_wrong_and_what_to_do(name: str, sentence: str, remedy: str) -> None:
    cause = cause_of(Error(name), CLUSTER)
    assert cause.sentence.startswith(sentence)
    assert remedy in cause.remedy


def test_a_connection_that_tls_has_refused_is_not_one_that_broke() -> None:
    text = "ssl://127.0.0.1:1/bootstrap: error:0A000086:SSL routines::certificate verify failed"
    cause = cause_of(Error("_TRANSPORT", text), CLUSTER)
    assert cause.sentence == f"TLS with a broker failed ({text})"
    assert "tls_ca" in cause.remedy


def test_what_only_developers_read_is_left_out() -> None:
    text = (
        "[thrd:a:1/bootstrap]: a:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection "
        "refused (after 0ms in state CONNECT, 1 identical error(s) suppressed)"
    )
    words = "a:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused"
    assert words in cause_of(Error("_TRANSPORT", text), CLUSTER).sentence
    assert "(after" not in cause_of(Error("_TRANSPORT", text), CLUSTER).sentence


def test_a_time_out_is_explained_by_the_last_complaint() -> None:
    now = 0.0
    troubles = Troubles(CLUSTER, lambda: now)
    troubles.note(Error("_SSL", "certificate verify failed"))
    troubles.note(Error("_ALL_BROKERS_DOWN"))
    assert "TLS" in troubles.cause(Error("_MSG_TIMED_OUT")).sentence
    now = RECENT_SECS + 1
    assert "in time" in troubles.cause(Error("_MSG_TIMED_OUT")).sentence


def test_lines_of_the_library_become_events(caplog: pytest.LogCaptureFixture) -> None:
    logger = library_log("feed siem")
    with caplog.at_level(logging.INFO, "nss"):
        logger.warning("FAIL [rdkafka#producer-1] [thrd:a:1/1]: a:1/1: broke\x1b off")
    (record,) = [each for each in caplog.records if "Kafka library" in each.getMessage()]
    assert "\x1b" not in str(record.__dict__)
