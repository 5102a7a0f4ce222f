"""Rate, lag and pending over time, as JSON for graphs.

    {"at": [1790000000, ...],
     "series": [{"name": "rate", "unit": "records/s", "values": [1.5, null, ...]}, ...]}

What was known and then not is `null`.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import orjson
from starlette.requests import Request
from starlette.responses import Response

from nss.admin.operations import Operations
from nss.errors import UsageError
from nss.status.history import LAG, PENDING, RATE, Span

KEPT_SECS = 2.0
"""How long an answer is good for whoever asks next; points are 5 s or more apart."""

NUMBERS: Mapping[str, tuple[str, str, str]] = {
    "rate": (RATE, "rate", "records/s"),
    "lag": (LAG, "lag", "s"),
    "pending": (PENDING, "pending", "records"),
}
"""By the name in the address: the name in the history, that in the graph, and the unit."""

SPANS: Mapping[Span, str] = {"15m": "15 minutes", "24h": "24 hours"}
REFRESH_SECS: Mapping[Span, int] = {"15m": 5, "24h": 60}

_DECIMALS = 2


@dataclass(frozen=True, slots=True)
class _Answer:
    at: float
    data: bytes


class SeriesData:
    """Answers for graphs, encoded once for all who look at the same. Names must be checked."""

    def __init__(
        self, operations: Operations, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._operations = operations
        self._clock = clock
        self._answers: dict[tuple[str, ...], _Answer] = {}

    def answer(self, component: str, span: Span, number: str) -> bytes:
        """Return the JSON of a part; `number` is one of `NUMBERS`, or empty for all it has."""
        now = self._clock()
        key = (component, span, number)
        found = self._answers.get(key)
        if found is None or now - found.at >= KEPT_SECS:
            found = _Answer(now, self._encoded(component, span, number))
            fresh = [item for item in self._answers.items() if now - item[1].at < KEPT_SECS]
            self._answers = {**dict(fresh), key: found}
        return found.data

    def _encoded(self, component: str, span: Span, number: str) -> bytes:
        found = self._operations.series(component, span)
        chosen = [NUMBERS[number]] if number else list(NUMBERS.values())
        series = [
            {"name": name, "unit": unit, "values": _rounded(found.values[key])}
            for key, name, unit in chosen
            if key in found.values
        ]
        return orjson.dumps({"at": found.at, "series": series})


def series_response(data: SeriesData, request: Request, component: str) -> Response:
    """Return what a request asks for, by `span` and `number`. Raises `UsageError`."""
    number = request.query_params.get("number", "")
    if number and number not in NUMBERS:
        raise UsageError(f"number {number!r}: must be one of {', '.join(NUMBERS)}")
    answer = data.answer(component, span_of(request), number)
    return Response(answer, media_type="application/json")


def span_of(request: Request) -> Span:
    """Return the span in the address; 15 minutes where none is. Raises `UsageError`."""
    asked = request.query_params.get("span") or "15m"
    for span in SPANS:
        if asked == span:
            return span
    raise UsageError(f"span {asked!r}: must be one of {', '.join(SPANS)}")


def _rounded(values: list[float | None]) -> list[float | None]:
    return [None if value is None else round(value, _DECIMALS) for value in values]
