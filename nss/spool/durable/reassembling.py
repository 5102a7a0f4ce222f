"""Puts a spool's file together from its pieces when SQLite can't: for salvage, into a copy.

All pages are put in their places, also those that SQLite ignores in the write-ahead log; and page 1
is made anew if the schema on it can't be read. What is in the pages is checked row by row by
whoever reads the copy.
"""

import sqlite3
import struct
import tempfile
from contextlib import closing
from pathlib import Path

from nss.files.private import MODE
from nss.spool.durable import schema
from nss.spool.durable.pages import Pages
from nss.spool.durable.schema import PAGE_BYTES

_PAGES_AT = 28
"""Where the header of page 1 has the number of pages."""
_FREE_LIST_AT = 32
"""And the first free page and how many there are."""

_FIRST_TABLES = ("bodies", "batches", "sources", "cursors", "rejects", "damaged")
"""Tables of the first form: always made in the same order, so that they begin on the same pages."""


def reassemble(path: Path, copy: Path, form: int) -> None:
    """Write a copy of a spool's file with all that its write-ahead log has committed.

    `form` is how many migrations the file has been through. Raises OSError.
    """
    copy.touch(mode=MODE)
    with Pages(path) as pages, copy.open("r+b") as file:
        for number in range(1, pages.count + 1):
            file.write(pages.read(number))
    if pages.count and not _is_readable(copy, form):
        with copy.open("r+b") as file:
            file.write(_first_page(pages.count, form))


def _is_readable(copy: Path, form: int) -> bool:
    """Return whether SQLite finds the tables in the copy, as they were made."""
    uri = f"{copy.absolute().as_uri()}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            return schema.form_of(schema.declarations_of(connection)) == form
    except (sqlite3.Error, UnicodeError):
        return False


def _first_page(pages: int, form: int) -> bytes:
    """Return page 1 of a database with our tables, of so many pages, none of them free."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "spool.db")
        with closing(schema.connect(path)) as connection:
            schema.migrate(connection, path, lambda _point: None, schema.MIGRATIONS[:form])
            connection.execute("PRAGMA writable_schema = ON")
            names = ", ".join(f"'{name}'" for name in _FIRST_TABLES)
            connection.execute(
                f"DELETE FROM sqlite_schema WHERE tbl_name NOT IN ({names}, 'sqlite_sequence')"  # noqa: S608 - constants
            )
            connection.execute("DELETE FROM sqlite_schema WHERE type = 'index'")
        page = bytearray(path.read_bytes()[:PAGE_BYTES])
    struct.pack_into(">I", page, _PAGES_AT, pages)
    struct.pack_into(">II", page, _FREE_LIST_AT, 0, 0)
    return bytes(page)
