"""Reading the spool's file from outside without leaving files next to it."""

import sqlite3
from pathlib import Path
from urllib.parse import quote


def read_only(path: Path) -> sqlite3.Connection:
    """Return a connection that only reads. Raises `sqlite3.Error`.

    Without a write-ahead log nobody has the file open, and SQLite would create one to read it. If
    root reads, it would belong to root, and the service could no longer open its spool.
    """
    wal = path.with_name(f"{path.name}-wal")
    mode = "mode=ro" if wal.exists() else "mode=ro&immutable=1"
    return sqlite3.connect(f"file:{quote(str(path))}?{mode}", uri=True)
