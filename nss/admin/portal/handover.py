"""Sessions over a restart: the service that stops leaves them for the next one, for two minutes.

    {"form": 1, "saved_at": 1795000000.0, "sessions": [{"key": "<sha256 of the token>", ...}]}

Tokens are not in the file, which only the service's user can read and which is removed when it is
read. A service that is killed leaves nothing: then everybody signs in anew.
"""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from nss import foreign
from nss.admin.portal.sessions import Carried, Sessions
from nss.files.private import OTHERS, FileFault, read_bounded, remove_file, write_private

FILE_NAME = "portal-sessions.json"
KEPT_SECS = 120.0
"""How long a restart may take."""

MAX_BYTES = 1 << 20

_FORM = 1


class _Left(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    form: int
    saved_at: float
    """Seconds since the epoch."""
    sessions: list[Carried]


def leave(folder: Path, sessions: Sessions, *, now: Callable[[], float] = time.time) -> None:
    """Leave the sessions for the next service with this state directory. Never raises."""
    carried = sessions.carried()
    if not carried:
        return
    data = msgspec.json.encode(_Left(_FORM, now(), carried))
    with contextlib.suppress(OSError):  # then everybody signs in anew
        write_private(folder / FILE_NAME, data)


def take(folder: Path, sessions: Sessions, *, now: Callable[[], float] = time.time) -> None:
    """Take over what the last service left, once. Never raises."""
    path = folder / FILE_NAME
    try:
        data = read_bounded(path, MAX_BYTES, forbidden=OTHERS)
        remove_file(path)
        left = foreign.decode(data, _Left)
    except (OSError, FileFault, msgspec.DecodeError):
        with contextlib.suppress(OSError):
            remove_file(path)
        return
    away_secs = now() - left.saved_at
    if left.form == _FORM and 0 <= away_secs <= KEPT_SECS:
        sessions.take_over(left.sessions, away_secs)
