"""How a source stands in its group, and what is wrong with the way to it.

The thread that consumes writes it, others read `group` and `trouble`.
"""

import contextlib
import time
from collections.abc import Callable, Collection
from typing import Any

import msgspec

from nss.config.sources import KafkaSourceConfig
from nss.kafka.errors import Cluster, cause_of
from nss.kafka.library import confluent_kafka
from nss.kafka.troubles import Troubles
from nss.sources import Group, UnreadPartition
from nss.sources import events as source_events
from nss.sources.kafka import events
from nss.sources.kafka.committing import TRYING
from nss.sources.kafka.offsets import Key, Ledger

REPORT_SECS = 1.0
SHARING_SECS = 10.0
"""Beyond the session time-out, how long the group may take to share out its partitions."""

PROBE_SECS = 5.0
"""How often it is tried whether what is wrong has passed."""

_FENCED = {"UNKNOWN_MEMBER_ID", "ILLEGAL_GENERATION", "FENCED_INSTANCE_ID", "STALE_MEMBER_EPOCH"}
_PASSING = {"_TRANSPORT", "_TIMED_OUT", "_MAX_POLL_EXCEEDED"} | _FENCED | TRYING
"""What librdkafka mends by itself."""


class _Member(msgspec.Struct):
    join_state: str


class _Statistics(msgspec.Struct):
    cgrp: _Member | None = None


class Standing:
    """What is known of the group and of each partition.

    `session_secs` is how long a member may be silent; `clock` returns monotonic seconds.
    """

    def __init__(
        self,
        settings: KafkaSourceConfig,
        cluster: Cluster,
        ledger: Ledger,
        session_secs: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.group = Group(settings.group, settings.commit)
        self.trouble: str | None = None
        self.unsettled: str | None = None
        """Set while the group takes too long to share out its partitions: some are not read."""
        self._patience_secs = session_secs + SHARING_SECS
        self._clock = clock
        self._settled_at = clock()
        self.rebalances = 0
        self.last_taken_at: dict[Key, float] = {}
        """When the last message accepted of a partition came into it, seconds since the epoch."""
        self._name = settings.name
        self._cluster = cluster
        self._ledger = ledger
        self._troubles = Troubles(cluster)
        self._kafka: Any = confluent_kafka()
        self._unread: dict[Key, str] = {}
        self._reported_at = 0.0
        self._probed_at = 0.0
        self._tried_at = 0.0

    def complained(self, error: Any) -> None:  # noqa: ANN401 - of a library without types
        """Take a complaint of librdkafka: this is the consumer's `error_cb`."""
        self._troubles.note(error)
        if error.name() not in _PASSING:
            cause = self._troubles.cause(error)
            self.trouble = f"kafka source: {cause.sentence}. Try: {cause.remedy}"
            source_events.source_waits(self._name, cause.sentence)

    def _well(self) -> None:
        if self.trouble is not None:
            self.trouble = None
            self._troubles.forget()
            source_events.source_recovered(self._name)

    def begin(self) -> dict[str, Any]:
        """Return the callbacks of a consumer, which joins the group from now on."""
        self._settled_at = self._clock()
        return {"error_cb": self.complained, "stats_cb": self.counted}

    def joins(self) -> None:
        """The group is joined from now on, and has its time to share out the partitions."""
        self._settled_at = self._clock()

    def counted(self, statistics: str) -> None:
        """Take what librdkafka tells of itself: this is the consumer's `stats_cb`.

        A member that waits for the others is in no error that librdkafka would tell of.
        """
        try:
            member = msgspec.json.decode(statistics, type=_Statistics).cgrp
        except msgspec.DecodeError:  # a quote in `client.id` goes into it as it is
            return
        now = self._clock()
        if member is not None and member.join_state == "steady":
            self._settled_at = now
            if self.unsettled is not None:
                self.unsettled = None
                source_events.source_recovered(self._name)
            return
        secs = now - self._settled_at
        if secs < self._patience_secs:
            return
        is_new = self.unsettled is None
        self.unsettled = (
            f"the group {self.group.group} has not shared out its partitions for {secs:.0f} s"
            f" (this instance reads {len(self._ledger.owned)}), so some may not be read"
        )
        if is_new:
            source_events.source_waits(self._name, self.unsettled)

    def unread(self, key: Key, error: Any, *, is_told: bool = True) -> None:  # noqa: ANN401
        """Note that a partition can't be read, or a topic (partition -1)."""
        cause = cause_of(error, self._cluster._replace(topic=key[0]))
        if key not in self._unread:
            self._tried_at = time.monotonic()  # it was, just now
        self._unread[key] = cause.sentence
        if is_told:
            events.unread(self._name, named(key), cause.sentence)

    def read(self, key: Key) -> None:
        """Note that a message of a partition came.

        It may have been fetched before the brokers went down, of which librdkafka tells once: so it
        ends no `trouble`.
        """
        if self._unread:
            self._unread.pop(key, None)

    def assigned(self, keys: Collection[Key]) -> None:
        """Note that partitions were assigned, of which nothing is known to be wrong."""
        for key in keys:
            self._unread.pop(key, None)
            self._unread.pop((key[0], -1), None)

    def forget(self, keys: Collection[Key]) -> None:
        """Partitions are another's."""
        for key in keys:
            self._unread.pop(key, None)
            self.last_taken_at.pop(key, None)

    def report(self, consumer: Any, last_commit_at: float | None) -> None:  # noqa: ANN401
        """Renew `group`, at most once in `REPORT_SECS`; see whether a trouble has passed."""
        now = time.monotonic()
        missing = {topic for topic, partition in self._unread if partition < 0}
        if (self.trouble is not None or missing) and now - self._probed_at >= PROBE_SECS:
            self._probed_at = now
            with contextlib.suppress(self._kafka.KafkaException):
                self._probe(consumer, missing)
        if now - self._reported_at < REPORT_SECS:
            return
        self._reported_at = now
        lag, oldest = self._lag(consumer)
        self.group = Group(
            group=self.group.group,
            commit=self.group.commit,
            partitions=len(self._ledger.owned),
            rebalances=self.rebalances,
            lag=lag,
            lag_secs=None if oldest is None else max(0.0, time.time() - oldest),
            last_commit_at=last_commit_at,
            undelivered_bytes=self._ledger.undelivered_bytes,
            unread=tuple(UnreadPartition(*key, why) for key, why in self._unread.items()),
        )

    def to_try(self) -> list[Key]:
        """Return the partitions that can't be read, when it is time to try them once more."""
        now = time.monotonic()
        if not self._unread or now - self._tried_at < PROBE_SECS:
            return []
        self._tried_at = now
        return [key for key in self._unread if key in self._ledger.owned]

    def _probe(self, consumer: Any, missing: Collection[str]) -> None:  # noqa: ANN401
        found = consumer.list_topics(timeout=1.0).topics
        for topic in missing:  # the partitions of one that is there may be another's
            if topic in found and found[topic].error is None:
                self._unread.pop((topic, -1), None)
        self._well()

    def _lag(self, consumer: Any) -> tuple[int | None, float | None]:  # noqa: ANN401
        """Return how many messages are not accepted yet, and when the oldest last one came."""
        lags: dict[Key, int] = {}
        for key in self._ledger.owned:
            accepted = self._ledger.accepted.get(key)
            if accepted is None:  # the library may not know it yet
                continue
            partition = self._kafka.TopicPartition(*key)
            _, high = consumer.get_watermark_offsets(partition, cached=True)
            if high >= 0:
                lags[key] = max(0, high - accepted)
        at = self.last_taken_at
        times = [at[key] for key, lag in lags.items() if lag and key in at]
        return sum(lags.values()) if lags else None, min(times, default=None)


def named(key: Key) -> str:
    """Return a partition as people read it: `topic/3`, or a topic alone."""
    return key[0] if key[1] < 0 else f"{key[0]}/{key[1]}"


def names(keys: Collection[Key]) -> str:
    """Return partitions as people read them, in order."""
    return " ".join(map(named, sorted(keys)))
