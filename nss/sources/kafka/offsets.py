"""What is known of each partition: how far it was accepted, passed and committed.

Offsets are those of the next message, as Kafka commits them. Nothing here waits or does I/O.
"""

import sys
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import msgspec

from nss import foreign

Key = tuple[str, int]
"""A topic, and the number of a partition of it."""

Offsets = dict[Key, int]

_NEVER = sys.maxsize


class _Position(msgspec.Struct):
    group: str
    cluster: str
    offsets: dict[str, dict[str, int]]


def position_text(group: str, cluster: str, offsets: Mapping[Key, int]) -> str:
    """Return offsets as the spool keeps them beside the records."""
    topics: dict[str, dict[str, int]] = {}
    for (topic, partition), offset in sorted(offsets.items()):
        topics.setdefault(topic, {})[str(partition)] = offset
    return msgspec.json.encode(_Position(group, cluster, topics)).decode()


@dataclass(frozen=True, slots=True)
class KeptOffsets:
    """The offsets that the spool kept, and of which group in which cluster they are."""

    group: str = ""
    cluster: str = ""
    offsets: Mapping[Key, int] = field(default_factory=dict)

    def of(self, group: str, cluster: str) -> Mapping[Key, int]:
        """Return them if they are of a group in a cluster; a cluster may not say its name."""
        same = self.group == group and (not cluster or not self.cluster or self.cluster == cluster)
        return self.offsets if same else {}


def kept_offsets(position: str) -> KeptOffsets:
    """Return what a position says. Raises `ValueError` for one that can't be understood."""
    try:
        kept = foreign.decode(position.encode(), _Position)
        offsets = {
            (topic, int(number)): offset
            for topic, partitions in kept.offsets.items()
            for number, offset in partitions.items()
        }
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise ValueError(str(error)) from None
    return KeptOffsets(kept.group, kept.cluster, offsets)


@dataclass(slots=True)
class _Unpassed:
    """A batch that some feed has yet to pass."""

    sequence: int
    offsets: Mapping[Key, int]
    data_bytes: int


class Ledger:
    """How far each partition is. With `delivered` only what all feeds are past is committed.

    `sequence` is that of the last batch in the spool; what the spool kept was accepted up to it.
    """

    def __init__(self, kept: KeptOffsets, *, delivered: bool, sequence: int) -> None:
        self.owned: set[Key] = set()
        self.accepted: Offsets = {}
        """Up to here the spool has the records."""
        self.undelivered_bytes = 0
        """Of the records accepted since the start that some feed has yet to pass."""
        self._kept = kept
        self._delivered = delivered
        self._committed: Offsets = {}
        self._passed: Offsets = {}
        self._unpassed = deque[_Unpassed]()
        self._kept_until = sequence
        self._begun: set[Key] = set()
        """Of these it is only known where they begin: nothing was accepted or committed yet."""

    def use_kept(self, group: str, cluster: str) -> bool:
        """Take over what the spool kept, once; return whether it is of another group or cluster."""
        kept, self._kept = self._kept, KeptOffsets()
        found = dict(kept.of(group, cluster))
        for key, offset in found.items():
            self.accepted.setdefault(key, offset)
        if self._delivered and found:
            self._unpassed.appendleft(_Unpassed(self._kept_until, found, 0))
        return bool(kept.offsets) and not found

    def assign(self, key: Key, committed: int | None) -> int | None:
        """Own a partition, of which the group has committed an offset; return where it begins.

        The later of that and of ours wins: what lies between was accepted here, or was done by
        another instance. `None`: there is neither.
        """
        self.owned.add(key)
        ours = self.accepted.get(key)
        if committed is not None:
            self._committed[key] = committed
        else:
            self._committed.pop(key, None)
        known = [offset for offset in (ours, committed) if offset is not None]
        if not known:
            return None
        self.accepted[key] = start = max(known)
        return start

    def begin(self, key: Key, offset: int) -> None:
        """Note where a partition begins, unless that is known: what lies before is not ours.

        So it may be committed in either way, and whoever has the partition next begins there too.
        """
        if key not in self.accepted:
            self.accepted[key] = self._passed[key] = offset
            self._begun.add(key)

    def restart(self, key: Key, offset: int) -> None:
        """Begin a partition at another offset, an earlier one too: its messages are not there."""
        self.accepted[key] = offset
        self._begun.discard(key)
        self._committed.pop(key, None)
        self._passed.pop(key, None)
        for unpassed in self._unpassed:
            unpassed.offsets = {at: to for at, to in unpassed.offsets.items() if at != key}

    def revoke(self, keys: Collection[Key]) -> None:
        """Own partitions no longer: nothing of them is committed from now on.

        Where one was to begin counts no more: who has it next may have begun before that.
        """
        self.owned.difference_update(keys)
        for key in self._begun.intersection(keys):
            self._begun.discard(key)
            del self.accepted[key], self._passed[key]

    def accept(self, offsets: Mapping[Key, int], sequence: int | None, data_bytes: int) -> None:
        """Note that a batch up to some offsets was accepted; without a sequence it never passes."""
        self.accepted.update(offsets)
        self._begun.difference_update(offsets)
        if self._delivered:
            self._unpassed.append(
                _Unpassed(_NEVER if sequence is None else sequence, offsets, data_bytes)
            )
            self.undelivered_bytes += data_bytes

    def skip(self, offsets: Mapping[Key, int]) -> None:
        """Note that messages up to some offsets hold no record."""
        self.accept(offsets, self._unpassed[-1].sequence if self._unpassed else 0, 0)

    def passed(self, sequence: int) -> None:
        """Note that all feeds are past all batches up to a sequence."""
        while self._unpassed and self._unpassed[0].sequence <= sequence:
            unpassed = self._unpassed.popleft()
            self._passed.update(unpassed.offsets)
            self.undelivered_bytes -= unpassed.data_bytes

    def is_passed(self, keys: Collection[Key]) -> bool:
        """Return whether nothing of these partitions is on its way to a feed."""
        return not any(key in batch.offsets for batch in self._unpassed for key in keys)

    def due(self, keys: Collection[Key] | None = None) -> Offsets:
        """Return what is to be committed of partitions owned, by default of all: never back."""
        reached = self._passed if self._delivered else self.accepted
        return {
            key: reached[key]
            for key in (self.owned if keys is None else self.owned.intersection(keys))
            if reached.get(key, -1) > self._committed.get(key, -1)
        }

    def committed(self, offsets: Mapping[Key, int]) -> None:
        """Note what the group has."""
        self._begun.difference_update(offsets)
        for key, offset in offsets.items():
            self._committed[key] = max(offset, self._committed.get(key, -1))

    def proof(self) -> Offsets:
        """Return offsets that can be committed once more, to learn whether we are still members."""
        again = {key: self._committed[key] for key in self.owned & self._committed.keys()}
        return again | self.due()
