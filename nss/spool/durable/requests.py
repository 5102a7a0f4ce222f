"""What the spool's writing thread is asked for, and what it reports."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from nss.batch import Batch
from nss.spool import Trouble
from nss.spool.durable.packing import Packed
from nss.spool.durable.store import Appended, Store

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Append:
    """A batch to be accepted."""

    batch: Batch
    accepted: Callable[[Appended], None]
    failed: Callable[[BaseException], None]
    is_cancelled: Callable[[], bool]
    """Called in the committer's thread."""
    packed: Packed | None = None


@dataclass(slots=True, eq=False)
class Work:
    """Anything else: `run` in a transaction, then `done` with what it returned."""

    run: Callable[[Store], object]
    done: Callable[[object], None]
    failed: Callable[[BaseException], None]
    writes: bool = True
    """Whether it writes: what does not is done although the disk takes nothing."""


@dataclass(slots=True)
class CommitReport:
    """The result of one transaction; the callbacks are for the thread that asked."""

    callbacks: list[Callable[[], None]] = field(default_factory=list)
    last_sequence: int = 0
    used_bytes: int = 0
    rejects: int = 0
    waiting: int = 0
    """Batches that wait for room."""
    held: dict[str, frozenset[str]] = field(default_factory=dict)
    """Sources whose batches wait for the limits of feeds, each with these feeds."""
    pending: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Records and bytes that are pending for each feed."""
    dropped: dict[str, int] = field(default_factory=dict)
    """Records dropped for room in the spool, by feed."""
    dropped_by_limit: dict[str, int] = field(default_factory=dict)
    """Records dropped for a feed's own limit."""
    passed: dict[str, int] = field(default_factory=dict)
    """Where the cursors of these feeds are now."""
    trouble: Trouble | None = None
    reopened: bool = False
    """Whether the files are others from now on: what has them open must open them again."""


def fail(future: "asyncio.Future[T]", error: BaseException) -> None:
    """Have whoever awaits a future get an error, if it still waits."""
    if not future.done():
        future.set_exception(error)
