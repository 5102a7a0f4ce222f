"""The names of files that were uploaded, so that their entries in the governance log are found.

Each feed keeps its own beside its journal, in `uploads/NAME.files.json`:

    {"form": 1, "files": [{"name": "..", "begun_at": 0.0, "finalized_at": 0.0 or null,
                           "stream_id": ".." or null}, ..]}

oldest first. The service and `nss verify-mcas2` read it. A name is noted before anything is put at
its upload URL, so it is known whatever happens then.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from nss import foreign
from nss.files.private import read_bounded, write_private

MAX_FILES = 4000
"""How many names of a feed are kept: those of hours, even at 15 uploads a minute."""

MAX_BYTES = 4 << 20

FILE_NAME = re.compile(
    r"(?P<feed>[a-z0-9_-]{1,64})-\d{8}T\d{6}-\d{1,20}(?:-\d{1,20})?\.log(?:\.gz)?", re.ASCII
)
"""What `file_name` returns."""

_FORM = 1
_SUFFIX = ".files.json"


class UploadedFile(msgspec.Struct, frozen=True):
    """A file that a feed began to upload. Times are seconds since the epoch, by our clock."""

    name: str
    begun_at: float
    finalized_at: float | None = None
    """When MCAS confirmed it; `None` while it has not."""
    stream_id: str | None = None
    """The id of its data source, if MCAS said it."""


class _Stored(msgspec.Struct, frozen=True):
    form: int
    files: tuple[UploadedFile, ...]


class UploadedFiles:
    """The files of one feed, oldest first. What could not be saved still holds in this process."""

    def __init__(self, folder: Path, feed: str) -> None:
        self.files: tuple[UploadedFile, ...] = ()
        self._path = folder / f"{feed}{_SUFFIX}"

    def load(self) -> None:
        """Read what was saved, nothing if there is no file.

        Raises `OSError`, `FileFault` for what is no regular file or too long, and `ValueError` for
        one that makes no sense.
        """
        try:
            data = read_bounded(self._path, MAX_BYTES)
        except FileNotFoundError:
            return
        stored = foreign.decode(data, _Stored)
        if stored.form != _FORM:
            raise ValueError(f"form {stored.form} is not known")
        self.files = stored.files

    def begin(self, name: str, now: float) -> None:
        """Note that a file of this name will be uploaded. Raises `OSError`."""
        self.files = (*self.files, UploadedFile(name, now))[-MAX_FILES:]
        self._save()

    def finish(self, now: float, stream_id: str | None = None) -> None:
        """Note that MCAS has confirmed the file that was begun last. Raises `OSError`."""
        if self.files and self.files[-1].finalized_at is None:
            last = UploadedFile(self.files[-1].name, self.files[-1].begun_at, now, stream_id)
            self.files = (*self.files[:-1], last)
            self._save()

    def _save(self) -> None:
        write_private(self._path, msgspec.json.encode(_Stored(_FORM, self.files)))


def uploaded_by(folder: Path, feeds: Iterable[str]) -> tuple[UploadedFile, ...]:
    """Return the files of some feeds. Raises `OSError`, `FileFault` or `ValueError` as `load`."""
    found: list[UploadedFile] = []
    for feed in feeds:
        files = UploadedFiles(folder, feed)
        files.load()
        found += files.files
    return tuple(sorted(found, key=lambda file: file.begun_at))


def files_stamp(folder: Path, feeds: Iterable[str]) -> object:
    """Return a value that is equal as long as `uploaded_by` would return the same."""
    stamps: list[tuple[int, int] | None] = []
    for feed in feeds:
        try:
            status = (folder / f"{feed}{_SUFFIX}").stat()
        except OSError:
            stamps.append(None)
        else:
            stamps.append((status.st_mtime_ns, status.st_ino))
    return stamps


def file_name(feed: str, at: float, place: int | str, *, gzip: bool) -> str:
    """Return the name to upload a file under; `at` is seconds since the epoch.

    `place` tells files of one second apart: one or two numbers with `-` between them.
    """
    moment = datetime.fromtimestamp(at, UTC)
    return f"{feed}-{moment:%Y%m%dT%H%M%S}-{place}.{'log.gz' if gzip else 'log'}"


def feed_of(name: str) -> str | None:
    """Return the feed whose file has such a name, `None` for a name of another form."""
    found = FILE_NAME.fullmatch(name)
    return None if found is None else found["feed"]
