"""Sign-in with user name, password and API key: a session that a cookie stands for."""

import hmac
import secrets
import string
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from nss.lab.cloud.zia.refusals import Refusal, bad_body, coded

COOKIE = "JSESSIONID"

_KEY_CHARS = 12
_STAMP_DIGITS = 6
_SIGNED_IN = {
    "authType": "ADMIN_LOGIN",
    "obfuscateApiKey": True,
    "passwordExpiryTime": 0,
    "passwordExpiryDays": 0,
}


class Sessions:
    """An administrator's sessions. `ended` is called when one of them is signed out of."""

    def __init__(self, complain: Callable[[str], None], ended: Callable[[], None]) -> None:
        self.username = "nss@example.com"
        self.password = secrets.token_urlsafe(12)
        letters = string.ascii_letters + string.digits
        self.api_key = "".join(secrets.choice(letters) for _ in range(_KEY_CHARS))
        self.idle_secs = 300.0
        """A session that no request used for so long is lost."""
        self.refusal_status = 400
        """Of an answer to a wrong user name, password or key; 401 may be as likely."""
        self.gives_auth_type = True
        """Without it, 200 means that there is no session."""
        self.is_one_identity = False
        """Whether the organisation has moved to ZIdentity, which ends this kind of sign-in."""
        self.loss_form: Literal["code", "text"] = "code"
        """How it is said that a session is not valid."""
        self.logout_status: Literal[200, 204] = 200
        """200 is documented, 204 is what the vendor's client expects."""
        self._complain = complain
        self._ended = ended
        self._used_at: dict[str, float] = {}

    @property
    def open_count(self) -> int:
        """How many sessions there are."""
        now = time.monotonic()
        return sum(now - at < self.idle_secs for at in list(self._used_at.values()))

    def lose(self) -> None:
        """End all sessions without a word to their clients."""
        self._used_at.clear()

    def sign_in(self, fields: Mapping[str, Any]) -> Response:
        """Return the answer to a sign-in. Raises `Refusal`."""
        if self.is_one_identity:
            message = "Not allowed for one identity enabled tenants"
            raise coded(403, "INVALID_OPERATION", message)
        given = [fields.get(name) for name in ("username", "password", "apiKey")]
        stamp = fields.get("timestamp")
        if not all(isinstance(value, str) for value in given) or not _is_stamp(stamp):
            self._complain("authenticatedSession lacks a field, or its time is not milliseconds")
            raise bad_body()
        right = (self.username, self.password, obfuscated(self.api_key, str(stamp)))
        pairs = zip(given, right, strict=True)
        if not all(hmac.compare_digest(str(a).encode(), b.encode()) for a, b in pairs):
            raise coded(self.refusal_status, "AUTHENTICATION_FAILED", "AUTHENTICATION_FAILED")
        return JSONResponse(
            _SIGNED_IN if self.gives_auth_type else {"obfuscateApiKey": True},
            headers={"set-cookie": f"{COOKIE}={self._begin()}; Path=/; Secure; HttpOnly"},
        )

    def check(self, request: Request) -> None:
        """Note that a request's session is in use. Raises `Refusal` if there is none."""
        session = request.cookies.get(COOKIE, "")
        used_at = self._used_at.get(session)
        now = time.monotonic()
        if used_at is None or now - used_at >= self.idle_secs:
            self._used_at.pop(session, None)
            raise self._lost()
        self._used_at[session] = now

    def show(self, request: Request) -> Response:
        """Return the answer to the question whether there is a session. Raises `Refusal`."""
        self.check(request)
        return JSONResponse(_SIGNED_IN)

    def sign_out(self, request: Request) -> Response:
        """Return the answer to the end of a session. Raises `Refusal`."""
        self.check(request)
        del self._used_at[request.cookies[COOKIE]]
        self._ended()
        if self.logout_status == 200:  # noqa: PLR2004 - the documented one
            return JSONResponse({"status": "ACTIVE"})
        return Response(status_code=self.logout_status)

    def _begin(self) -> str:
        session = secrets.token_hex(16).upper()
        self._used_at[session] = time.monotonic()
        return session

    def _lost(self) -> Refusal:
        if self.loss_form == "text":
            return Refusal(401, {"message": "getAttribute: Session already invalidated"})
        return coded(401, "SESSION_NOT_VALID", "Session is not valid")


def obfuscated(api_key: str, stamp: str) -> str:
    """Return a key as it has to be sent with a time, milliseconds since the epoch as text."""
    last = stamp[-_STAMP_DIGITS:]
    half = str(int(last) // 2).zfill(_STAMP_DIGITS)
    return "".join([api_key[int(digit)] for digit in last]) + "".join(
        [api_key[int(digit) + 2] for digit in half]
    )


def _is_stamp(stamp: object) -> bool:
    text = str(stamp) if isinstance(stamp, str | int) and not isinstance(stamp, bool) else ""
    return text.isascii() and text.isdecimal() and len(text) > _STAMP_DIGITS
