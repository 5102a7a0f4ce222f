"""How far this machine's clock is from those of servers that we ask, by the dates they state."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import requests


@dataclass(frozen=True, slots=True)
class Skew:
    """What one answer says."""

    secs: float
    """By how much our clock is ahead; a date has whole seconds."""
    host: str
    at: float
    """When it came, seconds since the epoch by our clock."""


class ServerDates:
    """Remembers the last answer with a date. Answers come over TLS that was verified."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.last: Skew | None = None
        self._now = now

    def note(self, host: str, headers: Mapping[str, str]) -> None:
        """Take note of the head of an answer; one that a cache kept has the date of then."""
        if "age" in headers:
            return
        try:
            date = parsedate_to_datetime(headers.get("date", "")).timestamp()
        except (ValueError, OverflowError):
            return
        now = self._now()
        self.last = Skew(now - date, host, now)

    async def of_httpx(self, response: httpx.Response) -> None:
        """Take note of an answer; a hook of httpx."""
        self.note(response.request.url.host, response.headers)

    def of_requests(self, response: requests.Response, **_options: Any) -> None:  # noqa: ANN401 - requests' own
        """Take note of an answer; a hook of requests."""
        self.note(httpx.URL(response.url).host, response.headers)


server_dates = ServerDates()
"""What all clients of the process see."""
