"""Where partitions are read: where they begin, and what takes them back to what was accepted.

All of it runs in the thread that consumes.
"""

import time
from collections.abc import Collection
from typing import Any

from nss.config.sources import KafkaSourceConfig
from nss.kafka.library import confluent_kafka
from nss.sources.kafka import events
from nss.sources.kafka.committing import ASK_SECS
from nss.sources.kafka.first_reads import FirstReads
from nss.sources.kafka.offsets import Key, Ledger, Offsets
from nss.sources.kafka.standing import PROBE_SECS, Standing, named

SOON_SECS = 1.0
"""How long a question may take on which only one partition waits; more each time it fails."""

_MOST_SECS = 4.0


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
        self.parked: dict[Key, tuple[int, int] | None] = {}
        """These wait at their end until it is found out where they begin, and nothing of them is
        taken; with their first offset and their end, once known.
        """
        self._unasked: set[Key] = set()
        """Of those, the ones of which it is not known whether the group has a position."""
        self._name = settings.name
        self._first_reads = first_reads
        self._ledger = ledger
        self._standing = standing
        self._secs = SOON_SECS
        self._failed_at = -PROBE_SECS
        self._kafka: Any = confluent_kafka()

    def assign(self, partitions: Collection[Any]) -> Offsets:
        """Own partitions, with what the group has committed of them; return where each begins."""
        found: Offsets = {}
        for partition in partitions:
            key = (partition.topic, partition.partition)
            is_known = partition.error is None and partition.offset >= 0
            start = self._ledger.assign(key, partition.offset if is_known else None)
            if start is None and partition.error is None and self._first_reads is None:
                start = self._kafka.OFFSET_BEGINNING
            if start is None:
                self._park(key, is_asked=partition.error is None)
                start = self._kafka.OFFSET_END
            found[key] = start
        self._standing.assigned(found)
        self.start_parked()
        self.leaving.difference_update(found)  # they begin where they have to
        return {key: self._ledger.accepted.get(key, start) for key, start in found.items()}

    def start_parked(self) -> None:
        """Find out where partitions begin, until one can't be asked for; then wait for a while.

        What is found out is committed: else whoever has the partition next would begin at another
        end, and what came between would be read by nobody.
        """
        if not self.parked or time.monotonic() - self._failed_at < PROBE_SECS:
            return
        for key in tuple(self.parked):
            try:
                start = self._find_start(key)
            except self._kafka.KafkaException as error:
                self._standing.unread(key, error.args[0], is_told=self._secs == SOON_SECS)
                self._secs = min(2 * self._secs, _MOST_SECS)
                self._failed_at = time.monotonic()
                self.parked[key] = self.parked.pop(key)  # others come first, the next time
                return
            self._secs = SOON_SECS
            self._ledger.begin(key, start)
            self._standing.read(key)
            self.leaving.add(key)
            del self.parked[key]

    def forget(self, keys: Collection[Key]) -> None:
        """Partitions are another's."""
        self.leaving.difference_update(keys)
        self._unasked.difference_update(keys)
        for key in keys:
            self.parked.pop(key, None)

    def find_start(self, key: Key) -> None:
        """Go to where a partition begins: its position is not there any more, or there is none."""
        wanted = self._ledger.accepted.get(key)
        if wanted is None:
            self._park(key, is_asked=False)
            return
        found = self._ends(key)
        if found is not None:
            self._tell(key, wanted, *found)
            self._ledger.restart(key, found[0])
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
        if key not in self.parked:
            start = self._ledger.accepted.get(key, self._kafka.OFFSET_BEGINNING)
            self._go_to(self._kafka.TopicPartition(*key, start))

    def _park(self, key: Key, *, is_asked: bool) -> None:
        self.parked.setdefault(key, None)
        if not is_asked:
            self._unasked.add(key)

    def _find_start(self, key: Key) -> int:
        """Return where a partition begins. Raises `KafkaException` if that can't be asked."""
        partition = self._kafka.TopicPartition(*key)
        if key in self._unasked:
            (committed,) = self.consumer.committed([partition], timeout=self._secs)
            if committed.error is not None:
                raise self._kafka.KafkaException(committed.error)
            self._unasked.discard(key)
            if committed.offset >= 0:
                self._ledger.assign(key, committed.offset)
                return self._ledger.accepted[key]
        ends = self.parked[key]  # those of the first time: what comes after them is read
        if ends is None:
            found: tuple[int, int] = self.consumer.get_watermark_offsets(
                partition, timeout=self._secs
            )
            self.parked[key] = ends = found
        low, high = ends
        if self._first_reads is None:
            return low
        if key[1] < self._first_reads.count(self.consumer, key, self._secs):
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
