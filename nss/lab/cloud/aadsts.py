"""Entra's refusals: the status, the `error` and the text of each AADSTS code, from `aadsts.csv`.

Source: Microsoft's "Microsoft Entra authentication and authorization error codes", and replies
that were published.
"""

import csv
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import JSONResponse


@dataclass(frozen=True, slots=True)
class Refusal:
    """How a code is answered; `text` has places for `{client} {tenant} {resource} {scope}`."""

    status: int
    error: str
    text: str
    discovery_error: str | None = None
    """The `error` of the OIDC discovery document's address, where that refuses it too."""


@dataclass(frozen=True, slots=True)
class Refused:
    """What a request is refused with; `text` is that of the code where it is `None`."""

    code: int
    text: str | None = None


def _refusals() -> dict[int, Refusal]:
    text = files("nss.lab.cloud").joinpath("aadsts.csv").read_text(encoding="utf-8")
    return {
        int(row["code"]): Refusal(
            int(row["status"]), row["error"], row["text"], row["discovery_error"] or None
        )
        for row in csv.DictReader(text.splitlines())
    }


REFUSALS = _refusals()
"""By the number of the code."""


def answer(
    request: Request,
    refused: Refused,
    places: Mapping[str, str],
    *,
    now: float,
    is_discovery: bool = False,
) -> JSONResponse:
    """Return the answer with a code; `places` are what its text names."""
    code, text = refused.code, refused.text
    refusal = REFUSALS[code]
    moment = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    trace = str(uuid.uuid4())
    correlation = request.headers.get("client-request-id") or str(uuid.uuid4())
    text = refusal.text.format_map(_Named(places)) if text is None else text
    error = refusal.error
    if is_discovery and refusal.discovery_error is not None:
        error = refusal.discovery_error
    return JSONResponse(
        {
            "error": error,
            "error_description": f"AADSTS{code}: {text} Trace ID: {trace} "
            f"Correlation ID: {correlation} Timestamp: {moment}",
            "error_codes": [code],
            "timestamp": moment,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": f"{request.url.scheme}://{request.url.netloc}/error?code={code}",
        },
        refusal.status,
    )


class _Named(dict[str, str]):
    """Leaves a placeholder without a value as it is: not every code has every value."""

    def __missing__(self, key: str) -> str:
        return f"{{{key}}}"
