"""The spool's file kept beside an update, and put back only where that loses nothing."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from nss.spool.durable.schema import MIGRATIONS, connect, migrate
from nss.updates.failures import UpdateFailed
from nss.updates.spool import KEPT, Outlook, SpoolFile

pytestmark = pytest.mark.timeout(120)
FORM = len(MIGRATIONS)
_FEED = (
    "INSERT INTO cursors (feed, passed, accepted, delivered, filtered, rejected, dropped,"
    " shortened, unpacked) VALUES ({}, 0, 0, 0, 0, 0)"
)
_OTHERWISE = (
    "UPDATE cursors SET accepted = 15, delivered = 9, filtered = 2, rejected = 1, dropped = 3"
)
ASIDE = ".of-2.0"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A spool whose feed has taken 10 records and delivered 7."""
    made = tmp_path / "spool.db"
    connection = connect(made)
    migrate(connection, made, lambda _point: None)
    connection.execute(_FEED.format("'siem', 1, 10, 7"))
    connection.close()
    return made


@pytest.fixture
def spool(path: Path) -> SpoolFile:
    return SpoolFile(str(path), "")


def change(path: Path, *statements: str) -> None:
    """Do what a newer version does with the file, which writes another form."""
    connection = connect(path)
    for each in (f"PRAGMA user_version = {FORM + 1}", *statements):
        connection.execute(each)
    connection.close()


def test_the_kept_file_has_also_what_only_the_log_had_after_a_kill(
    path: Path, tmp_path: Path
) -> None:
    writer = connect(path)
    writer.execute("UPDATE cursors SET accepted = 12")
    killed = tmp_path / "killed"
    killed.mkdir()
    for each in ("spool.db", "spool.db-wal"):
        shutil.copy(tmp_path / each, killed)
    writer.close()
    assert (killed / "spool.db-wal").stat().st_size > 0
    spool = SpoolFile(str(killed / "spool.db"), "")

    spool.keep()

    assert spool.forms() == (FORM, FORM)
    kept = sqlite3.connect(f"{killed}/spool.db{KEPT}")
    assert kept.execute("SELECT accepted FROM cursors").fetchall() == [(12,)]
    kept.close()
    assert not (killed / f"spool.db{KEPT}.new").exists()


@pytest.mark.parametrize(
    ("statement", "outlook"),
    [
        ("UPDATE cursors SET accepted = 10", Outlook(0, has_more=False)),
        ("UPDATE cursors SET delivered = 10", Outlook(0, has_more=False)),
        ("UPDATE cursors SET accepted = 15, delivered = 15", Outlook(0, has_more=False)),
        ("UPDATE cursors SET accepted = 15, delivered = 13", Outlook(2, has_more=False)),
        ("UPDATE cursors SET accepted = 15, delivered = 7", Outlook(5, has_more=False)),
        (_OTHERWISE, Outlook(0, has_more=False)),
        (_FEED.format("'new', 0, 3, 1"), Outlook(2, has_more=False)),
    ],
    ids=["nothing", "old", "all", "two", "five", "otherwise", "feed"],
)
def test_only_what_the_newer_version_accepted_and_did_not_deliver_would_be_lost(
    path: Path, spool: SpoolFile, statement: str, outlook: Outlook
) -> None:
    spool.keep()
    change(path, statement)
    assert spool.outlook() == outlook


def test_of_a_file_that_can_t_be_read_nobody_says_that_nothing_waits(
    path: Path, spool: SpoolFile
) -> None:
    spool.keep()
    path.write_bytes(b"no database at all" * 500)
    assert spool.outlook() == Outlook(None, has_more=True)


@pytest.mark.parametrize("forget", [False, True])
def test_putting_back_sets_the_newer_file_aside_or_removes_it(
    path: Path, spool: SpoolFile, *, forget: bool
) -> None:
    before = path.read_bytes()
    spool.keep()
    change(path, "UPDATE cursors SET accepted = 15")
    newer = path.read_bytes()
    aside = Path(f"{path}{ASIDE}")

    spool.restore(ASIDE, forget=forget)

    assert path.read_bytes() == before
    assert not Path(f"{path}{KEPT}").exists()
    assert (not aside.exists()) if forget else (aside.read_bytes() == newer)


def test_putting_back_twice_is_as_once(path: Path, spool: SpoolFile) -> None:
    before = path.read_bytes()
    spool.keep()
    change(path)
    spool.restore(ASIDE, forget=False)
    spool.restore(ASIDE, forget=False)
    assert path.read_bytes() == before
    assert Path(f"{path}{ASIDE}").exists()


def test_a_copy_cut_off_is_not_taken_for_the_kept_file(path: Path, spool: SpoolFile) -> None:
    Path(f"{path}{KEPT}.new").write_bytes(b"half")
    assert spool.forms() == (FORM, None)
    before = path.read_bytes()
    spool.restore(ASIDE, forget=True)
    assert path.read_bytes() == before
    spool.forget()
    assert not Path(f"{path}{KEPT}.new").exists()


def test_where_there_is_no_room_for_a_second_file_that_is_said_before(spool: SpoolFile) -> None:
    spool.check_room(0)
    with pytest.raises(UpdateFailed, match="no room to keep the file beside"):
        spool.check_room(1 << 60)
