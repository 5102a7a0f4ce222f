"""Where partitions are read: where they begin, and what takes them back to what was accepted.

All of it runs in the thread that consumes.
"""

import time
from collections.abc import Collection
from typing import Any

from nss.config.sources import KafkaSourceConfig
from nss.kafka.library import confluent_kafka
from nss.sources.kafka import events
from nss.sources.kafka.first_reads import FirstReads
from nss.sources.kafka.offsets import Key, Ledger, Offsets
from nss.sources.kafka.reading import Reading
from nss.sources.kafka.standing import PROBE_SECS, Standing, named

SOON_SECS = 1.0
"""How long a question may take on which only one partition waits; more each time it fails. For so
long answers are taken at a time, too.
"""

_MOST_SECS = 4.0


class Places:
    """The places of the partitions of one source. `consumer` is set before all else."""

    def __init__(
        self,
        settings: KafkaSourceConfig,
        ledger: Ledger,
        standing: Standing,
        reading: Reading,
        first_reads: FirstReads | None,
    ) -> None:
        self.consumer: Any = None
        self.leaving: set[Key] = set()
        """These go back to what was accepted; what comes of them until then is not taken."""
        self.parked: dict[Key, tuple[int, int] | None] = {}
        """Owned and not read, until it is found out where they begin; with their first offset and
        their end, once known. Those that could not be asked for come last.
        """
        self._unasked: set[Key] = set()
        """Of those, the ones of which it is not known whether the group has a position."""
        self._failed: set[Key] = set()
        """Of those, the ones that could not be asked for."""
        self._name = settings.name
        self._first_reads = first_reads
        self._ledger = ledger
        self._standing = standing
        self._reading = reading
        self._secs = SOON_SECS
        self._failed_at = -PROBE_SECS
        self._kafka: Any = confluent_kafka()

    def assign(self, partitions: Collection[Any]) -> Offsets:
        """Own partitions, with what the group has committed of them; return where each begins.

        One that is parked is not read yet: librdkafka is not told of it, as it could still go to
        where it was told first when it has been told better.
        """
        found: Offsets = {}
        for partition in partitions:
            key, is_asked = (partition.topic, partition.partition), partition.error is None
            is_known = is_asked and partition.offset >= 0
            start = self._ledger.assign(key, partition.offset if is_known else None)
            if start is None and is_asked and self._first_reads is None:
                start = self._kafka.OFFSET_BEGINNING
            if start is None or not is_asked:
                self._park(key, is_asked=is_asked)
            else:
                found[key] = start
        return found

    def start_parked(self) -> Offsets:
        """Find out where partitions begin, and return it; after a failure others come first.

        It is committed: else whoever has the partition next would begin at another end, and what
        came between would be read by nobody.
        """
        found: Offsets = {}
        ends_at = time.monotonic() + SOON_SECS
        for key in tuple(self.parked):
            now = time.monotonic()
            if now >= ends_at or (key in self._failed and now - self._failed_at < PROBE_SECS):
                break
            try:
                start = self._find_start(key)
            except self._kafka.KafkaException as error:
                self._standing.unread(key, error.args[0], is_told=key not in self._failed)
                if key in self._failed:
                    self._secs = min(2 * self._secs, _MOST_SECS)
                    self._failed_at = time.monotonic()
                self._failed.add(key)
                self.parked[key] = self.parked.pop(key)
                break
            self._secs = SOON_SECS
            self._ledger.begin(key, start)
            self._standing.read(key)
            self.forget([key])
            found[key] = start
        return found

    def forget(self, keys: Collection[Key]) -> None:
        """Partitions are another's."""
        self.leaving.difference_update(keys)
        self._unasked.difference_update(keys)
        self._failed.difference_update(keys)
        for key in keys:
            self.parked.pop(key, None)

    def find_start(self, key: Key) -> None:
        """Go to where a partition begins: its position is not there any more."""
        wanted, found = self._ledger.accepted.get(key), self._ends(key)
        if found is not None:
            if wanted is None:
                self._ledger.begin(key, found[0])
            else:
                self._tell(key, wanted, *found)
                self._ledger.restart(key, found[0])
        self.leaving.add(key)  # where nothing was found, it is reported again

    def rewind(self) -> None:
        """Go back to what was accepted, where a batch was given up."""
        wanted = self.leaving & self._ledger.owned
        self.leaving.clear()
        for key in wanted - self.parked.keys():
            offset = self._ledger.accepted.get(key)
            if offset is not None:  # of others no message has come yet
                self._go_to(key, offset)

    def try_again(self, key: Key) -> None:
        """Read a partition once more, of which nothing is on its way: its end is told, too."""
        if key not in self.parked:
            self._go_to(key, self._ledger.accepted.get(key, self._kafka.OFFSET_BEGINNING))

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
            if key in self._ledger.accepted:
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

    def _go_to(self, key: Key, offset: int) -> None:
        if not self._reading.go_to(key, offset):
            self.leaving.add(key)  # it is between two members: the next step tries again

    def _ends(self, key: Key) -> tuple[int, int] | None:
        """Return the first offset of a partition, and that behind its last; `None`: not known."""
        partition = self._kafka.TopicPartition(*key)
        try:
            found: tuple[int, int] | None = self.consumer.get_watermark_offsets(
                partition, timeout=_MOST_SECS
            )
        except self._kafka.KafkaException as error:
            self._standing.unread(key, error.args[0], is_told=False)
            return None
        return found
