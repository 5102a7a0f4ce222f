"""How many requests ZIA takes: so many a second and so many an hour, for each endpoint."""

import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate

from nss.lab.cloud.zia.refusals import Refusal, ThrottleForm

# Clients keep to a window by their own clocks, and requests arrive with delays that differ.
_LENIENCE = 0.95


@dataclass(frozen=True, slots=True)
class Rate:
    """The most requests that an endpoint takes."""

    per_second: int
    per_hour: int


REAL_RATES: Mapping[str, Rate] = {
    "GET": Rate(2, 1000),
    "POST": Rate(1, 400),
    "PUT": Rate(1, 400),
    "DELETE": Rate(1, 400),
    "POST /authenticatedSession": Rate(2, 1000),
    "DELETE /authenticatedSession": Rate(2, 1000),
}
"""As documented for URL categories, activation and sessions: by method, and where that differs."""


class Limits:
    """Counts requests of each endpoint; without `rates`, as at first, there is no limit.

    `clock` is what the server takes for the time, for a date to wait for.
    """

    def __init__(self, complain: Callable[[str], None], clock: Callable[[], float]) -> None:
        self.rates: Mapping[str, Rate] = {}
        """By `METHOD /path` or by method; a request that is not in it has no limit."""
        self.window_secs = {"SECOND": 1.0, "HOUR": 3600.0}
        """How long a second and an hour are."""
        self.form: ThrottleForm = "both"
        self._complain = complain
        self._clock = clock
        self._taken: dict[tuple[str, str], deque[float]] = {}

    def take(self, method: str, endpoint: str) -> None:
        """Count a request. Raises `Refusal` beyond the limit."""
        rate = self.rates.get(f"{method} {endpoint}") or self.rates.get(method)
        if rate is None:
            return
        now = time.monotonic()
        taken = self._taken.setdefault((method, endpoint), deque())
        for name, most in (("SECOND", rate.per_second), ("HOUR", rate.per_hour)):
            secs = self.window_secs[name]
            since = now - secs * _LENIENCE
            recent = sum(1 for at in taken if at > since)
            if recent < most:
                continue
            self._complain(f"more than {most} {method} {endpoint} per {name.lower()}")
            raise self._throttled(f"{most}/{name}", taken[-most] + secs - now)
        taken.append(now)
        while len(taken) > rate.per_hour:
            taken.popleft()

    def _throttled(self, limit: str, wait_secs: float) -> Refusal:
        secs = max(1, math.ceil(wait_secs))
        message: dict[str, object] = {"message": f"Rate Limit ({limit}) exceeded"}
        moment = formatdate(math.ceil(self._clock()) + secs, usegmt=True)
        header, said = {
            "both": (str(secs), f"{secs} seconds"),
            "header": (str(secs), None),
            "words": (f"{secs} seconds", None),
            "body": (None, f"{secs} seconds"),
            "zero": (None, "0 seconds"),
            "short": (f"{secs}s", None),
            "date": (moment, None),
        }[self.form]
        body = message if said is None else message | {"Retry-After": said}
        headers = {} if header is None else {"retry-after": header}
        return Refusal(429, None if self.form == "header" else body, headers)
