"""Where partitions are read: where they begin, and what takes them back to what was accepted.

All of it runs in the thread that consumes.
"""

from typing import Any

from nss.config.sources import KafkaSourceConfig
from nss.kafka.library import confluent_kafka
from nss.sources.kafka import events
from nss.sources.kafka.committing import ASK_SECS
from nss.sources.kafka.offsets import Key, Ledger
from nss.sources.kafka.standing import Standing, named


class Places:
    """The places of the partitions of one source. `consumer` is set before all else."""

    def __init__(self, settings: KafkaSourceConfig, ledger: Ledger, standing: Standing) -> None:
        self.consumer: Any = None
        self.leaving: set[Key] = set()
        """These go back to what was accepted; what comes of them until then is not taken."""
        self._name = settings.name
        self._is_earliest = settings.start == "earliest"
        self._ledger = ledger
        self._standing = standing
        self._kafka: Any = confluent_kafka()
        kafka = self._kafka
        self._first: int = kafka.OFFSET_BEGINNING if self._is_earliest else kafka.OFFSET_END

    def begin(self, key: Key) -> int:
        """Return where a partition begins of which nothing is known yet.

        `latest` is found out now, and committed: else whoever has the partition next would begin
        at another end, and what came between would be read by nobody.
        """
        found = None if self._is_earliest else self._ends(key)
        if found is None:
            return self._first
        self._ledger.begin(key, found[1])
        return found[1]

    def find_start(self, key: Key) -> None:
        """Go to where a partition begins: its position is not there any more, or there is none."""
        found, wanted = self._ends(key), self._ledger.accepted.get(key)
        if found is None and wanted is None:
            self._go_to(self._kafka.TopicPartition(*key, self._first))
            return
        if found is not None:
            low, high = found
            if wanted is None:
                self._ledger.begin(key, low if self._is_earliest else high)
            else:
                self._tell(key, wanted, low, high)
                self._ledger.restart(key, low)
        self.leaving.add(key)  # where nothing was found, it is reported again

    def rewind(self) -> None:
        """Go back to what was accepted, where a batch was given up."""
        for key in self.leaving & self._ledger.owned:
            offset = self._ledger.accepted.get(key)
            if offset is not None:  # of others no message has come yet
                self._go_to(self._kafka.TopicPartition(*key, offset))
        self.leaving.clear()

    def try_again(self, key: Key) -> None:
        """Read a partition once more, of which nothing is on its way: its end is told, too."""
        offset = self._ledger.accepted.get(key)
        if offset is not None or self._is_earliest:
            start = self._first if offset is None else offset
            self._go_to(self._kafka.TopicPartition(*key, start))

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
