"""The body of a request as it comes in, within a size and a time, and the ways to refuse it."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Any

Receive = Callable[[], Awaitable[dict[str, Any]]]
"""ASGI's way to the next part of a request."""

_DISCARD_BYTES = 16 << 20
_DISCARD_SECS = 2.0


class HttpRefusal(Exception):  # noqa: N818 - it is an answer
    """The request is answered with `status`; `reason` is a sentence that quotes nothing of it."""

    def __init__(
        self, status: HTTPStatus, reason: str, headers: Sequence[tuple[bytes, bytes]] = ()
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.headers = headers


def too_long(max_bytes: int, form: str) -> HttpRefusal:
    """Return the refusal of a body that is longer than `max_bytes` in a form."""
    return HttpRefusal(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is longer than {max_bytes} bytes {form}"
    )


class GoneError(Exception):
    """The sender disconnected before its request was complete."""


class Body:
    """What comes in. `secs` is how long it may take, counted only while it is being read."""

    def __init__(self, receive: Receive, *, max_bytes: int, secs: float) -> None:
        self.ended = False
        self.received_bytes = 0
        self._receive = receive
        self._max_bytes = max_bytes
        self._left_secs = secs

    async def read(self) -> bytes:
        """Return what came, waiting for some. Raises `HttpRefusal` and `GoneError`."""
        begun = time.monotonic()
        try:
            async with asyncio.timeout(self._left_secs):
                part = await self._next()
        except TimeoutError:
            raise HttpRefusal(HTTPStatus.REQUEST_TIMEOUT, "the body takes too long") from None
        self._left_secs -= time.monotonic() - begun
        if self.received_bytes > self._max_bytes:
            raise too_long(self._max_bytes, "as sent")
        return part

    async def discard(self) -> None:
        """Read the rest, if there isn't too much of it.

        If the connection was closed with the rest unread, the kernel would reset it, and the
        sender might never see the answer.
        """
        limit_bytes = self.received_bytes + _DISCARD_BYTES
        with contextlib.suppress(TimeoutError, GoneError):
            async with asyncio.timeout(_DISCARD_SECS):
                while not self.ended and self.received_bytes < limit_bytes:
                    await self._next()

    async def _next(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise GoneError
        part: bytes = message["body"]
        self.received_bytes += len(part)
        self.ended = not message["more_body"]
        return part
