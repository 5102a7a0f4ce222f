"""The spool's file, looked at from outside without leaving anything beside it."""

import sqlite3
from pathlib import Path
from urllib.parse import quote


def read_only(path: Path) -> sqlite3.Connection:
    """Return a connection that only reads. Raises `sqlite3.Error`.

    Without a write-ahead log nobody has the file open, and SQLite would make one to read it: of
    root, when root looks, and the service could not open its spool any more.
    """
    wal = path.with_name(f"{path.name}-wal")
    mode = "mode=ro" if wal.exists() else "mode=ro&immutable=1"
    return sqlite3.connect(f"file:{quote(str(path))}?{mode}", uri=True)
