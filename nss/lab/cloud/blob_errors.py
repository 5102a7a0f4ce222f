"""The errors of Azure Storage, as XML.

Source: Microsoft's "Blob Storage error codes" and "Common REST API error codes".
"""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import Response

VERSION = "2018-03-28"
"""The version of the service that upload URLs are signed for."""

_SERVER = "Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0"
_MAX_CLIENT_ID_CHARS = 1024
_BOM = "\ufeff"  # the service begins its XML with one

_ERRORS: Mapping[str, tuple[int, str]] = {
    "AuthenticationFailed": (
        403,
        (
            "Server failed to authenticate the request. Make sure the value of Authorization "
            "header is formed correctly including the signature."
        ),
    ),
    "AuthorizationPermissionMismatch": (
        403,
        "This request is not authorized to perform this operation using this permission.",
    ),
    "BlobAlreadyExists": (409, "The specified blob already exists."),
    "BlobNotFound": (404, "The specified blob does not exist."),
    "ConditionNotMet": (
        412,
        "The condition specified using HTTP conditional header(s) is not met.",
    ),
    "InternalError": (
        500,
        "The server encountered an internal error. Please retry the request.",
    ),
    "InvalidAuthenticationInfo": (
        400,
        (
            "Authentication information is not given in the correct format. Check the value of "
            "Authorization header."
        ),
    ),
    "InvalidBlobOrBlock": (400, "The specified blob or block content is invalid."),
    "InvalidBlockList": (400, "The specified block list is invalid."),
    "InvalidHeaderValue": (
        400,
        "The value for one of the HTTP headers is not in the correct format.",
    ),
    "InvalidMd5": (
        400,
        (
            "The MD5 value specified in the request is invalid. MD5 value must be 128 bits and "
            "base64 encoded."
        ),
    ),
    "InvalidQueryParameterValue": (
        400,
        "Value for one of the query parameters specified in the request URI is invalid.",
    ),
    "InvalidXmlDocument": (400, "XML specified is not syntactically valid."),
    "Md5Mismatch": (
        400,
        (
            "The MD5 value specified in the request did not match with the MD5 value calculated "
            "by the server."
        ),
    ),
    "MissingContentLengthHeader": (411, "Content-Length HTTP header is missing"),
    "MissingRequiredHeader": (
        400,
        "An HTTP header that's mandatory for this request is not specified.",
    ),
    "OperationTimedOut": (
        500,
        "The operation could not be completed within the permitted time.",
    ),
    "RequestBodyTooLarge": (
        413,
        "The request body is too large and exceeds the maximum permissible limit.",
    ),
    "ServerBusy": (503, "The server is busy."),
    "UnsupportedHttpVerb": (405, "The resource doesn't support specified Http Verb."),
}
"""Status and message by the code."""


class BlobError(Exception):
    """A request is refused with a code of the storage; `facts` are further elements, by name."""

    def __init__(self, code: str, **facts: str) -> None:
        super().__init__(code)
        self.code = code
        self.facts = facts


def code_of(status: int) -> str:
    """Return a code that goes with a status, for a fault of the service."""
    codes = {403: "AuthenticationFailed", 500: "InternalError", 503: "ServerBusy"}
    return codes.get(status, "OperationTimedOut")


def headers(request: Request) -> dict[str, str]:
    """Return what every answer has."""
    found = {
        "server": _SERVER,
        "x-ms-request-id": str(uuid.uuid4()),
        "x-ms-version": request.headers.get("x-ms-version", VERSION),
    }
    client_id = request.headers.get("x-ms-client-request-id")
    if client_id is not None and len(client_id) <= _MAX_CLIENT_ID_CHARS:
        found["x-ms-client-request-id"] = client_id
    return found


async def answer(request: Request, error: Exception) -> Response:
    """Answer a `BlobError`; a HEAD has its code in a header alone."""
    if not isinstance(error, BlobError):
        raise error
    return refusal(request, error, _ERRORS[error.code][0])


def refusal(request: Request, error: BlobError, status: int) -> Response:
    """Return the answer with an error, and with a status that may be another than the usual one."""
    message = _ERRORS[error.code][1]
    given = headers(request) | {"x-ms-error-code": error.code}
    if request.method == "HEAD":
        return Response(status_code=status, headers=given)
    moment = datetime.now(UTC).isoformat().replace("+00:00", "0Z")
    facts = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in error.facts.items())
    text = (
        f'{_BOM}<?xml version="1.0" encoding="utf-8"?><Error><Code>{error.code}</Code><Message>'
        f"{escape(message)}\nRequestId:{given['x-ms-request-id']}\nTime:{moment}</Message>{facts}"
        "</Error>"
    )
    return Response(text, status, given, "application/xml")
