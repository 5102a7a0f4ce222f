"""Lines as messages on the wire: datagrams sent in one run, and lines framed for a stream.

`active()` picks what does it: an extension (`nss/sinks/_lines.pyx`) that holds no interpreter lock
while it sends, or Python where that is not built or `NSS_PURE` forces Python. Both do the same.
"""

import errno
import os
import re
from collections import deque
from collections.abc import Callable, Sequence
from itertools import repeat
from operator import length_hint
from typing import NamedTuple

from formats.compiled import is_wanted
from formats.lines import Lines

try:
    from nss.sinks import _lines
except ImportError:  # it was not built
    _lines = None  # type: ignore[assignment]

_BREAKS = re.compile(rb"[\n\r\0]")


def _texts(lines: Lines) -> list[bytes]:
    """Return the lines, cut at their LF at once where none has one in it."""
    texts = lines.data.tobytes().split(b"\n")
    return texts[:-1] if len(texts) == len(lines) + 1 else list(lines)


SendRun = Callable[[Lines, bytes, Sequence[int], bytes | None], tuple[int, int]]
"""See `send_run`."""


def send_run(
    lines: Lines, header: bytes, descriptors: Sequence[int], ports: bytes | None
) -> tuple[int, int]:
    """Send each line behind `header` as one datagram, until one fails.

    Returns how many were sent, and the errno of the next, 0 if there is none. The sockets behind
    the descriptors, 64 at most, are connected and never wait; where they report errors (IP_RECVERR)
    their queues of errors are empty at first. `ports` has the index of the descriptor of each line;
    without it the first sends all.
    """
    rest = iter(_texts(lines))
    messages = map(header.__add__, rest) if header else rest
    through = repeat(descriptors[0]) if ports is None else map(descriptors.__getitem__, ports)
    try:
        # The loop runs in C; the iterator knows how far it came.
        deque(map(os.write, through, messages), maxlen=0)
    except OSError as error:
        return len(lines) - length_hint(rest) - 1, error.errno or errno.EIO
    return len(lines), 0


def fault_in(lines: Lines, counted: bool) -> int:  # noqa: FBT001 - as compiled
    """Return the index of the first line that can't be a message alone, or -1.

    Behind an octet count that is an empty line, otherwise one with a line feed, carriage return or
    NUL in it, which end or split a message.
    """
    if counted:
        return next((index for index, line in enumerate(_texts(lines)) if not line), -1)
    data = lines.data.tobytes()
    if data.count(b"\n") == len(lines) and b"\r" not in data and b"\0" not in data:
        return -1
    return next(index for index, line in enumerate(lines) if _BREAKS.search(line))


def framed(lines: Lines, header: bytes, counted: bool) -> bytes:  # noqa: FBT001 - as compiled
    """Return the lines as messages behind `header`: ended by LF, or each behind its octet count."""
    if counted:
        extra = len(header)
        return b"".join([b"%d %b%b" % (len(line) + extra, header, line) for line in _texts(lines)])
    return b"".join([b"%b%b\n" % (header, line) for line in _texts(lines)])


class Wire(NamedTuple):
    """The functions of this module, compiled or not."""

    send_run: SendRun
    fault_in: Callable[[Lines, bool], int]
    framed: Callable[[Lines, bytes, bool], bytes]


PYTHON = Wire(send_run, fault_in, framed)

COMPILED = None
"""`None` where it was not built."""

if _lines is not None:
    COMPILED = Wire(_lines.send_run, _lines.fault_in, _lines.framed)


def active() -> Wire:
    """Return what runs."""
    return COMPILED if COMPILED is not None and is_wanted() else PYTHON
