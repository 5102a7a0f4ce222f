"""Credentials that are replaced, and again, while something is asked with the first ones."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from nss.https.limiter import Limiter
from nss.https.network import Network
from nss.lab.cloud import CloudLab, Fault
from nss.mcas import Unreachable
from nss.mcas.credentials import CredentialsStore, McasCredentials
from nss.mcas.session import McasSession
from nss.secret import Secret


class Desk:
    """A session with the lab, and its credentials."""

    def __init__(self, lab: CloudLab, store: CredentialsStore) -> None:
        self.lab = lab
        self.limiter = Limiter(1000)
        self.session = McasSession(store, Network(lab.ca_file, timeout_secs=20), self.limiter)
        self._store = store
        self._stored = McasCredentials(
            method="secret",
            client_id=lab.client_id,
            client_secret=Secret(lab.client_secret),
            authentication_url=lab.authentication_url,
            api_url=lab.api_url,
        )

    async def replaced(self, times: int) -> None:
        """Store credentials anew, each time noticed by somebody who uses the session."""
        for number in range(times):
            self._stored = replace(self._stored, tested_at=(self._stored.tested_at or 0) + number)
            self._store.save(self._stored)
            await self.session.api()


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    (tmp_path / "lab").mkdir()
    with CloudLab(tmp_path / "lab", requests_per_minute=10_000) as lab:
        found = Desk(lab, CredentialsStore(tmp_path, {}))
        await found.replaced(1)
        yield found
        await found.session.close()


async def test_an_answer_under_way_is_not_broken_off(desk: Desk) -> None:
    desk.lab.faults.add(Fault("mcas", "streams", "latency", secs=1))
    asked = asyncio.create_task((await desk.session.api()).streams())
    while desk.lab.faults.active:  # noqa: ASYNC110 - the lab runs in another thread
        await asyncio.sleep(0.01)
    await desk.replaced(4)
    assert [stream.name for stream in await asked] == ["NSS"]


async def test_who_waits_for_a_turn_with_credentials_of_long_ago_may_try_again(desk: Desk) -> None:
    api = await desk.session.api()
    await api.streams()
    desk.limiter.hold(600)
    asked = asyncio.create_task(api.streams())
    await asyncio.sleep(0.1)
    await desk.replaced(3)
    with pytest.raises(Unreachable, match="the credentials were replaced meanwhile"):
        await asked
    assert [stream.name for stream in await (await desk.session.api()).streams()] == ["NSS"]
