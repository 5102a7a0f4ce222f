"""The producer: brings messages to the cluster and knows which of them it has confirmed.

All of it runs in one thread, that of the sink. Successes are not reported one by one: what is no
longer on its way and was not reported as failed is confirmed.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from nss.causes import Cause
from nss.kafka.errors import Cluster, words_of
from nss.kafka.library import confluent_kafka
from nss.kafka.settings import ClientSettings, refused_settings
from nss.kafka.troubles import Troubles
from nss.sinks.kafka.messages import Failure

LOOK_SECS = 0.1
"""How often a wait looks whether it is given up."""

DOWN_SECS = 3.0
"""When no broker has a connection for this long, waiting for a confirmation is pointless."""

ANSWER_SECS = 1.0
"""How long the cluster may take to say what it knows of the topic."""

END_SECS = 1.0
"""How long ending a producer may take."""

REFUSALS = {"MSG_SIZE_TOO_LARGE", "INVALID_MSG_SIZE", "INVALID_RECORD", "RECORD_LIST_TOO_LARGE"}
"""Answers that are about the message, which would be given again."""

_ALWAYS = {
    "acks": "all",
    "enable.idempotence": True,
    # Nothing is given up: a confirmation may come after an hour, and no record came twice.
    "message.timeout.ms": 0,
    "delivery.report.only.error": True,
    "queue.buffering.max.messages": 0,
    "queue.buffering.max.kbytes": 2_097_151,
}
_DEFAULTS = {
    # As Java's clients choose it, so that a user has the same partition whoever writes.
    "partitioner": "murmur2_random",
    "linger.ms": 5,
}


@dataclass(slots=True)
class Report:
    """What came of messages that are no longer on their way."""

    failed: Counter[Failure] = field(default_factory=Counter)
    refused: Counter[Failure] = field(default_factory=Counter)
    cause: Cause | None = None
    """Why some failed."""
    refusal: str = ""
    """Why some were refused."""

    @property
    def is_good(self) -> bool:
        """Whether every message was confirmed."""
        return not self.failed and not self.refused


class Producing:
    """A producer that is made anew when its session with the cluster has ended.

    `part` is `feed NAME`. `clock` returns monotonic seconds.
    """

    def __init__(
        self,
        part: str,
        cluster: Cluster,
        client: ClientSettings,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._part = part
        self._cluster = cluster
        self._settings = {**_DEFAULTS, **client, **_ALWAYS, "error_cb": self._complained}
        self._clock = clock
        self._producer: Any = None
        self._report = Report()
        self._down_since: float | None = None
        self._has_ended = False
        self.troubles = Troubles(cluster, clock)
        self.given_up = threading.Event()
        """Set by others: waits end at once."""

    def begin(self) -> None:
        """Make the producer unless there is one; it connects by itself. Raises `ServiceError`."""
        if self._producer is not None:
            return
        library = confluent_kafka()
        try:
            self._producer = library.Producer(self._settings)
        except (library.KafkaException, TypeError, ValueError) as error:
            raise refused_settings(self._part, error) from None
        self._has_ended = False
        self._down_since = None

    def produce(self, payloads: list[dict[str, Any]]) -> None:
        """Put messages on their way."""
        self._report = Report()
        library = confluent_kafka()
        try:
            self._producer.produce_batch(self._cluster.topic, payloads, on_delivery=self._delivered)
        except (library.KafkaException, BufferError) as error:
            # Those that are on their way already are waited for, and sent again with the others.
            reason = error.args[0] if error.args else error
            self._report.cause = Cause(f"the Kafka library takes no messages ({reason})")
            self._report.failed.update(map(_failure, payloads))
            return
        for payload in payloads:
            if "_error" in payload:
                self._note(payload["_error"], _failure(payload))

    def wait(self, secs: float) -> Report | None:
        """Return what came of all messages on their way; `None`: some still are, after `secs`."""
        begin = self._clock()
        while self._producer.flush(LOOK_SECS):
            now = self._clock()
            if self.given_up.is_set() or now - begin >= secs:
                return None
            if self._has_ended:
                self._purge()
            is_down = self._down_since is not None and now - self._down_since >= DOWN_SECS
            if is_down and now - begin >= DOWN_SECS:
                return None
        found, self._report = self._report, Report()
        if found.is_good:
            self._down_since = None
            self.troubles.forget()
        if self._has_ended:
            self.end()
        return found

    def answers(self) -> bool:
        """Return whether the cluster answers and knows the topic, though it confirms nothing."""
        library = confluent_kafka()
        topic = self._cluster.topic
        try:
            found = self._producer.list_topics(topic, timeout=ANSWER_SECS).topics.get(topic)
        except library.KafkaException:
            return False
        return found is not None and found.error is None

    def end(self) -> None:
        """End the producer, and give up what is on its way."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.purge()
            producer.flush(END_SECS)
            producer.close()

    def _purge(self) -> None:
        self._producer.purge()

    def _complained(self, error: Any) -> None:  # noqa: ANN401 - the library's KafkaError
        self.troubles.note(error)
        if error.name() == "_ALL_BROKERS_DOWN" and self._down_since is None:
            self._down_since = self._clock()
        self._has_ended = self._has_ended or error.fatal()

    def _delivered(self, error: Any, message: Any) -> None:  # noqa: ANN401 - the library's
        """Note a message that was not confirmed; the library reports no others."""
        if error is not None:
            self._note(error, Failure(message.key(), message.value()))

    def _note(self, error: Any, failure: Failure) -> None:  # noqa: ANN401 - the library's
        report = self._report
        if error.name() in REFUSALS:
            report.refused[failure] += 1
            report.refusal = words_of(error)
            return
        report.failed[failure] += 1
        self._has_ended = self._has_ended or error.fatal()
        if report.cause is None:
            report.cause = self.troubles.cause(error)


def _failure(payload: dict[str, Any]) -> Failure:
    return Failure(payload.get("key"), payload["value"])
