"""What answers of MCAS and of its storage mean when a request fails.

Exact bodies of 401, 403 and 429 are not documented, so nothing here depends on one: the status
decides, and only a known text is shown.
"""

import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import orjson

from nss.mcas import Field, McasError, RequestRefused, Throttled, Unreachable, UploadExpired
from nss.mcas.unreachable import ABOUT_PAGE, from_proxy

NO_DATA_SOURCE = "CONSOLE_DISCOVERY_SETTINGS_PARSE_LOG_TASK_ERROR_NOT_FOUND_INPUT_STREAM"

OTHER_REGION = "Invalid JSON Web Key Set"
"""What hosts without a tenant and a region answer now and then (field notes, 2026)."""

THROTTLED_SECS = 60.0
"""A text says `throttled` and no time."""

MAX_WAIT_SECS = 86_400.0
"""A longer pause than a day is not believed; `[mcas]` limits it further."""

_EXPECTED = re.compile(rb"available in (\d{1,5}) ?s")
_NO_CONTENT = re.compile(r"[^\x20-\x7e]")
_MAX_SHOWN = 120
_SERVER_ERROR = 500
_GONE = {httpx.codes.FORBIDDEN, httpx.codes.NOT_FOUND, httpx.codes.GONE}
_EXPIRED_ON_S3 = "ExpiredToken"
"""With status 400: what the URL was signed with has expired."""

_REFUSALS: Mapping[int, tuple[str, str | None, Field | None]] = {
    httpx.codes.UNAUTHORIZED: (
        "MCAS does not accept the sign-in",
        "see that the API URL is that of the tenant in the Authentication URL",
        "api_url",
    ),
    httpx.codes.FORBIDDEN: (
        "MCAS does not permit it",
        (
            "give the application the permission Discovery.manage of Microsoft Cloud App "
            "Security, with admin consent; if it has that, see that the tenant has a licence for "
            "Defender for Cloud Apps: sudo nss verify-mcas2"
        ),
        "role",
    ),
    httpx.codes.NOT_FOUND: (
        "there is no MCAS API at the API URL",
        "take the API URL from the portal: Settings, Cloud Apps, About",
        "api_url",
    ),
    httpx.codes.REQUEST_ENTITY_TOO_LARGE: (
        "the file is too large for MCAS",
        "set a smaller max_bytes or max_records for the sink",
        None,
    ),
}
"""What is wrong, what to do, and the field to change; redirects count as a wrong API URL."""


def refusal(status: int, headers: Mapping[str, str], body: bytes, place: str) -> McasError:
    """Return what an answer of the API means that `is_refusal`, or has a status of 300 or above."""
    if status == httpx.codes.TOO_MANY_REQUESTS or (
        status == httpx.codes.SERVICE_UNAVAILABLE and b"throttled" in body
    ):
        secs = retry_after_secs(headers, body)
        return Throttled(f"MCAS asks for fewer requests ({place})", "MCAS", retry_after_secs=secs)
    answer = _object(body)
    is_trouble = status >= _SERVER_ERROR or status == httpx.codes.REQUEST_TIMEOUT
    if is_trouble and not is_refusal(answer):
        return Unreachable(f"MCAS has trouble of its own: HTTP {status} ({place})")
    of_proxy = from_proxy("MCAS", status, body, place)
    if of_proxy is not None:
        return of_proxy
    code = _code(answer)
    known = _known_refusal(status, code, place)
    if known is not None:
        return known
    suffix = f", {code}" if code else ""
    sentence, tip, field = _REFUSALS.get(status, (f"MCAS refuses the request{suffix}", None, None))
    if httpx.codes.MULTIPLE_CHOICES <= status < httpx.codes.BAD_REQUEST:
        sentence, tip, field = _REFUSALS[httpx.codes.NOT_FOUND]
    return RequestRefused(
        f"{sentence}: HTTP {status} ({place})", status=status, tip=tip, field=field, code=code
    )


def is_refusal(answer: object) -> bool:
    """Return whether the JSON of an answer says no, whatever its status is."""
    if not isinstance(answer, dict):
        return False
    code = answer.get("errorMessageCode")
    return answer.get("success") is False or (isinstance(code, str) and bool(code))


def is_of_other_region(body: bytes) -> bool:
    """Return whether a 401 is about the host and not about the sign-in, which may be good."""
    return _code(_object(body)) == OTHER_REGION


def _known_refusal(status: int, code: str | None, place: str) -> RequestRefused | None:
    """Return what a refusal means whose code says more than its status."""
    if status == httpx.codes.UNAUTHORIZED and code == OTHER_REGION:
        return RequestRefused(
            "the API URL is not that of the tenant's region, so that MCAS can't check the sign-in: "
            f"HTTP {status}, {code} ({place})",
            tip="use the API URL with tenant and region, as "
            "https://contoso.us3.portal.cloudappsecurity.com, from the portal: Settings, Cloud "
            "Apps, About",
            status=status,
            field="api_url",
            code=code,
        )
    if code is not None and NO_DATA_SOURCE in code:
        return RequestRefused(
            f"MCAS knows no data source of that name ({place})",
            tip='add a data source there, named exactly as data_source in [mcas] ("NSS"), source '
            '"Zscaler QRadar LEEF", receiver type "Syslog - UDP"',
            status=status,
            field="data_source",
            code=NO_DATA_SOURCE,
        )
    return None


def storage_refusal(status: int, headers: Mapping[str, str], body: bytes, place: str) -> McasError:
    """Return what an answer of the storage other than its yes means; its URL is never shown."""
    if status < httpx.codes.BAD_REQUEST:
        return Unreachable(
            f"something on the way answers instead of the storage: HTTP {status} ({place})",
            tip=ABOUT_PAGE,
        )
    of_proxy = from_proxy("the storage", status, body, place)
    if of_proxy is not None:
        return of_proxy
    code = _harmless(headers.get("x-ms-error-code") or _xml_code(body))
    answer = f"HTTP {status}{f', {code}' if code else ''} ({place})"
    if status in {httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE}:
        secs = retry_after_secs(headers, body)
        return Throttled(f"the storage is busy: {answer}", "the storage", retry_after_secs=secs)
    if status >= _SERVER_ERROR or status == httpx.codes.REQUEST_TIMEOUT:
        return Unreachable(f"the storage has trouble of its own: {answer}")
    if status in _GONE or code == _EXPIRED_ON_S3:
        return UploadExpired(f"the upload URL is not valid any more: {answer}", code=code or None)
    return RequestRefused(f"the storage refuses it: {answer}", status=status, code=code or None)


def retry_after_secs(headers: Mapping[str, str], body: bytes = b"") -> float | None:
    """Return how long a service asks to wait: a number, a date, the text of Django REST.

    `None` when nothing is known.
    """
    value = headers.get("retry-after", "").strip().removesuffix("s").strip()
    if value.isascii() and value.isdigit():
        return min(float(value), MAX_WAIT_SECS)
    if value:
        try:
            secs = parsedate_to_datetime(value).timestamp() - time.time()
            return min(max(0.0, secs), MAX_WAIT_SECS)
        except (ValueError, OverflowError):
            pass
    found = _EXPECTED.search(body[:4096])
    if found is not None:
        return min(float(found[1]), MAX_WAIT_SECS)
    return THROTTLED_SECS if b"throttled" in body[:4096] else None


def _object(body: bytes) -> Mapping[str, Any]:
    """Return the JSON object of an answer, an empty object if it is none."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _code(answer: Mapping[str, Any]) -> str | None:
    """Return the error code of an answer, printable and short."""
    for key in ("errorMessageCode", "code", "error", "detail"):
        if isinstance(answer.get(key), str) and answer[key]:
            return _harmless(answer[key])
    return None


def _xml_code(body: bytes) -> str:
    found = re.search(rb"<Code>([A-Za-z0-9]{1,80})</Code>", body[:4096])
    return found[1].decode() if found is not None else ""


def _harmless(text: str) -> str:
    return _NO_CONTENT.sub("?", text)[:_MAX_SHOWN]
