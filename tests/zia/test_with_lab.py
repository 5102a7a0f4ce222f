"""The client against the lab's ZIA, over TLS: every way to sign in, and what a sync does."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import get_args

import pytest

from nss.lab.cloud import CloudLab
from nss.lab.cloud.zia.bodies import LISTS
from nss.setup.zia import ZiaSetup
from nss.zia import Busy, QuotaExceeded, RequestRefused, SignInRefused
from nss.zia.api import Pace, ZiaApi
from nss.zia.credentials import Method, ZiaCredentials
from tests.zia.stand_in import FreePace

NAME = "MS Defender Unsanctioned Apps"
Good = Callable[[Method], ZiaCredentials]
METHODS = get_args(Method)


@contextlib.asynccontextmanager
async def connected(
    setup: ZiaSetup, credentials: ZiaCredentials, pace: Pace | None = None
) -> AsyncIterator[ZiaApi]:
    api = await asyncio.to_thread(setup.connect, credentials, pace or FreePace())
    try:
        yield api
    finally:
        await api.close()


def soon(secs: float = 30.0) -> float:
    return time.monotonic() + secs


@pytest.mark.parametrize("method", METHODS)
async def test_each_way_to_sign_in_creates_extends_shrinks_and_activates(
    lab: CloudLab, setup: ZiaSetup, good: Good, method: Method
) -> None:
    async with connected(setup, good(method)) as api:
        assert await api.find(NAME, soon()) is None
        before = await api.quota(soon())

        made = await api.create(NAME, "by NSS", [".a.example"], soon(), retain=True)
        assert made.retaining == {".a.example"}
        more = await api.add(made, ["b.example", "c.example/path"], soon(), retain=False)
        assert more.urls == {"b.example", "c.example/path"}
        assert more.all_urls == {".a.example", "b.example", "c.example/path"}
        less = await api.remove(more, [".a.example", "b.example"], soon())
        assert less.all_urls == {"c.example/path"}

        assert await api.activation(soon()) == "PENDING"
        assert await api.activate(soon()) == "ACTIVE"
        found = await api.find(NAME, soon())
        assert found is not None
        assert found.all_urls == {"c.example/path"}
        assert (await api.quota(soon())).remaining == before.remaining - 1
    assert lab.zia.in_force(NAME) == {"c.example/path"}
    assert lab.complaints == []


@pytest.mark.parametrize("follow", [("urls",), ("urls", "dbCategorizedUrls"), LISTS])
async def test_whatever_lists_an_action_concerns_nothing_else_is_lost(
    lab: CloudLab, setup: ZiaSetup, good: Good, follow: tuple[str, ...]
) -> None:
    kept = {"ipRanges": ["192.0.2.0/24"], "keywords": ["casino"], "scopes": []}
    lab.zia.categories.by_action = follow
    lab.zia.categories.put(NAME, ["a.example", "b.example"], ["c.example", "d.example"], **kept)
    async with connected(setup, good("oneapi_secret")) as api:
        category = await api.find(NAME, soon())
        assert category is not None
        category = await api.add(category, ["x.example"], soon(), retain=True)
        category = await api.add(category, ["y.example"], soon(), retain=False)
        category = await api.remove(category, ["a.example", "c.example"], soon())
        assert category.urls == {"b.example", "y.example"}
        assert category.retaining == {"d.example", "x.example"}
        category = await api.remove(category, ["d.example", "x.example"], soon())
        assert category.all_urls == {"b.example", "y.example"}
    shown = lab.zia.categories.shown(NAME)
    assert (shown["ipRanges"], shown["keywords"]) == (["192.0.2.0/24"], ["casino"])
    assert lab.complaints == []


@pytest.mark.parametrize("method", ["oneapi_secret", "legacy", "entra"])
async def test_a_lost_session_or_token_is_renewed(
    lab: CloudLab, setup: ZiaSetup, good: Good, method: Method
) -> None:
    async with connected(setup, good(method)) as api:
        await api.quota(soon())
        lab.zia.one_api.revoke()
        lab.zia.sessions.lose()
        await api.quota(soon())
    assert lab.complaints == []


async def test_keywords_of_a_category_and_what_others_do_meanwhile_stay(
    lab: CloudLab, setup: ZiaSetup, good: Good
) -> None:
    async with connected(setup, good("oneapi_secret")) as api:
        made = await api.create(NAME, "", ["a.example"], soon(), retain=False)
        lab.zia.before_next_write(lambda categories: categories.edit(NAME, add=["by-hand.example"]))
        found = await api.add(made, ["b.example"], soon(), retain=False)
    assert found.all_urls == {"a.example", "b.example", "by-hand.example"}


async def test_an_edit_lock_is_waited_for(lab: CloudLab, setup: ZiaSetup, good: Good) -> None:
    lab.zia.lock(2, reads_too=True)
    async with connected(setup, good("legacy")) as api:
        with pytest.raises(Busy) as caught:
            await api.quota(soon(0.0))
        assert caught.value.code == "EDIT_LOCK_NOT_AVAILABLE"
        await api.quota(soon())


async def test_the_real_pace_is_kept(lab: CloudLab, setup: ZiaSetup, good: Good) -> None:
    lab.zia.keep_real_pace()
    lab.zia.write_secs = 0.0
    lab.zia.activation.secs = 0.0
    async with connected(setup, good("oneapi_secret"), Pace()) as api:
        category = await api.create(NAME, "", ["a.example"], soon(), retain=False)
        for number in range(2):
            category = await api.add(category, [f"{number}.example"], soon(), retain=False)
    answered = [request.status for request in lab.requests]
    assert 429 not in answered


async def test_refusals_are_final_and_say_what_is_wrong(
    lab: CloudLab, setup: ZiaSetup, good: Good
) -> None:
    async with connected(setup, good("oneapi_secret")) as api:
        made = await api.create(NAME, "", ["a.example"], soon(), retain=False)
        with pytest.raises(RequestRefused):
            await api.add(made, ["b.example", "not a url"], soon(), retain=False)
        assert (await api.read(made.id, soon())).all_urls == {"a.example"}
        lab.zia.forbidden["urlCategories"] = "NOT_SUBSCRIBED"
        with pytest.raises(RequestRefused, match="subscription"):
            await api.read(made.id, soon())


async def test_wrong_credentials_are_refused(lab: CloudLab, setup: ZiaSetup, good: Good) -> None:
    credentials = good("oneapi_secret")
    lab.zia.one_api.secret = "another-secret"  # noqa: S105 - of the lab
    async with connected(setup, credentials) as api:
        with pytest.raises(SignInRefused) as caught:
            await api.quota(soon())
    assert caught.value.field == "client_secret"


def test_quota_is_a_kind_of_refusal() -> None:
    assert issubclass(QuotaExceeded, RequestRefused)
