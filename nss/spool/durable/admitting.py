"""Which of the batches that wait can be written now, as far as room and the limits of feeds go."""

from collections import deque
from collections.abc import Callable, Iterable

from nss.batch import Batch
from nss.spool.durable import limits
from nss.spool.durable.packing import Packed
from nss.spool.durable.requests import Append
from nss.spool.durable.store import Store


def incoming_bytes(store: Store, asked: Iterable[Append]) -> int:
    """Return how many bytes of blobs may be written: those that wait for limits take no space."""
    incoming, held = 0, set[str]()
    for append in asked:
        batch, packed = append.batch, append.packed
        if packed is None or batch.source in held:
            continue
        if limits.holding(store, batch, len(packed.data)):
            held.add(batch.source)
        else:
            incoming += len(packed.data)
    return incoming


def write_fitting(
    store: Store, asked: Iterable[Append], write: Callable[[Append, Packed], None]
) -> tuple[deque[Append], dict[str, frozenset[str]]]:
    """Write batches in their order until the spool is full; return those that wait.

    One that waits for the limits of feeds holds up its own source, and no other. Also returns these
    sources, each with the feeds.
    """
    waiting, held, has_room = deque[Append](), dict[str, frozenset[str]](), True
    for append in asked:
        batch, packed = append.batch, append.packed
        if packed is None or not has_room or batch.source in held:
            waiting.append(append)
            continue
        if holding := limits.holding(store, batch, len(packed.data)):
            held[batch.source] = frozenset(holding)
            waiting.append(append)
            continue
        has_room = _make_room(store, batch, len(packed.data))
        if has_room:
            write(append, packed)
        else:
            waiting.append(append)
    return waiting, held


def _make_room(store: Store, batch: Batch, stored_bytes: int) -> bool:
    """Make room for a batch; return whether there is. If not, feeds have dropped nothing for it."""
    if not limits.drops(store, batch, stored_bytes):
        return store.make_room(stored_bytes)
    saved = store.save()
    store.connection.execute("SAVEPOINT room")
    limits.make_room(store, batch, stored_bytes)
    has_room = store.make_room(stored_bytes)
    if not has_room:
        store.connection.execute("ROLLBACK TO room")
        store.restore(saved)
    store.connection.execute("RELEASE room")
    return has_room
