"""Which of the batches that wait are written now, and in what order."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from nss.batch import Batch
from nss.config.model import DurableSpoolConfig
from nss.spool import PendingLimit
from nss.spool.durable import feed_rows
from nss.spool.durable.admitting import incoming_bytes, write_fitting
from nss.spool.durable.opening import open_file
from nss.spool.durable.packing import Packed
from nss.spool.durable.requests import Append
from nss.spool.durable.store import Store

WEB_WAITS, WEB_DROPS = PendingLimit(4), PendingLimit(4, drops_oldest=True)


class Waiting:
    """A store of ten bytes, and batches that wait for it. A letter takes two bytes."""

    def __init__(self, path: Path) -> None:
        settings = DurableSpoolConfig(path=path, max_bytes=10, min_free_bytes=0, replay_minutes=0)
        self.store = Store(settings, now=lambda: 0.0, free_bytes=lambda _: 0, overhead_bytes=0)
        self.lock = open_file(self.store, lambda _point: None, 0.0)
        self.names: dict[int, str] = {}
        self.store.connection.execute("BEGIN")

    def feed(self, name: str, limit: PendingLimit | None = None, *sources: str) -> None:
        feed_rows.register(self.store, name, sources or ("web",), limit)

    def ask(self, letters: str, source: str = "web", *, packed: bool = True) -> Append:
        data = "".join(f"{letter}\n" for letter in letters).encode()
        made = Append(
            Batch(source, data, len(letters)),
            accepted=lambda _: None,
            failed=lambda _: None,
            is_cancelled=lambda: False,
            packed=self.store.pack(data) if packed else None,
        )
        self.names[id(made)] = letters
        return made

    def write(self, *asked: Append) -> tuple[list[str], list[str], dict[str, frozenset[str]]]:
        """Return what was written, what waits, and which sources wait for which feeds."""
        written: list[str] = []

        def write(append: Append, packed: Packed) -> None:
            written.append(self.names[id(append)])
            assert packed is append.packed
            self.store.append(append.batch, packed)

        waiting, held = write_fitting(self.store, asked, write)
        return written, [self.names[id(append)] for append in waiting], held

    def kept(self) -> list[int]:
        rows = self.store.connection.execute("SELECT sequence FROM batches ORDER BY sequence")
        return [sequence for (sequence,) in rows]

    def close(self) -> None:
        self.store.connection.close()
        self.store.ledger.close()
        self.lock.close()


@pytest.fixture
def waiting(path: Path) -> Iterator[Waiting]:
    made = Waiting(path)
    yield made
    made.close()


def test_batches_are_written_in_their_order_until_one_does_not_fit(waiting: Waiting) -> None:
    waiting.feed("mcas", None, "web", "dns")
    asked = [waiting.ask(letters) for letters in ("ab", "c", "def", "g")]

    found = waiting.write(*asked, waiting.ask("h", "dns"))

    assert found == (["ab", "c"], ["def", "g", "h"], {})
    assert waiting.kept() == [1, 2]


def test_what_is_not_packed_yet_waits_and_holds_nobody_up(waiting: Waiting) -> None:
    waiting.feed("mcas")

    found = waiting.write(waiting.ask("a", packed=False), waiting.ask("b"))

    assert found == (["b"], ["a"], {})


def test_what_waits_for_a_feed_holds_up_its_own_source_alone(waiting: Waiting) -> None:
    waiting.feed("mcas", WEB_WAITS, "web", "dns")
    waiting.feed("siem", PendingLimit(2), "web")
    waiting.feed("file", None, "other")
    assert waiting.write(waiting.ask("a"))[0] == ["a"]

    found = waiting.write(
        *(waiting.ask("bc"), waiting.ask("d"), waiting.ask("e", "other")),
        *(waiting.ask("f", "dns"), waiting.ask("g", "dns"), waiting.ask("h", "other")),
    )

    held = {"web": frozenset({"mcas", "siem"}), "dns": frozenset({"mcas"})}
    assert found == (["e", "f", "h"], ["bc", "d", "g"], held)


def test_what_is_incoming_is_what_waits_for_no_feed(waiting: Waiting) -> None:
    waiting.feed("mcas", WEB_WAITS)
    assert waiting.write(waiting.ask("a"))[0] == ["a"]
    other = [waiting.ask("defg", "other"), waiting.ask("h", "other")]

    assert incoming_bytes(waiting.store, []) == 0
    assert incoming_bytes(waiting.store, other) == 10
    assert incoming_bytes(waiting.store, [waiting.ask("x", packed=False), *other]) == 10
    assert incoming_bytes(waiting.store, [waiting.ask("bc"), waiting.ask("b"), *other]) == 10
    assert incoming_bytes(waiting.store, [waiting.ask("b"), waiting.ask("bc"), *other]) == 12
    assert incoming_bytes(waiting.store, [*other, waiting.ask("b"), waiting.ask("b")]) == 14


def test_a_feed_drops_its_oldest_for_what_comes(waiting: Waiting) -> None:
    waiting.feed("mcas", WEB_DROPS)
    waiting.feed("siem")
    waiting.write(waiting.ask("a"), waiting.ask("b"))

    found = waiting.write(waiting.ask("c"), waiting.ask("d"))

    assert found == (["c", "d"], [], {})
    state = waiting.store.state
    assert (state.feeds["mcas"].passed, state.feeds["mcas"].pending) == (2, 2)
    assert (state.feeds["siem"].passed, state.feeds["siem"].pending) == (0, 4)
    assert state.dropped_by_limit == {"mcas": 2}


def test_a_feed_drops_nothing_for_a_batch_that_has_no_room(waiting: Waiting) -> None:
    waiting.feed("siem", None, "dns")
    waiting.feed("mcas", WEB_DROPS, "web")
    waiting.write(waiting.ask("a"), waiting.ask("b"), waiting.ask("def", "dns"))
    assert waiting.store.state.used_bytes == 10

    found = waiting.write(waiting.ask("cc"))

    assert found == (["cc"], [], {})
    assert waiting.kept() == [3, 4]  # both had been dropped, and nobody else waits for them
    waiting.feed("late", None, "web")
    before = waiting.store.state.copy()
    assert waiting.write(waiting.ask("d")) == ([], ["d"], {})
    assert waiting.store.state == before
    assert waiting.kept() == [3, 4]


def test_what_was_deleted_for_a_batch_without_room_is_put_back(waiting: Waiting) -> None:
    waiting.feed("mcas", WEB_DROPS)
    waiting.write(waiting.ask("a"), waiting.ask("b"))
    waiting.feed("siem", None, "dns")
    waiting.write(waiting.ask("def", "dns"))
    before = waiting.store.state.copy()

    assert waiting.write(waiting.ask("ghijk")) == ([], ["ghijk"], {})

    assert waiting.kept() == [1, 2, 3]
    assert waiting.store.state == before
    assert waiting.store.state.dropped_by_limit == {}
    waiting.store.connection.execute("COMMIT")
    assert waiting.kept() == [1, 2, 3]
