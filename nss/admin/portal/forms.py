"""Forms as browsers send them: bounded in size, fields and time."""

import asyncio
from collections.abc import Iterator, Mapping
from urllib.parse import unquote_to_bytes

from starlette.requests import Request

from nss.errors import UsageError

MAX_BYTES = 4 << 20
"""Of a body: a format string with sample records, or a whole configuration file, fits."""

MAX_SMALL_BYTES = 16 << 10
"""Of a body that anybody may send: nobody has signed in yet."""

MAX_FIELDS = 256

THREAD_BYTES = 64 << 10
"""A larger body is decoded in a thread: a megabyte takes a tenth of a second."""

READ_SECS = 30.0
"""How long a browser may take to send one."""

PIECE_CHARS = 16 << 10
"""So much is decoded at once."""

_KIND = "application/x-www-form-urlencoded"


class Form(Mapping[str, str]):
    """The fields of a form, the last of each name; one that is absent reads as empty."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._pairs = pairs
        self._last = dict(pairs)

    def __getitem__(self, name: str) -> str:
        return self._last.get(name, "")

    def __contains__(self, name: object) -> bool:
        return name in self._last

    def __iter__(self) -> Iterator[str]:
        return iter(self._last)

    def __len__(self) -> int:
        return len(self._last)

    def all(self, name: str) -> list[str]:
        """Return all values of a name, in their order."""
        return [value for found, value in self._pairs if found == name]


async def form_of(
    request: Request, *, max_bytes: int = MAX_BYTES, within_secs: float = READ_SECS
) -> Form:
    """Return the form that a request has as its body. Raises `UsageError` for anything else."""
    found = request.scope["state"].get("form")
    if not isinstance(found, Form):
        found = request.scope["state"]["form"] = await _read(request, max_bytes, within_secs)
    return found


async def _read(request: Request, max_bytes: int, within_secs: float) -> Form:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _KIND:
        raise UsageError("the request is no form")
    body = bytearray()
    try:
        async with asyncio.timeout(within_secs):
            async for chunk in request.stream():
                body += chunk
                if len(body) > max_bytes:
                    raise UsageError(f"the form is larger than {max_bytes:,} bytes")
    except TimeoutError:
        raise UsageError(f"the form did not arrive within {within_secs:.0f} s") from None
    if len(body) > THREAD_BYTES:
        return await asyncio.to_thread(_decoded, body)
    return _decoded(body)


def _decoded(body: bytearray) -> Form:
    try:
        text = body.decode("ascii").replace("+", " ")
    except ValueError:
        raise UsageError("the form can't be read") from None
    if text.count("&") >= MAX_FIELDS:
        raise UsageError("the form can't be read")
    pairs = [field.partition("=") for field in text.split("&") if field]
    return Form(
        [(unquoted(name), unquoted(value).replace("\r\n", "\n")) for name, _, value in pairs]
    )


def unquoted(text: str) -> str:
    """Return a text of ASCII without its escapes, which are decoded piece by piece.

    All at once, a few megabytes of them would keep other threads waiting for the interpreter.
    """
    found, begin = bytearray(), 0
    while begin < len(text):
        end = begin + PIECE_CHARS
        escape = text.rfind("%", end - 2, end)
        end = end if escape < 0 else escape  # pieces end between escapes
        found += unquote_to_bytes(text[begin:end])
        begin = end
    return found.decode("utf-8", "replace")
