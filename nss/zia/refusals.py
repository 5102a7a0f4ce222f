"""What answers of ZIA mean when a request fails.

The code in the body decides where there is one, then known texts, then the status. Only codes and
short, printable texts are shown. Recorded answers and the vendor's clients are the source of both.
"""

import contextlib
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import httpx
import orjson

from nss.zia import Busy, Field, QuotaExceeded, RequestRefused, SignInRefused, Unreachable, ZiaError

MIN_WAIT_SECS = 1.0
"""ZIA also says "0 seconds", and means the next second."""

MAX_WAIT_SECS = 3600.0

READ_ONLY = "read-only"

_SERVER_ERROR = 500
_MAX_SHOWN = 200
_NO_CONTENT = re.compile(r"[^\x20-\x7e]")
_SECS = re.compile(r"\s*(\d{1,6})(?:\.\d+)?\s*(?:s|sec|second|seconds)?\s*", re.IGNORECASE)
_QUOTA = re.compile(
    r"maximum of \d+ custom URLs|custom URLs?.{0,40}(?:limit|exceed)", re.IGNORECASE
)

_LATER = {"EDIT_LOCK_NOT_AVAILABLE", "STATE_READONLY"}
_LATER_TEXTS = ("resource access blocked", "failed during enter org barrier")
_NO_SESSION = ("SESSION_NOT_VALID", "session already invalidated")
_ROLE_TIP = (
    "give the API role of this account read and write access to URL categories (Policy, and "
    "activation) in the admin portal"
)


class Known(NamedTuple):
    """What a code means that nobody can wait for."""

    sentence: str
    tip: str | None = None
    field: Field | None = None


_FINAL: Mapping[str, Known] = {
    "NOT_SUBSCRIBED": Known(
        "the organisation's subscription does not include this", "ask Zscaler for the licence"
    ),
    "SCOPE_LIMITED": Known("the administrator's scope does not include this", _ROLE_TIP, "role"),
    "INVALID_OPERATION": Known(
        "ZIA does not allow this for this kind of account",
        "sign in with a OneAPI client: organisations with ZIdentity may refuse the API key",
    ),
    "DUPLICATE_ITEM": Known("something of that name is there already"),
}


def refusal(status: int, headers: Mapping[str, str], body: bytes, place: str) -> ZiaError:
    """Return what an answer with a status of 300 or above means."""
    code, text = _said(body)
    where = f"HTTP {status}{f', {code}' if code else ''} ({place})"
    facts: dict[str, Any] = {"status": status, "code": code or None}
    lower = text.lower()
    if status == httpx.codes.TOO_MANY_REQUESTS:
        return Busy(
            f"ZIA asks for fewer requests: {where}",
            retry_after_secs=retry_after_secs(headers, body),
            **facts,
        )
    if code == "LIMIT_EXCEEDED" or _QUOTA.search(text):
        return QuotaExceeded(
            f"ZIA takes no more URLs{f': {text}' if text else ''}: {where}",
            tip="remove custom URLs that are not needed, or ask Zscaler for a larger quota",
            **facts,
        )
    if code in _LATER or any(known in lower for known in _LATER_TEXTS):
        what = "is in maintenance" if code == "STATE_READONLY" else "is being changed by another"
        secs = retry_after_secs(headers, body) if "retry-after" in headers else None
        return Busy(f"ZIA {what}: {where}", retry_after_secs=secs, **facts)
    if status == httpx.codes.UNAUTHORIZED or code == _NO_SESSION[0] or _NO_SESSION[1] in lower:
        return SignInRefused(
            f"ZIA does not accept the sign-in: {where}",
            tip="run sudo nss configure-zia: it tests what is stored, and asks for what is wrong",
            **facts,
        )
    if status >= _SERVER_ERROR or status == httpx.codes.REQUEST_TIMEOUT:
        return Unreachable(f"ZIA has trouble of its own: {where}", **facts)
    return _final(status, headers, text, where, facts)


def _final(
    status: int, headers: Mapping[str, str], text: str, where: str, facts: dict[str, Any]
) -> ZiaError:
    if status == httpx.codes.FORBIDDEN and headers.get("x-zscaler-mode", "").lower() == READ_ONLY:
        return Busy(f"ZIA is in maintenance: {where}", **facts)
    known = _FINAL.get(facts["code"] or "")
    if known is None and status == httpx.codes.FORBIDDEN:
        known = Known("ZIA does not permit it", _ROLE_TIP, "role")
    if known is None and (status < httpx.codes.BAD_REQUEST or status == httpx.codes.NOT_FOUND):
        tip = "see the cloud's name: sudo nss configure-zia asks for it"
        known = Known("there is no such thing at the API's address", tip, "api_url")
    if known is None:
        known = Known(f"ZIA refuses the request{f': {text}' if text else ''}")
    return RequestRefused(f"{known.sentence}: {where}", tip=known.tip, field=known.field, **facts)


def retry_after_secs(headers: Mapping[str, str], body: bytes = b"") -> float:
    """Return how long to wait: `13`, `13s`, `0 seconds`, a date; from the header or the body."""
    found: Any = None
    with contextlib.suppress(orjson.JSONDecodeError):
        found = orjson.loads(body) if body else None
    said = found.get("Retry-After") if isinstance(found, dict) else None
    for value in (headers.get("retry-after"), said, headers.get("x-ratelimit-reset")):
        secs = _secs(value)
        if secs is not None:
            return min(max(secs, MIN_WAIT_SECS), MAX_WAIT_SECS)
    return MIN_WAIT_SECS


def _secs(value: object) -> float | None:
    if isinstance(value, int | float):
        return float(value)
    if not isinstance(value, str) or not value.isascii():
        return None
    found = _SECS.fullmatch(value)
    if found is not None:
        return float(found[1])
    try:
        return parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, OverflowError):
        return None


def _said(body: bytes) -> tuple[str, str]:
    """Return the code and the text of an answer, printable and short; empty if there are none."""
    try:
        found: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        is_page = body.lstrip()[:1] == b"<"
        return "", "" if is_page else _harmless(body[:_MAX_SHOWN].decode("utf-8", "replace"))
    if not isinstance(found, dict):
        return "", _harmless(found) if isinstance(found, str) else ""
    code = found.get("code")
    text = next((found[key] for key in ("message", "detail", "error") if key in found), "")
    return (
        _harmless(code) if isinstance(code, str) else "",
        _harmless(text) if isinstance(text, str) else "",
    )


def _harmless(text: str) -> str:
    return _NO_CONTENT.sub("?", text)[:_MAX_SHOWN].strip()
