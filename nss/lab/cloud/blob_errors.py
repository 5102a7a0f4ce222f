"""The errors of Azure Storage, as XML."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import Response

_ERRORS: Mapping[str, tuple[int, str]] = {
    "AuthenticationFailed": (
        403,
        (
            "Server failed to authenticate the request. Make sure the value of Authorization "
            "header is formed correctly including the signature."
        ),
    ),
    "InvalidBlockList": (400, "The specified block list is invalid."),
    "InvalidQueryParameterValue": (
        400,
        "Value for one of the query parameters specified in the request URI is invalid.",
    ),
    "MissingContentLengthHeader": (411, "Content-Length HTTP header is missing"),
    "MissingRequiredHeader": (
        400,
        "An HTTP header that's mandatory for this request is not specified.",
    ),
    "RequestBodyTooLarge": (
        413,
        "The request body is too large and exceeds the maximum permissible limit.",
    ),
}
"""Status and message by the code."""


class BlobError(Exception):
    """A request is refused with a code of the storage; `detail` is sent where there is one."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail


async def answer(_request: Request, error: Exception) -> Response:
    """Answer a `BlobError`."""
    if not isinstance(error, BlobError):
        raise error
    status, message = _ERRORS[error.code]
    request_id = uuid.uuid4()
    moment = datetime.now(UTC).isoformat().replace("+00:00", "0Z")
    detail = (
        f"<AuthenticationErrorDetail>{escape(error.detail)}</AuthenticationErrorDetail>"
        if error.detail
        else ""
    )
    text = (
        f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{error.code}</Code><Message>'
        f"{escape(message)}\nRequestId:{request_id}\nTime:{moment}</Message>{detail}</Error>"
    )
    return Response(
        text,
        status,
        {"x-ms-error-code": error.code, "x-ms-request-id": str(request_id)},
        "application/xml",
    )
