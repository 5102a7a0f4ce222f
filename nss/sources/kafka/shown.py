"""What those who watch see of messages: also their keys and headers, which nothing else reads."""

import threading
from collections.abc import Callable, Sequence
from operator import methodcaller
from typing import Any

from nss.sources.watching import (
    MAX_HEADERS,
    PART_MAX_BYTES,
    VALUE_MAX_BYTES,
    SeenHeader,
    SeenMessage,
)

MAX_SHOWN = 1000
"""How many messages of one step those who watch can see; they are told of the others."""

_Headers = Sequence[tuple[str, bytes | None]]

# Where a header's name is not UTF-8, the library returns a list and an error, and the list must not
# be touched. A call in our own code is not always told of that; one from there is.
_headers_of = methodcaller("headers")


class Showing:
    """What a thread that reads lets be watched: the first of what came, one part at a time.

    `show` is given messages, and how many were left out since it was called last.
    """

    def __init__(self, show: Callable[[Sequence[Any], int], None]) -> None:
        self.is_watched = False
        """Set by the event loop: somebody watches what is read."""
        self.is_under_way = threading.Event()
        """A part is on its way to who watches; the event loop says when it is there."""
        self.show = show
        self._left_out = 0

    def offer(self, messages: Sequence[Any]) -> None:
        """Show what came, the first of it: never more than one such part waits for the loop."""
        if not self.is_watched:
            self._left_out = 0
            return
        came = [each for each in messages if each.error() is None]
        if self.is_under_way.is_set():
            self._left_out += len(came)
        elif came:
            self.is_under_way.set()
            left_out = self._left_out + len(came[MAX_SHOWN:])
            self._left_out = 0
            self.show(came[:MAX_SHOWN], left_out)


class ShownMessage:
    """A message of `confluent_kafka`; its headers are asked for once, if somebody looks."""

    def __init__(self, message: Any) -> None:  # noqa: ANN401 - of a library without types
        self._message = message
        self._asked = False
        self._first: _Headers | None = None
        self._more = 0

    def holds(self, text: bytes) -> bool:
        """Return whether its value, its key, or one of the first headers holds some bytes."""
        if not text:
            return True
        message = self._message
        if text in _bytes(message.value()) or text in _bytes(message.key()):
            return True
        return any(
            text in _bytes(name) or text in _bytes(value) for name, value in self._headers() or ()
        )

    def seen(self, source: str, left_out: int) -> SeenMessage:
        """Return what is shown of it."""
        message, headers = self._message, self._headers()
        kind, milliseconds = message.timestamp()
        key, value = message.key(), message.value()
        return SeenMessage(
            source=source,
            topic=message.topic(),
            partition=message.partition(),
            offset=message.offset(),
            produced_ms=milliseconds if kind else None,
            key=None if key is None else _bytes(key)[:PART_MAX_BYTES],
            key_bytes=len(_bytes(key)),
            headers=None if headers is None else tuple(_seen(*header) for header in headers),
            more_headers=self._more,
            value=None if value is None else _bytes(value)[:VALUE_MAX_BYTES],
            value_bytes=len(_bytes(value)),
            left_out=left_out,
        )

    def _headers(self) -> _Headers | None:
        if not self._asked:
            self._asked = True
            try:
                found = _headers_of(self._message) or []
            except Exception:  # noqa: BLE001 - no message may end the source
                return None
            self._first = found[:MAX_HEADERS]
            self._more = max(0, len(found) - MAX_HEADERS)
        return self._first


def _seen(name: str, value: bytes | None) -> SeenHeader:
    shown = None if value is None else _bytes(value)[:PART_MAX_BYTES]
    return SeenHeader(_bytes(name)[:PART_MAX_BYTES], shown, len(_bytes(value)))


def _bytes(data: str | bytes | None) -> bytes:
    return data.encode(errors="surrogateescape") if isinstance(data, str) else data or b""
