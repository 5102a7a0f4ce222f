"""Bodies of small requests."""

from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

MAX_BYTES = 1 << 20


async def small_body(request: Request, max_bytes: int = MAX_BYTES) -> bytes:
    """Return a request's body; a longer one than `max_bytes` is answered with 413."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > max_bytes:
            raise HTTPException(413)
    return bytes(body)


async def form(request: Request) -> dict[str, str]:
    """Return the fields of a form, `application/x-www-form-urlencoded`."""
    body = await small_body(request)
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


async def json_object(request: Request) -> dict[str, Any]:
    """Return the object of a JSON body; any other body is answered with 400."""
    try:
        found = orjson.loads(await small_body(request))
    except orjson.JSONDecodeError:
        raise HTTPException(400, "JSON parse error") from None
    if not isinstance(found, dict):
        raise HTTPException(400, "Invalid data. Expected a dictionary.")
    return found


async def json_error(_request: Request, error: Exception) -> JSONResponse:
    """Answer an `HTTPException` as Django REST does."""
    if not isinstance(error, HTTPException):
        raise error
    return JSONResponse({"detail": error.detail}, error.status_code, error.headers)
