"""A ZIA whose answer comes byte by byte: nobody waits for its end."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from nss.setup import zia
from nss.setup.zia import ZiaSetup
from nss.zia import Unreachable
from nss.zia.api import ZiaApi
from nss.zia.credentials import Method, ZiaCredentials

Good = Callable[[Method], ZiaCredentials]


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> None:
    async def objects(*_: object) -> Awaitable[None]:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(ZiaApi, "objects", objects)
    monkeypatch.setattr(zia, "TEST_SECS", 0.05)


@pytest.mark.usefixtures("endless")
async def test_the_test_of_credentials_ends(setup: ZiaSetup, good: Good) -> None:
    report = await setup.test(good("oneapi_secret"))
    assert report.failed is not None
    assert report.failed.sentence == "ZIA did not answer within 0 s"
    assert report.steps == [report.failed]


@pytest.mark.usefixtures("endless")
async def test_a_look_at_the_policies_ends(setup: ZiaSetup, good: Good) -> None:
    setup.store.save(good("oneapi_secret"))
    with pytest.raises(Unreachable, match="did not answer within"):
        await setup.blocking((), deadline_secs=0.05)
