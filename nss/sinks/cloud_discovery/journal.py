"""What is remembered of uploads when the process ends: a small JSON file for each feed.

    {"form": 2, "delivered": [PIECE, ..],
     "unfinished": {"url": "https://..", "batches": NUMBER, "pieces": [PIECE, ..],
                    "unconfirmed": false} or null}

    PIECE: [SEQUENCE, ACCEPTED_AT, LINE, RECORDS, "DIGEST"], see `nss.sinks.cloud_discovery.pieces`

`delivered` are the last pieces whose upload was finalized: the spool may not have committed yet
that the feed has passed their batches, and of a batch that is larger than a file the first lines
may be delivered long before the last. `unfinished` is a file that was put and perhaps not
finalized. The URL is a secret, so nobody else may read the file.

Form 1 had the batches themselves, as [SEQUENCE, ACCEPTED_AT], in place of pieces. What such a
journal knew is kept as `whole` until the feed is past it: batches that are delivered whole.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from nss import foreign
from nss.files.private import read_bounded, write_private
from nss.secret import Secret
from nss.sinks.cloud_discovery.pieces import BatchKey, Count, Piece

MAX_DELIVERED = 4096
"""How many pieces are remembered: those of at least one upload, usually of dozens; the spool
commits within one."""

MAX_BYTES = 16 << 20

_FORM = 2


class Unfinished(msgspec.Struct, frozen=True, omit_defaults=True):
    """A file that was put at a URL and perhaps not finalized, and what is in it."""

    url: Secret
    batches: Count
    """How many batches have lines in it."""
    pieces: tuple[Piece, ...]
    whole: tuple[BatchKey, ...] = ()
    unconfirmed: bool = False
    """Whether a finalize was answered with neither a yes nor a no."""


class _StoredJournal(msgspec.Struct, frozen=True, omit_defaults=True):
    form: int
    delivered: tuple[Piece, ...]
    unfinished: Unfinished | None
    whole: tuple[BatchKey, ...] = ()


class _Form(msgspec.Struct, frozen=True):
    form: int


class _UnfinishedForm1(msgspec.Struct, frozen=True):
    url: Secret
    batches: tuple[BatchKey, ...]
    unconfirmed: bool = False


class _Form1(msgspec.Struct, frozen=True):
    delivered: tuple[BatchKey, ...]
    unfinished: _UnfinishedForm1 | None

    def converted(self) -> _StoredJournal:
        """Return it in the present form."""
        begun = self.unfinished
        unfinished = None
        if begun is not None:
            unfinished = Unfinished(
                begun.url, len(begun.batches), (), begun.batches, begun.unconfirmed
            )
        return _StoredJournal(_FORM, (), unfinished, self.delivered)


class UploadJournal:
    """The journal of one feed. What could not be saved still holds in this process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.delivered: tuple[Piece, ...] = ()
        self.unfinished: Unfinished | None = None
        self._starts: dict[BatchKey, dict[int, Piece]] = {}
        self._whole: frozenset[BatchKey] = frozenset()

    def load(self) -> None:
        """Read what an earlier process left, nothing if there is no file.

        Raises `OSError`, `FileFault` for what is no regular file or too long, and `ValueError` for
        one that makes no sense.
        """
        try:
            data = read_bounded(self._path, MAX_BYTES)
        except FileNotFoundError:
            return
        stored = _decoded(data)
        self._remember(stored.delivered)
        self._whole = frozenset(stored.whole)
        self.unfinished = stored.unfinished

    def begin(self, url: Secret, batches: int, pieces: Sequence[Piece]) -> None:
        """Note that a file with these pieces was put and will be finalized. Raises `OSError`."""
        self.unfinished = Unfinished(url, batches, tuple(pieces))
        self._save()

    def leave_open(self) -> None:
        """Note that a finalize was answered with neither a yes nor a no. Raises `OSError`."""
        if self.unfinished is not None and not self.unfinished.unconfirmed:
            self.unfinished = msgspec.structs.replace(self.unfinished, unconfirmed=True)
            self._save()

    def finish(self) -> None:
        """Note that it was finalized. Raises `OSError`."""
        if self.unfinished is not None:
            self._remember((*self.delivered, *self.unfinished.pieces))
            self._whole = self._whole.union(self.unfinished.whole)
            if self.unfinished.pieces and self._are_passed(self.unfinished.pieces[0].sequence):
                self._whole = frozenset()
            self.unfinished = None
            self._save()

    def give_up(self) -> None:
        """Note that it can no longer be finalized. Raises `OSError`."""
        self.unfinished = None
        self._save()

    def has_whole(self, batch: BatchKey) -> bool:
        """Return whether a batch is known to be delivered, with all its lines."""
        return batch in self._whole

    def piece_at(self, batch: BatchKey, line: int) -> Piece | None:
        """Return the piece that was delivered and begins with a line of a batch, if any."""
        lines = self._starts.get(batch)
        return None if lines is None else lines.get(line)

    def next_start(self, batch: BatchKey, line: int) -> int | None:
        """Return the first line after `line` of a batch with which such a piece begins."""
        lines = self._starts.get(batch)
        return None if lines is None else min((at for at in lines if at > line), default=None)

    def _are_passed(self, sequence: int) -> bool:
        """Return whether a batch comes after all that are known to be delivered whole."""
        return all(known < sequence for known, _ in self._whole)

    def _remember(self, delivered: tuple[Piece, ...]) -> None:
        self.delivered = delivered[-MAX_DELIVERED:]
        self._starts = {}
        for piece in self.delivered:
            batch = (piece.sequence, piece.accepted_at)
            self._starts.setdefault(batch, {})[piece.line] = piece

    def _save(self) -> None:
        stored = _StoredJournal(_FORM, self.delivered, self.unfinished, tuple(sorted(self._whole)))
        write_private(self._path, msgspec.json.encode(stored, enc_hook=Secret.reveal))


def _decoded(data: bytes) -> _StoredJournal:
    form = foreign.decode(data, _Form).form
    if form == 1:
        return foreign.decode(data, _Form1, _secret).converted()
    if form == _FORM:
        return foreign.decode(data, _StoredJournal, _secret)
    raise ValueError(f"form {form} is not known")


def _secret(_: type, value: object) -> Secret:
    if not isinstance(value, str):
        raise TypeError("a URL is text")
    return Secret(value)
