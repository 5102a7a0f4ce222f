"""How people who watch see a message: with its key and headers, which nothing else reads."""

from datetime import UTC, datetime
from typing import Any

import orjson

_KEY_BYTES = 256
_HEADER_BYTES = 256
"""How much is shown of a header's name, and of what it holds."""

_HEADERS = 32


class ShownMessage:
    """A message of `confluent_kafka` for those who watch the source."""

    def __init__(self, message: Any) -> None:  # noqa: ANN401 - of a library without types
        self._message = message
        self._headers: list[tuple[str, bytes | None]] | None = []
        try:
            self._headers = message.headers() or []
        except (SystemError, ValueError):  # a name that is not UTF-8; asked again, it would crash
            self._headers = None

    def holds(self, text: bytes) -> bool:
        """Return whether its value, its key, or a header holds some bytes."""
        message = self._message
        if text in _bytes(message.value()) or text in _bytes(message.key()):
            return True
        return any(
            text in name.encode(errors="surrogateescape") or text in _bytes(value)
            for name, value in self._headers or ()
        )

    def as_json(self, max_bytes: int) -> bytes:
        r"""Return it as JSON on one line, with at most so much of its value.

        What is not UTF-8 is shown as \xHH; no key, no value (a tombstone) and no time are null.
        """
        message, headers = self._message, self._headers
        kind, milliseconds = message.timestamp()
        shown: dict[str, object] = {
            "topic": message.topic(),
            "partition": message.partition(),
            "offset": message.offset(),
            "produced_at": _time(milliseconds) if kind else None,
            "key": _text(message.key(), _KEY_BYTES),
        }
        if headers is None:
            shown["headers"] = "can't be read: a name is not UTF-8"
        else:
            shown["headers"] = [
                [_text(name, _HEADER_BYTES), _text(value, _HEADER_BYTES)]
                for name, value in headers[:_HEADERS]
            ]
            if len(headers) > _HEADERS:
                shown["more_headers"] = len(headers) - _HEADERS
        shown["value"] = _text(message.value(), max_bytes)
        return orjson.dumps(shown)

    @property
    def value_bytes(self) -> int:
        """How long its value is."""
        return len(_bytes(self._message.value()))


def _bytes(data: str | bytes | None) -> bytes:
    return data.encode(errors="surrogateescape") if isinstance(data, str) else data or b""


def _text(data: str | bytes | None, max_bytes: int) -> str | None:
    if data is None:
        return None
    whole = _bytes(data)
    text = whole[:max_bytes].decode(errors="backslashreplace")
    cut = len(whole) - max_bytes
    return text if cut <= 0 else f"{text} ... {cut:,} more bytes"


def _time(milliseconds: int) -> str | int:
    """Return a time in UTC; a number where no calendar has it: producers say what they like."""
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return milliseconds
