"""Errors of librdkafka and of brokers in plain words: what is wrong, and what to do about it."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from nss.addresses import host_port
from nss.causes import TEST, Cause
from nss.config.values import Address
from nss.wording import harmless

MAX_WORDS = 300
"""Characters of what librdkafka says that are repeated."""


class KafkaError(Protocol):
    """What NSS uses of `confluent_kafka.KafkaError`."""

    def name(self) -> str:
        """Return the name in librdkafka's table, `_TRANSPORT` for example."""

    def str(self) -> str:
        """Return the words for it."""


class Cluster(NamedTuple):
    """Who is talked to, for sentences."""

    brokers: Sequence[Address]
    section: str
    """Of the configuration, as `feeds.siem.sink`."""
    topic: str = ""

    @property
    def place(self) -> str:
        """The brokers of the configuration."""
        return ", ".join(host_port(*broker) for broker in self.brokers)


_STATE = re.compile(r" \((?:after \d+ms in state \w+|[^()]*identical error\(s\) suppressed)[^)]*\)")
_OF_TLS = "SSL routines:"
"""Is in what OpenSSL reports."""
_THREAD = re.compile(r"^\[thrd:[^\]]*\]: ")


def words_of(error: KafkaError) -> str:
    """Return what librdkafka says, without what only its developers read."""
    text = _THREAD.sub("", error.str() or error.name())
    return harmless(_STATE.sub("", text)[:MAX_WORDS]).rstrip(". ")


def cause_of(error: KafkaError, cluster: Cluster) -> Cause:
    """Return what an error means and what to do."""
    name, words = error.name(), words_of(error)
    # The connection that TLS has refused is reported as one that broke, too, and by chance last.
    meaning = _tls if name == "_TRANSPORT" and _OF_TLS in words else _MEANINGS.get(name)
    if meaning is None:
        return Cause(f"Kafka: {words}", f"see the logs of the brokers ({cluster.place})")
    return meaning(words, cluster)


def _unreachable(words: str, cluster: Cluster) -> Cause:
    return Cause(
        f"no broker can be reached ({words})",
        f"see that the brokers are up and the way to them is open, also to those that they name "
        f"(advertised.listeners): {TEST}; or correct brokers in [{cluster.section}]",
    )


def _unknown_host(words: str, cluster: Cluster) -> Cause:
    return Cause(
        f"the name of a broker has no address ({words})",
        f"correct brokers in [{cluster.section}], or have the name added to DNS, also those that "
        "the brokers advertise",
    )


def _tls(words: str, cluster: Cluster) -> Cause:
    return Cause(
        f"TLS with a broker failed ({words})",
        f"see tls, tls_ca and tls_certificate in [{cluster.section}]; the name of each broker "
        "must be in its certificate",
    )


def _sign_in(words: str, cluster: Cluster) -> Cause:
    return Cause(
        f"a broker refused the sign-in ({words})",
        f"see sasl and the file in sasl_file of [{cluster.section}]",
    )


def _no_rights(words: str, cluster: Cluster) -> Cause:
    topic = f" {cluster.topic}" if cluster.topic else ""
    return Cause(
        f"the cluster does not permit it for the topic{topic} ({words})",
        f"have the cluster's administrator permit it to the user of [{cluster.section}]",
    )


def _no_topic(words: str, cluster: Cluster) -> Cause:
    return Cause(
        f"the cluster has no topic {cluster.topic or 'of this name'} ({words})",
        f"create it, or correct [{cluster.section}]",
    )


def _too_few_replicas(words: str, cluster: Cluster) -> Cause:
    return Cause(
        f"too few replicas of a partition of {cluster.topic} are in sync ({words})",
        "see that all brokers of the cluster are up, and min.insync.replicas of the topic",
    )


def _no_answer(words: str, cluster: Cluster) -> Cause:
    return Cause(
        f"the cluster does not confirm in time ({words})",
        f"see the brokers ({cluster.place}): they are down, overloaded, or can't be reached: "
        f"{TEST}",
    )


def _fenced(words: str, _: Cluster) -> Cause:
    return Cause(
        f"the cluster ended this producer's session ({words})",
        "nothing needs to be done: NSS begins another",
    )


def _throttled(words: str, _: Cluster) -> Cause:
    return Cause(
        f"the cluster asks for less ({words})",
        "raise the quota of this client, or the throughput units of the event hub",
    )


_MEANINGS: dict[str, Callable[[str, Cluster], Cause]] = {
    "_TRANSPORT": _unreachable,
    "_ALL_BROKERS_DOWN": _unreachable,
    "_TIMED_OUT": _no_answer,
    "_MSG_TIMED_OUT": _no_answer,
    "REQUEST_TIMED_OUT": _no_answer,
    "NETWORK_EXCEPTION": _no_answer,
    "_RESOLVE": _unknown_host,
    "_SSL": _tls,
    "_AUTHENTICATION": _sign_in,
    "SASL_AUTHENTICATION_FAILED": _sign_in,
    "UNSUPPORTED_SASL_MECHANISM": _sign_in,
    "TOPIC_AUTHORIZATION_FAILED": _no_rights,
    "GROUP_AUTHORIZATION_FAILED": _no_rights,
    "CLUSTER_AUTHORIZATION_FAILED": _no_rights,
    "TRANSACTIONAL_ID_AUTHORIZATION_FAILED": _no_rights,
    "UNKNOWN_TOPIC_OR_PART": _no_topic,
    "_UNKNOWN_TOPIC": _no_topic,
    "_UNKNOWN_PARTITION": _no_topic,
    "TOPIC_EXCEPTION": _no_topic,
    "NOT_ENOUGH_REPLICAS": _too_few_replicas,
    "NOT_ENOUGH_REPLICAS_AFTER_APPEND": _too_few_replicas,
    "OUT_OF_ORDER_SEQUENCE_NUMBER": _fenced,
    "UNKNOWN_PRODUCER_ID": _fenced,
    "INVALID_PRODUCER_EPOCH": _fenced,
    "PRODUCER_FENCED": _fenced,
    "_FENCED": _fenced,
    "_FATAL": _fenced,
    "THROTTLING_QUOTA_EXCEEDED": _throttled,
}
