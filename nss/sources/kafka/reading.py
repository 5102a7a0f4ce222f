"""Which partitions librdkafka reads, and whether it does so now.

All of it runs in the thread that consumes.
"""

import contextlib
from collections.abc import Collection
from typing import Any

from nss.kafka.library import confluent_kafka
from nss.sources.kafka.offsets import Key, Offsets


class Reading:
    """The partitions that are read. `begin` comes before all else."""

    def __init__(self) -> None:
        self.is_paused = False
        self._consumer: Any = None
        self._keys: set[Key] = set()
        self._kafka: Any = confluent_kafka()

    def begin(self, consumer: Any) -> None:  # noqa: ANN401 - of a library without types
        """Read with another consumer from now on, which has no partition yet."""
        self._consumer = consumer
        self._keys.clear()
        self.is_paused = False

    def add(self, starts: Offsets) -> None:
        """Read partitions from where they begin. A callback of the group calls it without any, too:
        else the library takes those that were assigned.
        """
        make = self._kafka.TopicPartition
        self._consumer.incremental_assign([make(*key, start) for key, start in starts.items()])
        self._keys.update(starts)
        if starts:
            # One that went while it was paused would come back so.
            set_flow = self._consumer.pause if self.is_paused else self._consumer.resume
            set_flow(self._partitions(starts))

    def remove(self, keys: Collection[Key]) -> None:
        """Read partitions no longer; some may not have been read yet."""
        self._consumer.incremental_unassign(self._partitions(self._keys.intersection(keys)))
        self._keys.difference_update(keys)

    def go_to(self, key: Key, offset: int) -> bool:
        """Go to an offset of a partition; return whether that could be done."""
        partition = self._kafka.TopicPartition(*key, offset)
        try:
            self._consumer.seek(partition)
        except self._kafka.KafkaException:
            # It is not read: after an offset out of range it never would be again.
            with contextlib.suppress(self._kafka.KafkaException):
                self._consumer.incremental_unassign([partition])
            try:
                self._consumer.incremental_assign([partition])
            except self._kafka.KafkaException:
                return False
        return True

    def pause(self) -> None:
        """Let nothing come."""
        if not self.is_paused:
            self.is_paused = True
            self._consumer.pause(self._partitions(self._keys))

    def resume(self) -> None:
        """Let messages come again."""
        if self.is_paused:
            self.is_paused = False
            self._consumer.resume(self._partitions(self._keys))

    def _partitions(self, keys: Collection[Key]) -> list[Any]:
        return [self._kafka.TopicPartition(*key) for key in keys]
