"""The thread that consumes and commits: nothing else talks to the group.

Each step takes what came, hands one batch on, notes what was accepted, and commits. Callbacks of
librdkafka run inside of `consume`, in this thread. While no more can be taken, the partitions are
paused and `consume` is called all the same: a member that does not poll loses its partitions.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

from nss.batch import BATCH_MAX_BYTES, BATCH_MAX_SECS, Batch
from nss.config.sources import KafkaSourceConfig
from nss.errors import NssError, SourceError, unplanned
from nss.kafka.errors import Cluster
from nss.kafka.library import confluent_kafka
from nss.kafka.settings import ClientSettings, refused_settings
from nss.sources import Accept, Passing
from nss.sources.kafka import events
from nss.sources.kafka.committing import ASK_SECS, Commits
from nss.sources.kafka.first_reads import FirstReads
from nss.sources.kafka.handing import Handing
from nss.sources.kafka.messages import framed
from nss.sources.kafka.offsets import KeptOffsets, Key, Ledger, position_text
from nss.sources.kafka.places import SOON_SECS, Places
from nss.sources.kafka.reading import Reading
from nss.sources.kafka.settings import session_secs
from nss.sources.kafka.shown import Showing
from nss.sources.kafka.standing import Standing, names
from nss.sources.kafka.taken import Taken

AGAIN_SECS = 10.0
"""How soon another consumer is made after one has failed for good."""

_PAUSE_SECS = 1.0
"""After so long without taking messages, the partitions are paused."""

_LOOK_SECS = 0.05
_MOST_SECS = 5.0
"""How long a question may take before the group is joined."""

_MAX_MESSAGES = 10_000


class Say(Protocol):
    """Takes note that nothing more comes, and then that the thread is done."""

    def __call__(self, *, done: bool) -> None:
        """Take note."""


class Consuming:
    """Consumes in a thread of its own, from `start` until `finish`."""

    def __init__(
        self,
        settings: KafkaSourceConfig,
        client: ClientSettings,
        kept: KeptOffsets,
        passing: Callable[[], Passing],
        say: Say,
        show: Callable[[Sequence[Any], int], None],
    ) -> None:
        self.failure: NssError | None = None
        self.passed = 0
        """Set by the event loop: how far the feeds are."""
        self.showing = Showing(show)
        self.stopping = threading.Event()
        """Take no more."""
        self.finishing = threading.Event()
        """Commit, and end."""
        self._settings = settings
        self._client = client
        self._passing = passing
        self._say = say
        self._kafka: Any = confluent_kafka()
        delivered = settings.commit == "delivered"
        self._ledger = Ledger(kept, delivered=delivered, sequence=passing().last)
        cluster = Cluster(settings.brokers, f"sources.{settings.name}")
        self._first_reads = FirstReads(self._ledger) if settings.start == "latest" else None
        self._commits = Commits(settings.name, cluster, self._ledger, self._first_reads)
        self._session_secs = session_secs(client)
        self.standing = Standing(settings, cluster, self._ledger, self._session_secs)
        self._delivered = delivered
        self._reading = Reading()
        self._places = Places(
            settings, self._ledger, self.standing, self._reading, self._first_reads
        )
        self._consumer: Any = None
        self._cluster_id: str | None = None
        self._loop: asyncio.AbstractEventLoop
        self._accept: Accept
        self._taken = Taken()
        self._handing: Handing | None = None
        self._blocked_at: float | None = None
        self._in_doubt = False
        self._stepped_at = 0.0
        self._said_ended = False
        self._thread = threading.Thread(
            target=self._run, name=f"kafka source {settings.name}", daemon=True
        )

    def start(self, loop: asyncio.AbstractEventLoop, accept: Accept) -> None:
        """Begin; what comes is handed to `accept` in the loop."""
        self._loop, self._accept = loop, accept
        self._thread.start()

    # The thread.

    def _run(self) -> None:
        try:
            while not self.finishing.is_set():
                self._session()
                if not self.finishing.is_set():
                    self.finishing.wait(AGAIN_SECS)
        except NssError as error:
            self.failure = error
        except Exception as error:  # noqa: BLE001 - the source raises it
            name = self._settings.name
            self.failure = SourceError(f"kafka source: {name}: {unplanned(error)}")
        finally:
            self._say(done=True)

    def _session(self) -> None:
        """Consume with one consumer until `finishing`, or until it has failed for good."""
        callbacks = {**self.standing.begin(), "on_commit": self._commits.answered}
        try:
            consumer = self._consumer = self._kafka.Consumer({**self._client, **callbacks})
        except (self._kafka.KafkaException, TypeError, ValueError) as error:
            raise refused_settings(f"source {self._settings.name}", error) from None
        self._commits.begin(consumer)
        self._places.consumer = consumer
        self._reading.begin(consumer)
        self._in_doubt = False
        try:
            joined = self._join(consumer)
            while joined and not self.finishing.is_set() and self._step():
                pass
            if self.finishing.is_set():
                self._settle(wait_secs=self._settings.revoke_secs)
                self._give_up()
                self._commits.make_due(self._ledger.owned)
        finally:
            self._taken.drop(lambda _: True)
            consumer.close()
            self._forget({*self._ledger.owned, *self._places.parked})

    def _join(self, consumer: Any) -> bool:  # noqa: ANN401 - of a library without types
        """Join the group, once the cluster has said who it is; return whether that was so.

        That can't be asked in a callback: after it, the library ends the process at the next one.
        """
        secs = SOON_SECS
        while self._cluster_id is None:
            self._settle()
            complaints = consumer.consume(1, _LOOK_SECS)
            if self.finishing.is_set() or not all(map(self._take, complaints)):
                return False
            self.standing.report(consumer, None)
            if self.stopping.is_set():
                continue
            try:
                found = consumer.list_topics(timeout=secs)
                if self._first_reads is not None:
                    self._first_reads.see(consumer, found.topics, self._settings.topics, secs)
            except self._kafka.KafkaException:
                secs = min(2 * secs, _MOST_SECS)  # it may be slow
                continue
            self._cluster_id = found.cluster_id or ""
            if self._ledger.use_kept(self._settings.group, self._cluster_id):
                events.position_of_others(self._settings.name, self._settings.group)
        told = {"on_assign": self._assigned, "on_revoke": self._revoked, "on_lost": self._lost}
        self.standing.joins()
        consumer.subscribe(list(self._settings.topics), **told)
        self._stepped_at = time.monotonic()
        return True

    def _step(self) -> bool:
        """Do what can be done now; return whether the consumer is still of use."""
        self._check_stall()
        self._settle()
        if self._places.parked and not self.stopping.is_set() and not self._in_doubt:
            starts = self._places.start_parked()
            if starts:
                self._reading.add(starts)
        self._hand_on()
        self._commits.begin_due()
        self.standing.report(self._consumer, self._commits.last_at)
        self._try_unread()
        messages = self._consume()
        self._check_stall()
        usable = True
        for message in messages:
            usable = self._take(message) and usable
        self.showing.offer(messages)
        return usable

    def _consume(self) -> Sequence[Any]:
        consumer = self._consumer
        if self._has_enough():
            now = time.monotonic()
            self._blocked_at = self._blocked_at or now
            is_long = now - self._blocked_at >= _PAUSE_SECS
            if self.stopping.is_set() or self._in_doubt or is_long:
                self._reading.pause()
                found: Sequence[Any] = consumer.consume(1, _LOOK_SECS)
                return found
            if self._handing is not None:
                self._handing.settled.wait(_LOOK_SECS)
            else:
                self.finishing.wait(_LOOK_SECS)
            return ()
        self._blocked_at = None
        self._reading.resume()
        wanted = min(_MAX_MESSAGES, self._taken.wanted(BATCH_MAX_BYTES))
        several: Sequence[Any] = consumer.consume(wanted, BATCH_MAX_SECS)
        return several

    def _has_enough(self) -> bool:
        if self.stopping.is_set() or self._in_doubt or self._taken.size_bytes >= BATCH_MAX_BYTES:
            return True
        if not self._delivered:
            return False
        on_its_way = 0 if self._handing is None else len(self._handing.batch.data)
        undelivered = self._ledger.undelivered_bytes + self._taken.size_bytes + on_its_way
        return undelivered >= self._settings.max_undelivered_bytes

    # Messages.

    def _take(self, message: Any) -> bool:  # noqa: ANN401 - of a library without types
        """Take a message, or what is reported in place of one; return whether to go on."""
        error = message.error()
        key = (message.topic() or "", message.partition())
        if error is not None:
            return self._reported(error, key)
        if key not in self._ledger.owned:
            return True
        self._ledger.begin(key, message.offset())
        if key in self._places.leaving or self._in_doubt:
            return True
        self.standing.read(key)
        self._taken.add(message)
        return True

    def _reported(self, error: Any, key: Key) -> bool:  # noqa: ANN401 - of a library without types
        if error.fatal():
            self.standing.complained(error)
            return False
        if error.name() in {"_AUTO_OFFSET_RESET", "OFFSET_OUT_OF_RANGE", "_NO_OFFSET"}:
            if key in self._ledger.owned:
                self._taken.drop(lambda other: other == key)
                self._places.find_start(key)
        elif error.name() == "_PARTITION_EOF":
            self.standing.read(key)
        elif key[0]:
            if self._first_reads is not None and error.name() == "UNKNOWN_TOPIC_OR_PART":
                self._first_reads.forget(key[0])
            # What is wrong with a topic comes as of its partition 0.
            self.standing.unread(key if key in self._ledger.owned else (key[0], -1), error)
        elif not error.retriable():
            self.standing.complained(error)
        return True

    def _try_unread(self) -> None:
        """Read what could not be read once more: else librdkafka tells when messages come only."""
        for key in self.standing.to_try():
            is_handed = self._handing is not None and key in self._handing.framed.offsets
            if not is_handed and not self._in_doubt and not self._taken.holds(key):
                self._places.try_again(key)

    # Handing on.

    def _hand_on(self) -> None:
        if self._handing is not None:
            return
        self._places.rewind()  # not while what it goes back behind may still be accepted
        if not self._taken or self._in_doubt:
            return
        # Below, `consume` has waited for more, if there was room.
        batch = self._taken.pop_topic()
        found = framed(batch, self._settings.max_record_bytes)
        if not found.records:
            self._ledger.skip(found.offsets)
            return
        position = position_text(
            self._settings.group, self._cluster_id or "", self._ledger.accepted | found.offsets
        )
        name = self._settings.name
        handing = Handing(Batch(name, found.data, found.records, position, batch[0].topic()), found)
        self._handing = handing
        handing.begin(self._loop, self._accept)

    def _settle(self, wait_secs: float = 0.0) -> None:
        """Note what became of the batch that was handed on, if that is known in time."""
        handing = self._handing
        if handing is not None and handing.settled.wait(wait_secs):
            self._handing = None
            if handing.error is not None:
                raise handing.error
            if handing.accepted:
                found = handing.framed
                self._ledger.accept(found.offsets, handing.sequence, len(handing.batch.data))
                self.standing.last_taken_at.update(found.at)
            else:
                self._places.leaving.update(handing.framed.offsets)
                self._taken.drop(lambda key: key in self._places.leaving)
        self._ledger.passed(self.passed)
        is_done = self.stopping.is_set() and self._handing is None and not self._taken
        if is_done and not self._said_ended:
            self._said_ended = True
            self._say(done=False)

    def _give_up(self) -> None:
        """Have what is being handed on not accepted, if that can still be."""
        if self._handing is not None and not self._handing.settled.is_set():
            self._handing.give_up(self._loop)
            self._settle(wait_secs=ASK_SECS)

    # The group.

    def _assigned(self, _consumer: Any, partitions: Sequence[Any]) -> None:  # noqa: ANN401
        self._in_doubt = False
        self.standing.rebalances += 1
        keys = {(each.topic, each.partition) for each in partitions}
        found = self._places.assign(self._commits.of_group(partitions, self.standing.complained))
        self.standing.assigned(keys)
        self._reading.add(found | self._places.start_parked())
        events.assigned(self._settings.name, names(keys), len(self._ledger.owned))
        self._stepped_at = time.monotonic()

    def _revoked(self, _consumer: Any, partitions: Sequence[Any]) -> None:  # noqa: ANN401
        """Finish what is on its way, or give it up within the bound; then commit."""
        keys = {(each.topic, each.partition) for each in partitions}
        self._in_doubt = False
        self._taken.drop(lambda key: key in keys)
        deadline = time.monotonic() + self._settings.revoke_secs
        if not self.finishing.is_set():
            if self._handing is not None and keys & self._handing.framed.offsets.keys():
                self._settle(wait_secs=self._settings.revoke_secs)
                self._give_up()
            while self._delivered and not self._ledger.is_passed(keys):
                if time.monotonic() >= deadline:
                    bound = self._settings.revoke_secs
                    events.left_undelivered(self._settings.name, names(keys), bound)
                    break
                self.finishing.wait(_LOOK_SECS)
                self._ledger.passed(self.passed)
            self._commits.make_due(keys)
        self._forget(keys)
        self._reading.remove(keys)
        self._stepped_at = time.monotonic()
        events.revoked(self._settings.name, names(keys), len(self._ledger.owned))

    def _lost(self, _consumer: Any, partitions: Sequence[Any]) -> None:  # noqa: ANN401
        """Give up what is on its way: others have the partitions already."""
        keys = {(each.topic, each.partition) for each in partitions}
        self._in_doubt = False
        self._forget(keys)
        self._taken.drop(lambda key: key in keys)
        if self._handing is not None and keys & self._handing.framed.offsets.keys():
            self._give_up()
        self._reading.remove(keys)
        self._stepped_at = time.monotonic()
        events.lost(self._settings.name, names(keys), "this instance was silent for too long")

    def _forget(self, keys: Collection[Key]) -> None:
        self._ledger.revoke(keys)
        self.standing.forget(keys)
        self._places.forget(keys)

    def _check_stall(self) -> None:
        """After the process stood still for long, take nothing before the group confirms it.

        What is in the queues may be of partitions that others read by now.
        """
        now = time.monotonic()
        if now - self._stepped_at > self._session_secs / 2 and self._ledger.owned:
            self._in_doubt = True
        self._stepped_at = now
        if self._in_doubt:
            self._taken.drop(lambda _: True)
            self._places.leaving.update(self._ledger.owned)
            self._settle(wait_secs=self._settings.revoke_secs)
            self._in_doubt = not self._is_member()
            self._stepped_at = time.monotonic()

    def _is_member(self) -> bool:
        offsets = self._ledger.proof()
        return not offsets or self._commits.make(offsets)
