"""Where records come from: the contract of a source. Each kind has its own file or folder."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from nss.batch import Batch
from nss.sources.refusals import Refusals

Accept = Callable[[Batch], Awaitable[int | None]]
"""Hands a batch to the spool; returns once it is accepted (durably, if the spool is durable).

What it returns is the batch's sequence in the spool, which `Passing` compares with.

Waits as long as the spool is full: a source that awaits it before reading on has back-pressure.
"""


@dataclass(frozen=True, slots=True)
class Passing:
    """How far the feeds of a source are."""

    passed: int
    """Every feed of the source is past all batches up to this sequence."""
    last: int
    """The sequence of the last batch in the spool."""


class Source(Protocol):
    """Finds record boundaries and hands batches on; it does not parse further."""

    name: str
    """The name of the source in the configuration."""

    ready: asyncio.Event
    """Set by `run` once whoever sends to it can connect."""

    async def run(self, accept: Accept) -> None:
        """Read until there is nothing more to come (a whole file, stdin) or until `stop`.

        A batch goes out when it has about 1 MiB, or what has come in 200 ms. Returns after the
        last batch was accepted. Raises `nss.errors.SourceError` for what waiting does not cure;
        everything else is retried inside and reported through telemetry.
        """

    async def stop(self) -> None:
        """Stop reading; `run` returns once the complete records that were read are accepted."""

    @property
    def last_error(self) -> str | None:
        """What is wrong now, as a sentence; `None` while all is well."""

    @property
    def advice(self) -> str | None:
        """What somebody should know though the source works, as a sentence."""


@dataclass(frozen=True, slots=True)
class UnreadPartition:
    """A partition of a topic that can't be read now."""

    topic: str
    partition: int
    """-1: the whole topic."""
    why: str


@dataclass(frozen=True, slots=True)
class Group:
    """How a source stands that shares partitions with other instances. Since it started."""

    group: str
    commit: str
    """`accepted` or `delivered`: what positions are committed of."""
    partitions: int = 0
    """How many are assigned to this instance."""
    rebalances: int = 0
    lag: int | None = None
    """Messages in its partitions that it has not accepted yet, as of the brokers' last answers."""
    lag_secs: float | None = None
    """How old the last accepted message of a partition with a lag is, of the oldest."""
    last_commit_at: float | None = None
    """When positions were last committed, seconds since the epoch."""
    undelivered_bytes: int = 0
    """Bytes of records accepted that some feed has yet to pass; counted with `delivered`."""
    unread: tuple[UnreadPartition, ...] = ()


@runtime_checkable
class GroupSource(Protocol):
    """A source that shares partitions with other instances."""

    group: Group


@runtime_checkable
class ConfirmingSource(Protocol):
    """A source that tells where it reads from what became of records, until the very end."""

    async def finish(self) -> None:
        """Confirm what the feeds are past by now, and let go. Comes after `run`; is bounded."""


@runtime_checkable
class RefusingSource(Protocol):
    """A source that others send to, some of what they send being refused."""

    refusals: Refusals
