"""A spool's file as others read it."""

import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nss.batch import Account, Batch
from nss.errors import InputMissing
from nss.spool.durable.inspect import Totals, read_contents, read_form, read_totals
from nss.spool.durable.schema import MIGRATIONS

if TYPE_CHECKING:
    from nss.spool.durable.spool import DurableSpool

Open = Callable[..., Awaitable["DurableSpool"]]


async def test_what_was_accepted_and_delivered_is_read_while_the_spool_is_open_and_after(
    path: Path, open_spool: Open
) -> None:
    spool = await open_spool()
    cursor = await spool.cursor("feed", ("web",))
    for number in range(3):
        await spool.append(Batch("web", b"%d\n" % number * 2, 2))
    entry = await cursor.next()
    await cursor.advance(entry.sequence, Account(delivered=2), ())
    assert read_totals(path).accepted == 6
    await spool.close()
    assert read_totals(path) == Totals(6, 2)
    contents = read_contents(path)
    assert (contents.form, read_form(path)) == (len(MIGRATIONS), len(MIGRATIONS))
    assert (contents.rows["sources"], contents.rows["cursors"]) == (1, 1)
    assert contents.files[path.name] > 4096


def test_what_is_no_spool_is_an_error_with_its_path(path: Path) -> None:
    path.write_bytes(b"no spool" * 1000)
    with pytest.raises(InputMissing) as caught:
        read_totals(path)
    assert str(caught.value).startswith(f"spool: can't be read: file is not a database ({path})")


async def test_a_spool_that_never_had_a_record_has_none(path: Path, open_spool: Open) -> None:
    await (await open_spool()).close()
    assert read_totals(path) == Totals(0, 0)
    contents = read_contents(path)
    assert (contents.rows["batches"], contents.rows["rejects"]) == (0, 0)
    assert contents.files == {file.name: file.stat().st_size for file in path.parent.iterdir()}


@pytest.mark.parametrize("name", ['a "quoted" name', '"', "it's", "two words", "a;b", "select"])
def test_tables_of_any_name_are_counted(path: Path, name: str) -> None:
    quoted = name.replace('"', '""')
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f'CREATE TABLE "{quoted}" (number)')
        connection.execute(f'INSERT INTO "{quoted}" VALUES (1), (2), (3)')  # noqa: S608 - quoted
        connection.execute("PRAGMA user_version = 7")
    contents = read_contents(path)
    assert (contents.rows, contents.form, read_form(path)) == ({name: 3}, 7, 7)
    assert contents.files == {path.name: path.stat().st_size}
