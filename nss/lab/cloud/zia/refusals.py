"""How ZIA says no: statuses, codes and texts, as documented or recorded."""

from collections.abc import Mapping
from typing import Literal

from starlette.responses import JSONResponse, Response

LockForm = Literal["code", "blocked", "blocked_401", "barrier", "barrier_500", "precondition"]
"""How it is said that somebody else is saving; clients of the vendor have met all of them."""

ThrottleForm = Literal["both", "header", "words", "body", "zero", "short", "date"]
"""Where and how 429 says how long to wait; `both` was recorded."""


class Refusal(Exception):  # noqa: N818 - an answer, not an error of the lab
    """Ends a request with an answer; without `body` that has none."""

    def __init__(
        self,
        status: int,
        body: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body
        self.headers = headers

    def answer(self) -> Response:
        """Return the answer."""
        if self.body is None:
            return Response(status_code=self.status, headers=self.headers)
        return JSONResponse(self.body, self.status, self.headers)


def coded(status: int, code: str, message: str) -> Refusal:
    """Return a refusal with a code."""
    return Refusal(status, {"code": code, "message": message})


def bad_body() -> Refusal:
    """Return what a body that is not of the documented form is answered."""
    return Refusal(400, {"message": "Request body is invalid."})


def bad_argument(message: str) -> Refusal:
    """Return what a body of the right form with a wrong value is answered."""
    return coded(400, "INVALID_INPUT_ARGUMENT", message)


def not_found(what: str) -> Refusal:
    """Return what is answered of a thing that there is not."""
    return coded(404, "RESOURCE_NOT_FOUND", f"{what} does not exist")


def unauthorized() -> Refusal:
    """Return what is answered to a token that is not good."""
    return Refusal(401, {"detail": "unauthorized", "status": 401, "title": "Unauthorized"})


def read_only() -> Refusal:
    """Return what a write is answered during an upgrade."""
    message = "The API service is undergoing a scheduled upgrade and is in read-only mode."
    return coded(403, "STATE_READONLY", message)


def locked(form: LockForm) -> Refusal:
    """Return what is answered while another administrator is saving."""
    match form:
        case "code":
            return coded(409, "EDIT_LOCK_NOT_AVAILABLE", "Edit lock is not available")
        case "blocked":
            return Refusal(409, {"message": "Resource Access Blocked"})
        case "blocked_401":
            return Refusal(401, {"message": "Resource Access Blocked"})
        case "barrier":
            return coded(412, "UNEXPECTED_ERROR", "Failed during enter Org barrier")
        case "barrier_500":
            return coded(500, "UNEXPECTED_ERROR", "Failed during enter Org barrier")
        case "precondition":
            return coded(
                412,
                "UNEXPECTED_ERROR",
                "Request processing failed, possibly because an expected precondition was not met",
            )


def usual(status: int) -> Response:
    """Return an answer with a status, with what such an answer says most often."""
    match status:
        case 401:
            refusal = coded(401, "SESSION_NOT_VALID", "Session is not valid")
        case 403:
            refusal = coded(403, "NOT_SUBSCRIBED", "The feature is not subscribed")
        case 409 | 412:
            refusal = locked("code" if status == 409 else "precondition")  # noqa: PLR2004
        case 429:
            refusal = Refusal(429, {"message": "Rate Limit (1/SECOND) exceeded"})
        case _:
            message = "An unexpected error has occurred, please contact Zscaler's support"
            refusal = coded(status, "UNEXPECTED_ERROR", message)
    return JSONResponse(refusal.body, status)
