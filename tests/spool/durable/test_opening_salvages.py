"""When a start believes that a file is damaged, and what it does then."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from nss.errors import NssError
from nss.files.private import FileFault
from nss.spool.durable import ledger, opening, salvage, schema, suspicion
from nss.spool.durable.ledger import LedgerEntry
from nss.spool.durable.opening import OPINIONS
from nss.spool.durable.reserve import RESERVE_BYTES, Reserve
from nss.spool.durable.store import Store
from nss.telemetry.events import counters
from tests.spool.durable.committing import happened, refusal
from tests.spool.durable.starting import USABLE, Damage, Start, damage, is_locked, said, start

__all__ = ["damage", "start"]

CORRUPT = sqlite3.SQLITE_CORRUPT


def test_a_suspect_that_was_found_whole_is_replaced_unseen_the_second_time(
    start: Start, path: Path, damage: Damage
) -> None:
    looks = damage(iter(()))
    for confirmed in (False, True):
        suspicion.suspect(path)
        assert suspicion.is_confirmed(path) is confirmed
        start()
        start.stop()

    assert looks == [True]
    assert counters["spool_salvages", "spool"] == 1
    assert not suspicion.is_suspect(path)
    assert not path.with_name("spool.db.cleared").exists()


def test_a_salvage_that_did_not_help_is_told(
    start: Start, path: Path, monkeypatch: pytest.MonkeyPatch, damage: Damage
) -> None:
    start()
    start.stop()
    damage(iter(["it contradicts itself"] * OPINIONS))

    def fails(store: Store, connection: sqlite3.Connection, _noted: object) -> None:
        store.use(connection)
        raise refusal(CORRUPT)

    monkeypatch.setattr(Store, "load", fails)

    error = start.failed()

    assert str(error) == said(
        path,
        "can't be opened: it is damaged, and so is what was saved: "
        "database disk image is malformed",
        USABLE,
    )
    assert isinstance(error, NssError)
    assert not is_locked(path)


def test_a_salvage_that_left_nothing_to_connect_to_is_told(
    start: Start, path: Path, monkeypatch: pytest.MonkeyPatch, damage: Damage
) -> None:
    damage(iter(["it contradicts itself"] * OPINIONS))
    connect = schema.connect

    def fails(of: Path) -> sqlite3.Connection:
        if of == path:
            raise refusal(CORRUPT)
        return connect(of)

    monkeypatch.setattr(schema, "connect", fails)

    assert "and so is what was saved: database disk image is malformed" in str(start.failed())
    assert not is_locked(path)


@pytest.mark.parametrize(("free", "spent"), [(RESERVE_BYTES, False), (0, True)])
def test_a_start_without_space_spends_the_reserve(start: Start, free: int, *, spent: bool) -> None:
    start()
    start.stop()
    start.free = free

    assert start().reserve.is_spent is spent


def test_a_reserve_that_can_not_be_made_keeps_nobody_from_starting(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_reserve: Reserve) -> bool:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Reserve, "restore", fails)

    assert start().reserve.is_spent


def test_the_ledger_of_an_earlier_form_goes_with_it(
    start: Start, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledgers = iter([LedgerEntry(number=1, form=1, last_sequence=9)])
    with monkeypatch.context() as patched:
        patched.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:1])
        with closing(schema.connect(path)) as connection:
            schema.migrate(connection, path, lambda _: None, schema.MIGRATIONS)
    there = ledger.ledger_path(path)
    there.write_bytes(b"of the first form")
    monkeypatch.setattr(ledger, "read", lambda _path: next(ledgers, None))

    store = start()

    assert there.read_bytes() == b""
    assert store.connection.execute("PRAGMA user_version").fetchone() == (2,)
    assert start.points == ["before migration", "mid-migration", "after migration"]


def noted_last(start: Start, last_sequence: int) -> None:
    """Leave a spool of which the ledger knows a later batch."""
    before = start()
    before.state.last_sequence = last_sequence
    before.ledger.write(before.state)
    start.stop()


def test_what_was_noted_last_is_held_against_the_file_and_what_was_saved(
    start: Start, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    noted_last(start, 7)
    noted: list[LedgerEntry | None] = []

    def look(_path: Path, entry: LedgerEntry | None, *, thorough: bool) -> str:
        assert not thorough
        noted.append(entry)
        return "it contradicts itself"

    monkeypatch.setattr(opening, "find_damage", look)
    monkeypatch.setattr(opening, "replace_damaged", lambda _path, entry: noted.append(entry))

    store = start()

    assert [entry and entry.last_sequence for entry in noted] == [7] * (OPINIONS + 1)
    assert store.missing.is_behind
    assert store.state.last_sequence == 7
    assert happened(caplog, "spool_lacks_commits") == [
        ("spool_lacks_commits", {"path": str(path), "batches": store.missing.batches})
    ]


def test_a_file_that_lacks_what_was_noted_last_is_used_and_goes_on_behind_it(
    start: Start, path: Path, damage: Damage
) -> None:
    noted_last(start, 7)
    damage(iter(()))

    store = start()

    assert store.missing.is_behind
    assert store.state.last_sequence == 7
    kept = ledger.read(path)
    assert kept is not None
    assert kept.last_sequence == 7


def test_a_salvage_that_was_nearly_done_is_finished(start: Start, path: Path) -> None:
    start()
    start.stop()
    path.rename(salvage.complete_path(path))

    start()

    assert not salvage.complete_path(path).exists()
    assert path.exists()


def test_a_mark_that_can_not_be_read_confirms_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_path: Path, _most: int) -> bytes:
        raise FileFault("is not a regular file")

    suspicion.mark_path(path).write_bytes(suspicion.CONFIRMED)
    assert suspicion.is_confirmed(path)
    monkeypatch.setattr(suspicion, "read_bounded", refused)

    assert not suspicion.is_confirmed(path)


def test_a_suspicion_is_marked_for_this_user_alone_and_confirmed_by_the_second(path: Path) -> None:
    assert not suspicion.is_suspect(path)
    suspicion.suspect(path)
    mark = path.with_name("spool.db.suspect")
    assert suspicion.is_suspect(path)
    assert (mark.read_bytes(), mark.stat().st_mode & 0o777) == (b"", 0o600)

    suspicion.found_whole(path)
    cleared = path.with_name("spool.db.cleared")
    assert (mark.exists(), cleared.exists()) == (False, True)

    suspicion.suspect(path)
    assert mark.read_bytes() == b"salvage\n"
    assert suspicion.is_confirmed(path)

    suspicion.forget(path)
    assert list(path.parent.iterdir()) == []


def test_a_mark_with_more_in_it_confirms_nothing(path: Path) -> None:
    suspicion.mark_path(path).write_bytes(b"salvage\nx")

    assert suspicion.is_suspect(path)
    assert not suspicion.is_confirmed(path)


def test_one_mark_that_can_not_be_removed_does_not_keep_the_other(path: Path) -> None:
    suspicion.mark_path(path).mkdir()
    path.with_name("spool.db.cleared").touch()

    suspicion.forget(path)

    assert not path.with_name("spool.db.cleared").exists()
