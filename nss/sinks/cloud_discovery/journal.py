"""What is remembered of uploads when the process ends: a small JSON file for each feed.

    {"form": 1, "delivered": [[SEQUENCE, ACCEPTED_AT], ..],
     "unfinished": {"url": "https://..", "batches": [[SEQUENCE, ACCEPTED_AT], ..]} or null}

`delivered` are the last batches whose upload was finalized: the spool may not have committed yet
that the feed has passed them. `unfinished` is a file that was put and perhaps not finalized. A
batch is identified by its sequence and the time it was accepted, which tells it from a batch of
another spool. The URL is a secret, so nobody else may read the file.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from nss.files.private import write_private
from nss.secret import Secret

MAX_DELIVERED = 20_000
"""How many batches are remembered: those of several uploads; the spool commits within one."""

BatchKey = tuple[int, float]

_FORM = 1


class _StoredUpload(msgspec.Struct, frozen=True):
    url: str
    batches: list[BatchKey]


class _StoredJournal(msgspec.Struct, frozen=True):
    form: int
    delivered: list[BatchKey]
    unfinished: _StoredUpload | None


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A file that was put at a URL and perhaps not finalized, and the batches in it."""

    url: Secret
    batches: tuple[BatchKey, ...]


class UploadJournal:
    """The journal of one feed. What could not be saved still holds in this process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._order: tuple[BatchKey, ...] = ()
        self.delivered: frozenset[BatchKey] = frozenset()
        self.unfinished: Unfinished | None = None

    def load(self) -> None:
        """Read what an earlier process left, nothing if there is no file.

        Raises `OSError`, and `ValueError` for a file that makes no sense.
        """
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return
        stored = msgspec.json.decode(data, type=_StoredJournal)
        if stored.form != _FORM:
            raise ValueError(f"form {stored.form} is not known")
        self._remember(stored.delivered)
        if stored.unfinished is not None:
            found = stored.unfinished
            self.unfinished = Unfinished(Secret(found.url), tuple(found.batches))

    def begin(self, url: Secret, batches: Sequence[BatchKey]) -> None:
        """Note that a file with these batches was put and will be finalized. Raises `OSError`."""
        self.unfinished = Unfinished(url, tuple(batches))
        self._save()

    def finish(self) -> None:
        """Note that it was finalized. Raises `OSError`."""
        if self.unfinished is not None:
            self._remember([*self._order, *self.unfinished.batches])
            self.unfinished = None
            self._save()

    def give_up(self) -> None:
        """Note that it can no longer be finalized. Raises `OSError`."""
        self.unfinished = None
        self._save()

    def _remember(self, delivered: Sequence[BatchKey]) -> None:
        self._order = tuple(delivered[-MAX_DELIVERED:])
        self.delivered = frozenset(self._order)

    def _save(self) -> None:
        unfinished = None
        if self.unfinished is not None:
            url, batches = self.unfinished.url, self.unfinished.batches
            unfinished = _StoredUpload(url.reveal(), list(batches))
        stored = _StoredJournal(_FORM, list(self._order), unfinished)
        write_private(self._path, msgspec.json.encode(stored))
