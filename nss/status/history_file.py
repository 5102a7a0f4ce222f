"""The history of rates, lag and pending in the state directory, so that a restart keeps it.

`history.json`, written about once a minute and at the end; form 1:

    {"form": 1,
     "seen": {"feed mcas": 1790000000.5, "source web": 1790000000.5},
     "rings": {"15m": {"step_secs": 5, "stamps": "...",
                       "parts": {"feed mcas": {"records_per_sec": "...", "lag_secs": "...",
                                               "pending": "..."}}},
               "24h": ...}}

`seen` says when a part was last in a status. Stamps are unsigned integers and numbers are floats,
of 4 bytes each, little-endian, in base64: one for each place of the ring (see
`nss.status.history`). A ring of another size or step is another form. A file of a later form is
left alone: then nothing is written, and what this process sees is gone with it.
"""

import sys
from array import array
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from nss import foreign
from nss.files.private import FileFault, read_bounded, write_private
from nss.status import events
from nss.status.history import MAX_COMPONENTS, POINTS, History, Ring, Span, numbers_of
from nss.wording import error_text

FILE_NAME = "history.json"

FORM = 1

MAX_BYTES = 8 << 20
"""The largest history, of 256 feeds, takes half of it."""

_ITEM_BYTES = 4

A = TypeVar("A", bound="array[Any]")


class _Form(msgspec.Struct, frozen=True):
    form: int


class _KeptRing(msgspec.Struct, frozen=True):
    step_secs: int
    stamps: bytes
    parts: dict[str, dict[str, bytes]]


class _Kept(msgspec.Struct, frozen=True):
    form: int
    seen: dict[str, float]
    rings: dict[Span, _KeptRing]


class HistoryFile:
    """Keeps a history in a folder. What can't be read or written is reported once, never raised."""

    def __init__(self, folder: Path, history: History) -> None:
        self.path = folder / FILE_NAME
        self._history = history
        self._is_later = False
        """Whether a later version wrote what is there."""
        self._has_failed = False

    def load(self) -> None:
        """Give the history what was kept, if it is of any use. Blocks; call it before `add`."""
        try:
            data = read_bounded(self.path, MAX_BYTES)
            form = foreign.decode(data, _Form).form
            if form > FORM:
                self._is_later = True
                reason = f"a later version wrote it (form {form}): it is left alone"
                events.history_unreadable(str(self.path), reason)
                return
            rings, seen = _restored(foreign.decode(data, _Kept))
        except FileNotFoundError:
            return
        except OSError as error:
            events.history_unreadable(str(self.path), error_text(error))
        except FileFault as fault:
            events.history_unreadable(str(self.path), f"it {fault}")
        except (msgspec.DecodeError, _Damaged):
            events.history_unreadable(str(self.path), "it is damaged")
        else:
            self._history.rings, self._history.seen = rings, seen

    def encoded(self) -> bytes:
        """Return what `save` is to write: the history as it is now."""
        rings: dict[Span, _KeptRing] = {
            span: _KeptRing(
                ring.step_secs,
                _written(ring.stamps),
                {
                    component: {name: _written(column) for name, column in columns.items()}
                    for component, columns in ring.parts.items()
                },
            )
            for span, ring in self._history.rings.items()
        }
        return msgspec.json.encode(_Kept(FORM, self._history.seen, rings))

    def save(self, data: bytes) -> None:
        """Write a history down. Blocks."""
        if self._is_later:
            return
        try:
            write_private(self.path, data)
        except OSError as error:
            if not self._has_failed:
                events.history_not_saved(str(self.path), error_text(error))
            self._has_failed = True
        else:
            self._has_failed = False


class _Damaged(Exception):  # noqa: N818 - named as the sentence reads
    """What was read is JSON, and no history."""


def _restored(kept: _Kept) -> tuple[dict[Span, Ring], dict[str, float]]:
    if kept.form != FORM or kept.rings.keys() != POINTS.keys() or len(kept.seen) > MAX_COMPONENTS:
        raise _Damaged
    return {span: _ring(span, found, kept) for span, found in kept.rings.items()}, kept.seen


def _ring(span: Span, found: _KeptRing, kept: _Kept) -> Ring:
    ring = Ring(*POINTS[span])
    if found.step_secs != ring.step_secs or found.parts.keys() != kept.seen.keys():
        raise _Damaged
    ring.stamps = _read(array("I"), found.stamps, ring.points)
    for component, columns in found.parts.items():
        if columns.keys() != set(numbers_of(component)):
            raise _Damaged
        ring.parts[component] = {
            name: _read(array("f"), columns[name], ring.points) for name in numbers_of(component)
        }
    return ring


def _read(into: A, data: bytes, items: int) -> A:
    if len(data) != items * _ITEM_BYTES:
        raise _Damaged
    into.frombytes(data)
    return _little_endian(into)


def _written(numbers: "array[Any]") -> bytes:
    return _little_endian(numbers[:]).tobytes()


def _little_endian(numbers: A) -> A:
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
