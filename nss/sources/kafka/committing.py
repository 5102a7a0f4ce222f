"""Commits of positions to the group: what is due, and what the group said to it.

All of it runs in the thread that consumes.
"""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from nss.kafka.errors import Cluster, cause_of
from nss.kafka.library import confluent_kafka
from nss.sources.kafka import events
from nss.sources.kafka.first_reads import FirstReads
from nss.sources.kafka.offsets import Key, Ledger, Offsets

ASK_SECS = 10.0
"""How long a question to the cluster may take."""

AGAIN_SECS = 0.5
"""How soon a commit that failed is made again."""

TRYING = {"REBALANCE_IN_PROGRESS", "_WAIT_COORD", "_NO_OFFSET", "_ASSIGNMENT_LOST"}
"""Answers that pass by themselves."""


class Commits:
    """The commits of one source. `begin` comes before all else."""

    def __init__(
        self, name: str, cluster: Cluster, ledger: Ledger, first_reads: FirstReads | None = None
    ) -> None:
        self.last_at: float | None = None
        """When positions were last committed, seconds since the epoch."""
        self._name = name
        self._cluster = cluster
        self._ledger = ledger
        self._first_reads = first_reads
        self._kafka: Any = confluent_kafka()
        self._consumer: Any = None
        self._is_under_way = False
        self._again_at = 0.0

    def begin(self, consumer: Any) -> None:  # noqa: ANN401 - of a library without types
        """Commit by another consumer from now on."""
        self._consumer = consumer
        self._is_under_way = False

    def of_group(
        self, partitions: Sequence[Any], complained: Callable[[Any], None]
    ) -> Sequence[Any]:
        """Return partitions with what the group has committed of them, or an `error`."""
        if not partitions:
            return ()
        try:
            found: Sequence[Any] = self._consumer.committed(list(partitions), timeout=ASK_SECS)
        except self._kafka.KafkaException as error:
            complained(error.args[0])
            return [_Unknown(each.topic, each.partition) for each in partitions]
        if self._first_reads is not None:
            self._first_reads.learn(found)
        return found

    def begin_due(self) -> None:
        """Commit what is due, without waiting for the answer."""
        due = self._ledger.due()
        if due and not self._is_under_way and time.monotonic() >= self._again_at:
            self._is_under_way = True
            try:
                self._consumer.commit(offsets=self._partitions(due), asynchronous=True)
            except self._kafka.KafkaException as error:
                self._is_under_way = False
                self._failed(error.args[0])

    def answered(self, error: Any, partitions: Sequence[Any]) -> None:  # noqa: ANN401
        """Take the answer to a commit: this is the consumer's `on_commit`."""
        self._is_under_way = False
        if error is not None:
            self._failed(error)
        else:
            self._note(partitions)

    def make_due(self, keys: Collection[Key]) -> None:
        """Commit what is due of some partitions, and wait for the answer."""
        due = self._ledger.due(keys)
        if due:
            self.make(due)

    def make(self, offsets: Offsets) -> bool:
        """Commit, and wait for the answer; return whether the group took it."""
        try:
            found = self._consumer.commit(offsets=self._partitions(offsets), asynchronous=False)
        except self._kafka.KafkaException as error:
            self._failed(error.args[0])
            return False
        return self._note(found)

    def _partitions(self, offsets: Offsets) -> list[Any]:
        found = []
        for (topic, number), offset in offsets.items():
            partition = self._kafka.TopicPartition(topic, number, offset)
            if self._first_reads is not None and (text := self._first_reads.text(topic)):
                partition = self._kafka.TopicPartition(topic, number, offset, metadata=text)
            found.append(partition)
        return found

    def _note(self, partitions: Sequence[Any]) -> bool:
        failed = [each.error for each in partitions if each.error is not None]
        if failed:
            self._failed(failed[0])
        good = {(e.topic, e.partition): e.offset for e in partitions if e.error is None}
        self._ledger.committed({key: to for key, to in good.items() if key in self._ledger.owned})
        if good:
            self.last_at = time.time()
        return not failed

    def _failed(self, error: Any) -> None:  # noqa: ANN401
        self._again_at = time.monotonic() + AGAIN_SECS
        if error.name() not in TRYING:
            events.commit_failed(self._name, cause_of(error, self._cluster).sentence)


@dataclass(frozen=True, slots=True)
class _Unknown:
    """A partition of which it could not be asked what was committed."""

    topic: str
    partition: int
    error: str = "unknown"
    offset: int = -1
