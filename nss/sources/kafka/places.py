"""Where partitions are read: where they begin, and what takes them back to what was accepted.

All of it runs in the thread that consumes.
"""

from collections.abc import Mapping
from typing import Any

from nss.config.sources import KafkaSourceConfig
from nss.kafka.library import confluent_kafka
from nss.sources.kafka import events
from nss.sources.kafka.committing import ASK_SECS
from nss.sources.kafka.first_reads import FirstReads
from nss.sources.kafka.offsets import Key, Ledger
from nss.sources.kafka.standing import Standing, named


class Places:
    """The places of the partitions of one source. `consumer` is set before all else."""

    def __init__(
        self,
        settings: KafkaSourceConfig,
        ledger: Ledger,
        standing: Standing,
        first_reads: FirstReads | None,
    ) -> None:
        self.consumer: Any = None
        self.leaving: set[Key] = set()
        """These go back to what was accepted; what comes of them until then is not taken."""
        self._name = settings.name
        self._first_reads = first_reads
        self._ledger = ledger
        self._standing = standing
        self._kafka: Any = confluent_kafka()

    @property
    def unknown(self) -> int:
        """Where to read a partition without a position: what is not found there is reported."""
        kafka = self._kafka
        first: int = kafka.OFFSET_BEGINNING if self._first_reads is None else kafka.OFFSET_STORED
        return first

    def see(self, topics: Mapping[str, Any]) -> None:
        """Note which topics there are before the group is joined."""
        if self._first_reads is not None:
            self._first_reads.see(topics)

    def find_start(self, key: Key) -> None:
        """Go to where a partition begins: its position is not there any more, or there is none.

        What is found out is committed: else whoever has the partition next would begin at another
        end, and what came between would be read by nobody.
        """
        wanted = self._ledger.accepted.get(key)
        if wanted is not None:
            found = self._ends(key)
            if found is not None:
                self._tell(key, wanted, *found)
                self._ledger.restart(key, found[0])
            self.leaving.add(key)  # where nothing was found, it is reported again
            return
        start = self._start(key)
        if start is None:
            self._go_to(self._kafka.TopicPartition(*key, self.unknown))
        else:
            self._ledger.begin(key, start)
            self.leaving.add(key)

    def rewind(self) -> None:
        """Go back to what was accepted, where a batch was given up."""
        for key in self.leaving & self._ledger.owned:
            offset = self._ledger.accepted.get(key)
            if offset is not None:  # of others no message has come yet
                self._go_to(self._kafka.TopicPartition(*key, offset))
        self.leaving.clear()

    def try_again(self, key: Key) -> None:
        """Read a partition once more, of which nothing is on its way: its end is told, too."""
        start = self._ledger.accepted.get(key, self.unknown)
        self._go_to(self._kafka.TopicPartition(*key, start))

    def _start(self, key: Key) -> int | None:
        """Return where a partition begins; `None`: that can't be found out now."""
        ends = self._ends(key)
        if ends is None or self._first_reads is None:
            return ends and ends[0]
        low, high = ends
        try:
            first = self._first_reads.count(self.consumer, key[0], ASK_SECS)
        except self._kafka.KafkaException as error:
            self._standing.unread(key, error.args[0], is_told=False)
            return None
        if key[1] < first:
            return high
        events.added(self._name, named(key), high - low)
        return low

    def _tell(self, key: Key, wanted: int, low: int, high: int) -> None:
        if wanted < low:
            events.expired(self._name, named(key), low - wanted)
        elif wanted > high:
            events.shorter(self._name, named(key), wanted, high)

    def _go_to(self, partition: Any) -> None:  # noqa: ANN401 - of a library without types
        try:
            self.consumer.seek(partition)
        except self._kafka.KafkaException:
            # librdkafka does not read it: after an offset out of range it never would again.
            self.consumer.incremental_unassign([partition])
            self.consumer.incremental_assign([partition])

    def _ends(self, key: Key) -> tuple[int, int] | None:
        """Return the first offset of a partition, and that behind its last; `None`: not known."""
        partition = self._kafka.TopicPartition(*key)
        try:
            found: tuple[int, int] | None = self.consumer.get_watermark_offsets(
                partition, timeout=ASK_SECS
            )
        except self._kafka.KafkaException as error:
            self._standing.unread(key, error.args[0], is_told=False)
            return None
        return found
