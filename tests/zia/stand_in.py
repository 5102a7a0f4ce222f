"""A small ZIA behind httpx's own transport, for what the client does with answers."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import httpx

from nss.https.network import Network
from nss.secret import Secret
from nss.zia.api import Pace, ZiaApi
from nss.zia.patience import Patience

PLACE = "https://zsapi.zscaler.net"
API_URL = f"{PLACE}/api/v1"

Answer = httpx.Response | Exception
Handler = Callable[[httpx.Request], Answer]


@dataclass
class Wire:
    """A network whose requests a function answers."""

    handler: Handler
    requests: list[httpx.Request] = field(default_factory=list)
    timeout_secs: float = 5.0

    proxy_place: str | None = None

    def client(self) -> httpx.AsyncClient:
        async def answer(request: httpx.Request) -> httpx.Response:
            await request.aread()
            self.requests.append(request)
            found = self.handler(request)
            if isinstance(found, Exception):
                raise found
            return found

        return httpx.AsyncClient(transport=httpx.MockTransport(answer))

    def network(self) -> Network:
        return cast("Network", self)

    @property
    def calls(self) -> list[str]:
        """Method, path and query of each request."""
        return [f"{r.method} {r.url.raw_path.decode()}" for r in self.requests]


@dataclass
class Clock:
    """Time that passes only while somebody sleeps."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    async def sleep(self, secs: float) -> None:
        self.slept.append(secs)
        self.now += secs

    def patience(self) -> Patience:
        return Patience(clock=self, sleep=self.sleep, chance=lambda: 0.0)


@dataclass
class Ticket:
    """An authorization that counts."""

    refusals: int = 0
    closed: bool = False

    async def headers(self) -> dict[str, Secret]:
        return {"authorization": Secret(f"Bearer {self.refusals}")}

    def refused(self) -> None:
        self.refusals += 1

    async def close(self) -> None:
        self.closed = True


class FreePace(Pace):
    """No limits: tests of limits have their own."""

    async def turn(self, *, is_read: bool) -> None:
        pass


def api_of(wire: Wire, clock: Clock, ticket: Ticket | None = None) -> ZiaApi:
    return ZiaApi(
        API_URL, ticket or Ticket(), wire.network(), FreePace(), patience=clock.patience()
    )
