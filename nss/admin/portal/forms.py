"""Forms as browsers send them: bounded in size, fields and time."""

import asyncio
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request

from nss.errors import UsageError

MAX_BYTES = 4 << 20
"""Of a body: a format string with sample records, or a whole configuration file, fits."""

MAX_FIELDS = 256

THREAD_BYTES = 64 << 10
"""A larger body is decoded in a thread: a megabyte takes a tenth of a second."""

READ_SECS = 30.0
"""How long a browser may take to send one."""

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


async def form_of(request: Request, *, within_secs: float = READ_SECS) -> Form:
    """Return the form that a request has as its body. Raises `UsageError` for anything else."""
    found = request.scope["state"].get("form")
    if not isinstance(found, Form):
        found = request.scope["state"]["form"] = await _read(request, within_secs)
    return found


async def _read(request: Request, within_secs: float) -> Form:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _KIND:
        raise UsageError("the request is no form")
    body = bytearray()
    try:
        async with asyncio.timeout(within_secs):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BYTES:
                    raise UsageError(f"the form is larger than {MAX_BYTES:,} bytes")
    except TimeoutError:
        raise UsageError(f"the form did not arrive within {within_secs:.0f} s") from None
    if len(body) > THREAD_BYTES:
        return await asyncio.to_thread(_decoded, body)
    return _decoded(body)


def _decoded(body: bytearray) -> Form:
    try:
        text = body.decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="replace")
    except ValueError:
        raise UsageError("the form can't be read") from None
    return Form([(name, value.replace("\r\n", "\n")) for name, value in pairs])
