"""The errors of S3, as XML."""

import secrets
from collections.abc import Mapping
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import Response

_ERRORS: Mapping[str, tuple[int, str]] = {
    "AccessDenied": (403, "Access Denied"),
    "BadDigest": (400, "The Content-MD5 you specified did not match what we received."),
    "EntityTooLarge": (400, "Your proposed upload exceeds the maximum allowed size"),
    "InternalError": (500, "We encountered an internal error. Please try again."),
    "InvalidArgument": (
        400,
        (
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, "
            "Signature query string parameter or the Authorization header should be specified"
        ),
    ),
    "InvalidDigest": (400, "The Content-MD5 you specified was invalid."),
    "MissingContentLength": (411, "You must provide the Content-Length HTTP header."),
    "NotImplemented": (
        501,
        "A header you provided implies functionality that is not implemented",
    ),
    "PreconditionFailed": (412, "At least one of the pre-conditions you specified did not hold"),
    "RequestTimeout": (
        400,
        (
            "Your socket connection to the server was not read from or written to within the "
            "timeout period."
        ),
    ),
    "SignatureDoesNotMatch": (
        403,
        (
            "The request signature we calculated does not match the signature you provided. "
            "Check your key and signing method."
        ),
    ),
    "SlowDown": (503, "Please reduce your request rate."),
}
"""Status and message by the code."""


class BucketError(Exception):
    """A request is refused with a code of S3; `facts` are further elements of the answer."""

    def __init__(self, code: str, message: str = "", **facts: str) -> None:
        super().__init__(code)
        self.code = code
        self.message = message
        self.facts = facts


def code_of(status: int) -> str:
    """Return a code that goes with a status, for a fault of the service."""
    codes = {400: "RequestTimeout", 403: "AccessDenied", 503: "SlowDown"}
    return codes.get(status, "InternalError")


def headers() -> dict[str, str]:
    """Return what every answer has."""
    return {
        "server": "AmazonS3",
        "x-amz-request-id": secrets.token_hex(8).upper(),
        "x-amz-id-2": secrets.token_urlsafe(56),
    }


async def answer(_request: Request, error: Exception) -> Response:
    """Answer a `BucketError`."""
    if not isinstance(error, BucketError):
        raise error
    return refusal(error, _ERRORS[error.code][0])


def refusal(error: BucketError, status: int) -> Response:
    """Return the answer with an error, and with a status that may be another than the usual one."""
    message = _ERRORS[error.code][1]
    given = headers()
    elements = {"Code": error.code, "Message": error.message or message}
    elements |= {name.replace("_", "-"): value for name, value in error.facts.items()}
    elements |= {"RequestId": given["x-amz-request-id"], "HostId": given["x-amz-id-2"]}
    text = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in elements.items())
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{text}</Error>'
    return Response(text, status, given, "application/xml")
