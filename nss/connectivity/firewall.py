"""Tries all places of a configuration at once, each step by step."""

import asyncio
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nss.config.values import Address
from nss.connectivity import Finding, Step, StepFailed
from nss.connectivity.dialing import connect, look_up, route, tunnel
from nss.connectivity.plan import Route, Security
from nss.connectivity.secured import secure, shown_certificate, untrusted

CONCURRENT = 64
"""Places tried at a time."""


async def try_routes(
    routes: Sequence[Route], timeout_secs: float, now: Callable[[], float] = time.time
) -> list[Finding]:
    """Return the result for each place, in the order given; a step may take `timeout_secs`."""
    turns = asyncio.Semaphore(CONCURRENT)

    async def attempt(route: Route) -> Finding:
        async with turns:
            return await _Attempt(route, timeout_secs, now).run()

    return list(await asyncio.gather(*map(attempt, routes)))


@dataclass(frozen=True, slots=True)
class _Attempt:
    route: Route
    timeout_secs: float
    now: Callable[[], float]

    async def run(self) -> Finding:
        steps = list(self.route.known)
        try:
            if self.route.to is not None:
                await self._try(self.route.to, steps)
        except StepFailed as failure:
            steps.append(failure.step)
        return Finding(component=self.route.component, place=self.route.place, steps=tuple(steps))

    async def _try(self, to: Address, steps: list[Step]) -> None:
        if self.route.protocol == "udp":
            found, step = await look_up(to.host, to.port, self.timeout_secs, self.route.role)
            steps.append(step)
            steps.append(route(found))
            return
        if self.route.security is None:
            (await self._open(to, steps)).close()
            return
        await self._secure(to, self.route.security, steps)

    async def _open(self, to: Address, steps: list[Step]) -> socket.socket:
        proxy = self.route.proxy
        first = to if proxy is None else proxy
        role = self.route.role if proxy is None else "proxy"
        found, step = await look_up(first.host, first.port, self.timeout_secs, role)
        steps.append(step)
        connection, step = await connect(found, self.timeout_secs, role)
        steps.append(step)
        try:
            if proxy is not None:
                steps.append(await tunnel(connection, proxy, to.host, to.port, self.timeout_secs))
        except BaseException:
            connection.close()
            raise
        return connection

    async def _secure(self, to: Address, security: Security, steps: list[Step]) -> None:
        connection = await self._open(to, steps)
        try:
            secured = await secure(connection, security.context, security.name, self.timeout_secs)
        except ssl.SSLCertVerificationError as error:
            data = await self._shown(to, security)
            raise untrusted(error, data, security.authorities, security.tip) from None
        try:
            steps.append(secured.step)
            if self.route.has_clock:
                steps.append(await secured.clock(security.name, self.timeout_secs, self.now))
        finally:
            await secured.close()

    async def _shown(self, to: Address, security: Security) -> bytes | None:
        """Return the certificate that was not accepted: the first look does not keep it."""
        try:
            connection = await self._open(to, [])
        except StepFailed:
            return None
        return await shown_certificate(connection, security.name, self.timeout_secs)
