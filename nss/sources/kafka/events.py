"""What happens in sources of Kafka."""

from logging import ERROR, INFO, WARNING

from nss.telemetry.counters import Counter
from nss.telemetry.events import event


@event(INFO, Counter.SOURCE_REBALANCES, name="kafka_partitions_assigned")
def assigned(source: str, partitions: str, owned: int) -> None:
    """Partitions are read by this instance from now on."""


@event(INFO, name="kafka_partition_added")
def added(source: str, partition: str, messages: int) -> None:
    """A partition came after the group had first read its topic: it is read from its first message,
    though the source has `start = "latest"`.
    """


@event(INFO, name="kafka_partitions_revoked")
def revoked(source: str, partitions: str, owned: int) -> None:
    """Partitions go to other instances of the group."""


@event(WARNING, Counter.SOURCE_PARTITIONS_LOST, name="kafka_partitions_lost")
def lost(source: str, partitions: str, why: str) -> None:
    """Partitions were lost to other instances: nothing of them is committed any more,
    and what was not committed comes twice.
    """


@event(WARNING, name="kafka_revoked_undelivered")
def left_undelivered(source: str, partitions: str, secs: float) -> None:
    """Partitions went to other instances with records on their way: these come twice."""


@event(ERROR, Counter.SOURCE_MESSAGES_EXPIRED, amount="messages", name="kafka_messages_expired")
def expired(source: str, partition: str, messages: int) -> None:
    """Messages were deleted by the cluster before they could be read; these are lost."""


@event(WARNING, name="kafka_partition_shorter")
def shorter(source: str, partition: str, offset: int, end: int) -> None:
    """A partition ends before the position of the group: it was made anew, or has lost messages;
    it is read from its start.
    """


@event(WARNING, Counter.SOURCE_COMMITS_FAILED, name="kafka_commit_failed")
def commit_failed(source: str, why: str) -> None:
    """Positions could not be committed; it is tried again."""


@event(WARNING, Counter.SOURCE_PARTITIONS_UNREAD, name="kafka_partition_unread")
def unread(source: str, partition: str, why: str) -> str:
    """A partition can't be read; others are."""
    return partition


@event(WARNING, name="kafka_position_of_others")
def position_of_others(source: str, group: str) -> None:
    """The position in the spool is of another group or cluster, or can't be understood: the
    group's positions hold.
    """
