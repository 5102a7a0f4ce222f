"""What `start = "latest"` counts for: the partitions that a topic had when its group first read it.

What came later, as partitions that are added do, is read from its first message: else what was sent
there before anybody noticed would be read by nobody, and no one would hear of it.

So the group has to know how many partitions a topic had. Each position that is committed says it,
in the text that Kafka keeps beside it: all instances see that, also one that starts years later.
"""

import re
import sys
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from nss.kafka.library import confluent_kafka
from nss.sources.kafka.offsets import Key, Ledger

_TEXT = re.compile("nss: of ([0-9]{1,9}) partitions")
_NOT_THERE = {"UNKNOWN_TOPIC_OR_PART", "_UNKNOWN_TOPIC"}
_ALL = sys.maxsize


class FirstReads:
    """How many partitions topics had. All of it runs in the thread that consumes."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._kafka: Any = confluent_kafka()
        self._counts: dict[str, int] = {}
        self._seen: dict[str, int] = {}
        """Of each topic before this instance joined its group; `_ALL` where that is not known."""

    def see(
        self,
        consumer: Any,  # noqa: ANN401 - of a library without types
        listed: Mapping[str, Any],
        wanted: Collection[str],
        secs: float,
    ) -> None:
        """Note the topics that are `listed` before the group is joined. Raises `KafkaException`.

        Of those `wanted` by name it is asked if they are not there, or only not for us to see.
        """
        found = dict(listed)
        for topic in (each for each in wanted if not each.startswith("^")):
            if topic not in found or found[topic].error is not None:
                found |= consumer.list_topics(topic, timeout=secs).topics
        for name, topic in found.items():
            if topic.error is None:
                self._seen[name] = len(topic.partitions)
            elif topic.error.name() not in _NOT_THERE:
                self._seen[name] = _ALL

    def learn(self, partitions: Sequence[Any]) -> None:
        """Take what the group keeps beside the positions of partitions."""
        for each in partitions:
            try:
                known = _TEXT.fullmatch(each.metadata or "")
            except UnicodeDecodeError:  # another's
                continue
            if known and each.error is None and each.offset >= 0:
                count = min(int(known[1]), self._counts.get(each.topic, _ALL))
                self._counts[each.topic] = count

    def count(self, consumer: Any, key: Key, secs: float) -> int:  # noqa: ANN401 - no types
        """Return how many partitions the topic of a partition had, asking the group if need be.

        Without a text beside the positions that there are, all that has none was added since.
        Raises `KafkaException`, as nothing is known then.
        """
        topic, number = key
        if topic not in self._counts:
            seen = self._seen.get(topic, 0)
            numbers = range(max(number + 1, seen if seen < _ALL else 0))
            asked = [self._kafka.TopicPartition(topic, each) for each in numbers]
            found = consumer.committed(asked, timeout=secs)
            failed = [each.error for each in found if each.error is not None]
            if failed:
                raise self._kafka.KafkaException(failed[0])
            self.learn(found)
            is_read = any(each.offset >= 0 for each in found)
            is_read = is_read or any(topic == name for name, _ in self._ledger.accepted)
            self._counts.setdefault(topic, 0 if is_read else seen)
        return self._counts[topic]

    def forget(self, topic: str) -> None:
        """A topic is not there: when it comes, all of it is new."""
        self._counts.pop(topic, None)
        self._seen[topic] = 0

    def text(self, topic: str) -> str:
        """Return what is to be kept beside a position; empty if nothing is known."""
        count = self._counts.get(topic, _ALL)
        return "" if count == _ALL else f"nss: of {count} partitions"
