"""What `start = "latest"` counts for: the partitions that a topic had when its group first read it.

What came later, as partitions that are added do, is read from its first message: else what was sent
there before anybody noticed would be read by nobody, and no one would hear of it.

So the group has to know how many partitions a topic had. Each position that is committed says it,
in the text that Kafka keeps beside it: all instances see that, also one that starts years later.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from nss.kafka.library import confluent_kafka
from nss.sources.kafka.offsets import Ledger

_TEXT = re.compile("nss: of ([0-9]{1,9}) partitions")


class FirstReads:
    """How many partitions topics had. All of it runs in the thread that consumes."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._kafka: Any = confluent_kafka()
        self._counts: dict[str, int] = {}
        self._seen: dict[str, int] | None = None
        """Of each topic before this instance joined its group."""

    def see(self, topics: Mapping[str, Any]) -> None:
        """Note the topics that there are before the group is joined."""
        if self._seen is None:
            self._seen = {name: len(topic.partitions) for name, topic in topics.items()}

    def learn(self, partitions: Sequence[Any]) -> None:
        """Take what the group keeps beside the positions of partitions."""
        for each in partitions:
            known = _TEXT.fullmatch(each.metadata or "")
            if known and each.error is None and each.offset >= 0:
                count = min(int(known[1]), self._counts.get(each.topic, int(known[1])))
                self._counts[each.topic] = count

    def count(self, consumer: Any, topic: str, secs: float) -> int:  # noqa: ANN401 - no types
        """Return how many partitions a topic had, asking the cluster if need be: in no callback.

        Without a text beside the positions that there are, all that has none was added since.
        Raises `KafkaException`, as nothing is known then.
        """
        if topic not in self._counts:
            there = consumer.list_topics(topic, timeout=secs).topics[topic]
            if there.error is not None:
                raise self._kafka.KafkaException(there.error)
            now = len(there.partitions)
            asked = [self._kafka.TopicPartition(topic, number) for number in range(now)]
            found = consumer.committed(asked, timeout=secs)
            failed = [each.error for each in found if each.error is not None]
            if failed:
                raise self._kafka.KafkaException(failed[0])
            self.learn(found)
            is_read = any(each.offset >= 0 for each in found)
            is_read = is_read or any(topic == name for name, _ in self._ledger.accepted)
            first = 0 if is_read else min(now, (self._seen or {topic: now}).get(topic, 0))
            self._counts.setdefault(topic, first)
        return self._counts[topic]

    def text(self, topic: str) -> str:
        """Return what is to be kept beside a position; empty if nothing is known."""
        count = self._counts.get(topic)
        return "" if count is None else f"nss: of {count} partitions"
