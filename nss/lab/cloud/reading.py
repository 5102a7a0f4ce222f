"""Reads an uploaded file line by line as LEEF, and adds up what Cloud Discovery would see in it."""

import contextlib
import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC
from functools import lru_cache, partial
from pathlib import Path
from typing import IO

from formats import leef
from formats.times import parse_text
from nss.lab.discovery import Discovery

# What the governance log calls them.
UNSUPPORTED_FILE = "Unsupported file type"
UNSUPPORTED_LOG = "Unsupported log type"
NO_MATCH = "The log format doesn't match"
TOO_OLD = "Transactions are more than 90 days old"
NO_CLOUD_APPS = "No transactions to cataloged cloud apps"

LEEF_TYPES = frozenset(
    {"ZSCALER_QRADAR", "ZSCALER_QRADAR_SYSLOG", "GENERIC_LEEF", "GENERIC_LEEF_SYSLOG"}
)

NO_APPS = frozenset({"", "None", "NA", "General Browsing"})
"""The app names of records without a cloud app."""

MAX_AGE_SECS = 90 * 86_400
MAX_LINE_BYTES = 1 << 20
MAX_EXAMPLES = 5

_GZIP_MAGIC = b"\x1f\x8b"
_ZIP_MAGIC = b"PK\x03\x04"
_REQUIRED = ("src", "dst")
_BUFFER_BYTES = 1 << 20
_EXAMPLE_BYTES = 2048


@dataclass(slots=True)
class Reading:
    """What was in a file. `failure` is the governance log's text, `None` for a success."""

    records: int = 0
    malformed: int = 0
    too_old: int = 0
    failure: str | None = None
    examples: list[tuple[bytes, str]] = field(default_factory=list)
    discovery: Discovery = field(default_factory=Discovery)


def read(path: Path, source_type: str, now: float) -> Reading:
    """Read a text, gzip or zip file in bounded memory; `now` is seconds since the epoch.

    Raises `OSError` when the file can't be read at all.
    """
    found = Reading()
    if source_type not in LEEF_TYPES:
        found.failure = UNSUPPORTED_LOG
        return found
    try:
        with _opened(path) as file:
            _read_lines(file, found, now)
    except (EOFError, gzip.BadGzipFile, zipfile.BadZipFile, zlib.error, IndexError):
        found.failure = UNSUPPORTED_FILE
    else:
        found.failure = _failure(found)
    return found


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    with path.open("rb") as file:
        start = file.read(1024)
        file.seek(0)
        if start.startswith(_GZIP_MAGIC):
            with gzip.open(file) as unpacked:
                yield io.BufferedReader(unpacked, _BUFFER_BYTES)
        elif start.startswith(_ZIP_MAGIC):
            with zipfile.ZipFile(file) as archive, archive.open(archive.namelist()[0]) as unpacked:
                yield unpacked
        elif b"\0" in start:
            raise EOFError
        else:
            yield file


def _read_lines(file: IO[bytes], found: Reading, now: float) -> None:
    oldest = now - MAX_AGE_SECS
    add = found.discovery.add
    for line in iter(partial(file.readline, MAX_LINE_BYTES), b""):
        if line in {b"\n", b"\r\n"}:
            continue
        try:
            attributes = leef.parse(str(line, "utf-8")).attributes
            if _moment(attributes["devTime"]) < oldest:
                found.too_old += 1
                continue
            for name in _REQUIRED:
                attributes[name]
            add(attributes)
        except KeyError as error:
            _complain(found, line, f"attribute {error} is missing")
        except (ValueError, OverflowError) as error:
            _complain(found, line, str(error))
        else:
            found.records += 1


def _complain(found: Reading, line: bytes, reason: str) -> None:
    found.malformed += 1
    if len(found.examples) < MAX_EXAMPLES:
        found.examples.append((line[:_EXAMPLE_BYTES], reason))


def _failure(found: Reading) -> str | None:
    """Return the reason that nothing in a file counts; a good file may have some bad lines."""
    if found.records:
        return NO_CLOUD_APPS if found.discovery.apps.keys() <= NO_APPS else None
    return TOO_OLD if found.too_old > found.malformed else NO_MATCH


@lru_cache(maxsize=50_000)
def _moment(text: str) -> float:
    return parse_text(text, UTC).timestamp()
