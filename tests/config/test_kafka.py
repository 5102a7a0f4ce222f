"""What sources and sinks of Kafka share in the configuration."""

import pytest

from nss.config.kafka import (
    SINK_REFUSED,
    SOURCE_REFUSED,
    KafkaConfig,
    https_url,
    kafka_problems,
    passed_through,
    topic_name,
)
from nss.config.kinds import InvalidValue
from nss.config.values import Address

SINK = passed_through(SINK_REFUSED)


def _refused(table: dict[str, object]) -> dict[str, str]:
    with pytest.raises(InvalidValue) as raised:
        SINK.read(table)
    return {problem.key: problem.reason for problem in raised.value.problems}


def test_keys_are_the_same_with_and_without_quotes() -> None:
    assert SINK.read({"linger": {"ms": 5}}) == (("linger.ms", "5"),)
    assert SINK.read({"linger.ms": 5}) == (("linger.ms", "5"),)
    assert SINK.read({"socket.nagle.disable": True, "batch.size": 1000}) == (
        ("batch.size", "1000"),
        ("socket.nagle.disable", "true"),
    )


def test_a_key_given_twice_is_a_problem() -> None:
    assert "twice" in _refused({"linger.ms": 5, "linger": {"ms": 6}})[".linger.ms"]


@pytest.mark.parametrize("key", sorted(SINK_REFUSED))
def test_what_is_refused_says_why(key: str) -> None:
    assert _refused({key: "x"}) == {f".{key}": f"is not passed through: {SINK_REFUSED[key]}"}


@pytest.mark.parametrize(
    "key", ["sasl.password", "ssl.key.password", "ssl.keystore.password", "any.secret.of.later"]
)
def test_a_secret_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(InvalidValue) as raised:
        SINK.read({key: "hunter2"})
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("value", [None, [1], "a\nb", "x" * 5000])
def test_values_are_numbers_flags_or_text(value: object) -> None:
    assert "must be" in _refused({"linger.ms": value})[".linger.ms"]


def test_sources_commit_positions_themselves() -> None:
    with pytest.raises(InvalidValue, match="positions"):
        passed_through(SOURCE_REFUSED).read({"enable.auto.commit": True})


def test_all_that_is_wrong_is_reported_at_once() -> None:
    assert len(_refused({"acks": 1, "Linger": 1, "debug": "all"})) == 3


@pytest.mark.parametrize(
    ("name", "is_right"), [("web.records-1", True), ("..", False), ("a b", False), ("", False)]
)
def test_names_of_topics(name: str, *, is_right: bool) -> None:
    if is_right:
        assert topic_name().read(name) == name
    else:
        with pytest.raises(InvalidValue):
            topic_name().read(name)


def test_a_token_is_asked_for_over_https_only() -> None:
    assert https_url().read("https://login.example.com/t") == "https://login.example.com/t"
    for wrong in ("http://login.example.com/t", "https://", "https://u:p@login.example.com"):
        with pytest.raises(InvalidValue):
            https_url().read(wrong)


def test_a_password_does_not_leave_the_machine_in_clear() -> None:
    far, near = (Address("kafka.example.com", 9092),), (Address("127.0.0.1", 9092),)
    (problem,) = kafka_problems(KafkaConfig(brokers=far, sasl="plain"), "feeds.siem.sink")
    assert "tls = true" in problem.reason
    assert not list(kafka_problems(KafkaConfig(brokers=near, sasl="plain"), ""))
    assert not list(kafka_problems(KafkaConfig(brokers=far, sasl="plain", tls=True), ""))
    assert not list(kafka_problems(KafkaConfig(brokers=far, sasl="scram_sha_256"), ""))
