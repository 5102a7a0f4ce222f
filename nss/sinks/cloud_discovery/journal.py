"""What is remembered of uploads when the process ends: a small JSON file for each feed.

    {"form": 1, "delivered": [[SEQUENCE, ACCEPTED_AT], ..],
     "unfinished": {"url": "https://..", "batches": [[SEQUENCE, ACCEPTED_AT], ..],
                    "unconfirmed": false} or null}

`delivered` are the last batches whose upload was finalized: the spool may not have committed yet
that the feed has passed them. `unfinished` is a file that was put and perhaps not finalized. A
batch is identified by its sequence and, since spools may change, the time it was accepted. The URL
is a secret, so nobody else may read the file.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from nss import foreign
from nss.files.private import read_bounded, write_private
from nss.secret import Secret

MAX_DELIVERED = 20_000
"""How many batches are remembered: those of several uploads; the spool commits within one."""

MAX_BYTES = 16 << 20

BatchKey = tuple[int, float]

_FORM = 1


class Unfinished(msgspec.Struct, frozen=True):
    """A file that was put at a URL and perhaps not finalized, and the batches in it."""

    url: Secret
    batches: tuple[BatchKey, ...]
    unconfirmed: bool = False
    """Whether a finalize was answered with neither a yes nor a no."""


class _StoredJournal(msgspec.Struct, frozen=True):
    form: int
    delivered: tuple[BatchKey, ...]
    unfinished: Unfinished | None


class UploadJournal:
    """The journal of one feed. What could not be saved still holds in this process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._order: tuple[BatchKey, ...] = ()
        self.delivered: frozenset[BatchKey] = frozenset()
        self.unfinished: Unfinished | None = None

    def load(self) -> None:
        """Read what an earlier process left, nothing if there is no file.

        Raises `OSError`, `FileFault` for what is no regular file or too long, and `ValueError` for
        one that makes no sense.
        """
        try:
            data = read_bounded(self._path, MAX_BYTES)
        except FileNotFoundError:
            return
        stored = foreign.decode(data, _StoredJournal, _secret)
        if stored.form != _FORM:
            raise ValueError(f"form {stored.form} is not known")
        self._remember(stored.delivered)
        self.unfinished = stored.unfinished

    def begin(self, url: Secret, batches: Sequence[BatchKey]) -> None:
        """Note that a file with these batches was put and will be finalized. Raises `OSError`."""
        self.unfinished = Unfinished(url, tuple(batches))
        self._save()

    def leave_open(self) -> None:
        """Note that a finalize was answered with neither a yes nor a no. Raises `OSError`."""
        if self.unfinished is not None and not self.unfinished.unconfirmed:
            self.unfinished = msgspec.structs.replace(self.unfinished, unconfirmed=True)
            self._save()

    def finish(self) -> None:
        """Note that it was finalized. Raises `OSError`."""
        if self.unfinished is not None:
            self._remember((*self._order, *self.unfinished.batches))
            self.unfinished = None
            self._save()

    def give_up(self) -> None:
        """Note that it can no longer be finalized. Raises `OSError`."""
        self.unfinished = None
        self._save()

    def _remember(self, delivered: tuple[BatchKey, ...]) -> None:
        self._order = delivered[-MAX_DELIVERED:]
        self.delivered = frozenset(self._order)

    def _save(self) -> None:
        stored = _StoredJournal(_FORM, self._order, self.unfinished)
        write_private(self._path, msgspec.json.encode(stored, enc_hook=Secret.reveal))


def _secret(_: type, value: object) -> Secret:
    if not isinstance(value, str):
        raise TypeError("a URL is text")
    return Secret(value)
