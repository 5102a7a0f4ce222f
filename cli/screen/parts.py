"""What is shown of a source and of a feed: cells of their row, and the lines below it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cli.screen.refused import refused_lines
from cli.screen.wording import ago, count_text, rate_text
from nss.status.readings import GroupReading, UploadReading
from nss.status.summary import FeedStatus, SourceStatus
from nss.wording import counted, duration_text, harmless, size_text

SOURCE_HEADS = ("source", "state", "rate", "data", "last")
FEED_HEADS = ("feed", "state", "rate", "lag", "pending")
SOURCE_COUNTS = ("records", "bytes")

_OFTEN = ("accepted", "delivered")
_SELDOM = ("filtered", "rejected", "dropped", "shortened")


@dataclass(frozen=True, slots=True)
class Part:
    """A source or a feed, or the heads of their columns, as texts."""

    name: str
    cells: tuple[str, ...]
    """Name, state, rate and two more."""
    counts: tuple[str, ...]
    """Its account, where there is room for columns of it."""
    kind: str = "kind"
    state: str = ""
    """Empty for heads."""
    count_lines: tuple[str, ...] = ()
    """Kind and account where there is no room for columns."""
    lines: tuple[str, ...] = ()
    """What else there is to say."""
    rank: int = 0
    """0 for what is wrong, then what waits, then all others."""


def source_part(source: SourceStatus, wrong: frozenset[str], at: float) -> Part:
    """Return a source; `wrong` are the components for which the service is degraded."""
    cells = (
        harmless(source.name),
        source.state,
        rate_text(source.records_per_sec),
        f"{size_text(source.bytes_per_sec)}/s",
        "none yet" if source.last_at is None else ago(source.last_at, at),
    )
    counts = (count_text(source.records), size_text(source.data_bytes))
    kind = harmless(source.kind)
    is_wrong = source.state == "failing" or f"source {source.name}" in wrong
    noun = "record" if source.records == 1 else "records"
    return Part(
        name=source.name,
        cells=cells,
        counts=counts,
        kind=kind,
        state=source.state,
        count_lines=(f"{kind}: {counts[0]} {noun}, {counts[1]}",),
        lines=(*refused_lines(source, at), *_group_lines(source.group, at)),
        rank=0 if is_wrong else 2,
    )


def _group_lines(group: GroupReading | None, at: float) -> Iterator[str]:
    """Yield how a source of Kafka stands in its group."""
    if group is None:
        return
    facts = [counted(group.partitions, "partition"), counted(group.rebalances, "rebalance")]
    if group.lag is not None:
        late = "" if group.lag_secs is None else f" ({duration_text(group.lag_secs)})"
        facts.append(f"lag {counted(group.lag, 'message')}{late}")
    last = group.last_commit_at
    done = "nothing committed yet" if last is None else f"last commit {ago(last, at)}"
    facts.append(f"{done}, of what is {group.commit}")
    if group.unread:
        facts.append(f"{counted(len(group.unread), 'partition')} can't be read")
    yield harmless(f"group {group.group}: {', '.join(facts)}")


def feed_part(feed: FeedStatus, wrong: frozenset[str], at: float, counts: Sequence[str]) -> Part:
    """Return a feed; `counts` of its account are those shown in columns."""
    cells = (
        harmless(feed.name),
        feed.state,
        rate_text(feed.records_per_sec),
        duration_text(feed.lag_secs),
        count_text(feed.pending),
    )
    is_wrong = feed.state in {"failing", "stuck"} or f"feed {feed.name}" in wrong
    return Part(
        name=feed.name,
        cells=cells,
        counts=tuple(count_text(getattr(feed, name)) for name in counts),
        kind=harmless(feed.kind),
        state=feed.state,
        count_lines=(_account(feed),),
        lines=tuple(_feed_lines(feed, at)),
        rank=0 if is_wrong else 1 if feed.pending else 2,
    )


def count_heads(feeds: Sequence[FeedStatus]) -> tuple[str, ...]:
    """Return which counts have columns: what no feed has has none."""
    return (*_OFTEN, *(name for name in _SELDOM if any(getattr(feed, name) for feed in feeds)))


def _account(feed: FeedStatus) -> str:
    counts = [
        f"{count_text(number)} {name}"
        for name in (*_OFTEN, *_SELDOM)
        if (number := getattr(feed, name)) or name in _OFTEN
    ]
    return harmless(f"{feed.kind}: {', '.join(counts)}")


def _feed_lines(feed: FeedStatus, at: float) -> Iterator[str]:
    last = feed.last_delivered_at
    said = f"nothing {feed.confirmation} since the start"
    if last is not None:
        said = f"last {feed.confirmation} {ago(last, at)}"
    yield harmless(f"to {feed.destination}, {said}")
    if feed.max_pending_bytes is not None:
        most = size_text(feed.max_pending_bytes)
        then = "its oldest are dropped" if feed.drops_oldest else "its sources wait"
        yield f"pending {size_text(feed.pending_bytes)} of {most}, then {then}"
    if feed.upload is not None:
        yield harmless(_upload(feed.upload, at))


def _upload(upload: UploadReading, at: float) -> str:
    due, held, count = upload.next_due_at, upload.held_until, upload.unconfirmed
    facts = [
        f"upload {upload.state}",
        "nothing collected" if due is None else f"due in {duration_text(due - at)}",
    ]
    if held is not None:
        facts.append(f"held for {duration_text(held - at)}")
    if count:
        facts.append(f"{count:,} file{'' if count == 1 else 's'} not confirmed")
    return ", ".join(facts)
