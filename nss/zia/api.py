"""The API of ZIA that a sync needs: URL categories, their quota, and the activation of changes.

    GET  /urlCategories?customOnly=true&type=ALL            all categories of the organisation
    GET  /urlCategories/{id}
    GET  /urlCategories/urlQuota
    POST /urlCategories
    PUT  /urlCategories/{id}?action=ADD_TO_LIST             or REMOVE_FROM_LIST
    POST /status/activate, GET /status

https://help.zscaler.com/zia/url-categories and /zia/activation describe them; what they do not say
was found in the vendor's clients and their recorded answers. A PUT without an action replaces the
whole category, and is never sent.
"""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import httpx

from nss.https.limiter import Limiter
from nss.https.network import Network
from nss.zia import (
    Activation,
    Authorization,
    Busy,
    Category,
    Quota,
    RequestRefused,
    SignInRefused,
    Unreachable,
    ZiaError,
)
from nss.zia.changing import Change
from nss.zia.http import ask, json_of, makes_no_sense, place_of
from nss.zia.patience import Patience
from nss.zia.refusals import refusal

READS_PER_SECOND, WRITES_PER_SECOND = 2, 1
READS_PER_HOUR, WRITES_PER_HOUR = 1000, 400
"""The documented limits for most calls."""

MIN_WRITE_SECS = 60.0
"""Creating a category of 20,000 URLs took 35 seconds."""

POLL_SECS = 2.0
"""Between two questions whether an activation is through."""

_HOUR_SECS = 3600.0
_ALL_CATEGORIES = {"customOnly": "true", "type": "ALL"}
_ACTIVATIONS: tuple[Activation, ...] = get_args(Activation)


class Pace:
    """The turns of one organisation: all calls that share it keep the documented limits."""

    def __init__(self) -> None:
        self._reads = Limiter(READS_PER_SECOND, window_secs=1.0)
        self._writes = Limiter(WRITES_PER_SECOND, window_secs=1.0)
        self._reads_per_hour = Limiter(READS_PER_HOUR, window_secs=_HOUR_SECS)
        self._writes_per_hour = Limiter(WRITES_PER_HOUR, window_secs=_HOUR_SECS)

    async def turn(self, *, is_read: bool) -> None:
        """Wait for a turn and use it up."""
        await (self._reads_per_hour if is_read else self._writes_per_hour).turn()
        await (self._reads if is_read else self._writes).turn()


class ZiaApi:
    """One organisation's API; see `nss.zia.UrlCategories`. Every call raises `ZiaError`, only that.

    `api_url` is the base of all paths.
    """

    def __init__(
        self,
        api_url: str,
        authorization: Authorization,
        network: Network,
        pace: Pace,
        *,
        patience: Patience | None = None,
    ) -> None:
        self.api_url = api_url
        self._authorization = authorization
        self._pace = pace
        self._patience = patience or Patience()
        self._client = network.client()
        self._proxy = network.proxy_place
        self._write_secs = max(MIN_WRITE_SECS, network.timeout_secs)
        self._place = place_of(api_url)

    async def close(self) -> None:
        """Close the connections, and what signs in."""
        await self._client.aclose()
        await self._authorization.close()

    async def sign_in(self) -> None:
        """Sign in, if that has to be done; whether ZIA takes it shows with the first call."""
        await self._authorization.headers()

    # Reading.

    async def find(self, name: str, deadline: float) -> Category | None:
        """Return the category of that name among all types, with its URLs."""
        for found in await self.objects("/urlCategories", deadline, _ALL_CATEGORIES):
            if found.get("configuredName") == name:
                return self.category_of(found)
        return None

    async def read(self, category_id: str, deadline: float) -> Category:
        """Return a category as it is now."""
        return self.category_of(await self.get(f"/urlCategories/{category_id}", deadline))

    async def quota(self, deadline: float) -> Quota:
        """Return how many URLs there may be."""
        found = await self.get("/urlCategories/urlQuota", deadline)
        numbers = [
            found.get(key) if isinstance(found, dict) else None
            for key in ("uniqueUrlsProvisioned", "remainingUrlsQuota")
        ]
        used, remaining = (
            number if isinstance(number, int) and number >= 0 else None for number in numbers
        )
        if used is None or remaining is None:
            raise makes_no_sense(self._place)
        return Quota(used, remaining)

    async def activation(self, deadline: float) -> Activation:
        """Return whether changes are in force."""
        return self._activation(await self.get("/status", deadline))

    async def get(
        self, path: str, deadline: float, params: Mapping[str, str] | None = None
    ) -> object:
        """Return what is at a path; repeated while ZIA is busy or can't be reached."""
        request: dict[str, Any] = {"params": dict(params or {})}
        return await self._patience.repeat(
            lambda: self._call("GET", path, request), deadline, is_harmless=True
        )

    async def objects(
        self, path: str, deadline: float, params: Mapping[str, str] | None = None
    ) -> list[dict[str, Any]]:
        """Return a list of objects."""
        found = await self.get(path, deadline, params)
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            raise makes_no_sense(self._place)
        return found

    # Writing.

    async def create(
        self, name: str, description: str, urls: Sequence[str], deadline: float, *, retain: bool
    ) -> Category:
        """Create a category. One that was created without an answer is returned as well."""
        body = {
            "configuredName": name,
            "description": description,
            "superCategory": "USER_DEFINED",
            "customCategory": True,
            "type": "URL_CATEGORY",
            **_lists(urls, retain=retain),
        }

        is_unclear = False

        async def attempt() -> Category:
            nonlocal is_unclear
            try:
                return self.category_of(await self._call("POST", "/urlCategories", {"json": body}))
            except (Unreachable, RequestRefused) as error:
                is_unclear = is_unclear or error.is_unclear
                # What is there although every attempt was refused is somebody else's.
                found = await self.find(name, deadline) if is_unclear else None
                if found is not None:
                    return found
                if isinstance(error, RequestRefused):
                    raise
                raise Busy(error.sentence, tip=error.tip, status=error.status) from None

        try:
            return await self._patience.repeat(attempt, deadline, is_harmless=False)
        except ZiaError as error:
            error.is_unclear = is_unclear
            raise

    async def add(
        self, category: Category, urls: Sequence[str], deadline: float, *, retain: bool
    ) -> Category:
        """Add URLs to a category; return it as ZIA has it now."""
        return await self._change(
            category.id, Change("ADD_TO_LIST", frozenset(urls), retain), deadline
        )

    async def remove(self, category: Category, urls: Sequence[str], deadline: float) -> Category:
        """Remove URLs from both lists of a category; return it as ZIA has it now."""
        return await self._change(
            category.id, Change("REMOVE_FROM_LIST", frozenset(urls)), deadline
        )

    async def activate(self, deadline: float) -> Activation:
        """Put all pending changes in force and wait for that; return what came of it."""

        async def attempt() -> Activation:
            return self._activation(await self._call("POST", "/status/activate", {}))

        # Activating twice does no harm: the second time nothing is pending.
        state = await self._patience.repeat(attempt, deadline, is_harmless=True)
        while state != "ACTIVE" and self._patience.clock() + POLL_SECS < deadline:
            await self._patience.sleep(POLL_SECS)
            state = await self.activation(deadline)
        return state

    async def _change(self, category_id: str, change: Change, deadline: float) -> Category:
        """Send a change, and see that nothing else changed with it.

        Other attributes are taken from the body as well: it is the object as it is at that moment.
        """
        path = f"/urlCategories/{category_id}"
        sent_with: Category | None = None  # as it was before it may have been changed

        async def attempt() -> Category:
            nonlocal sent_with
            now = self.category_of(await self._call("GET", path, {}))
            before = sent_with or now
            try:
                after = await self._put(path, change.action, change.body(now))
            except ZiaError as error:
                sent_with = before if error.is_unclear else sent_with
                raise
            sent_with = before
            if wrong := change.repairs(before, after):
                body = {**after.raw, "urls": [], **wrong}
                after = await self._put(path, "ADD_TO_LIST", body)
                wrong = change.repairs(before, after)
            if wrong:
                raise RequestRefused(
                    f'ZIA took a change of the category "{before.name}" and carried it out '
                    f"otherwise: {', '.join(sorted(wrong))} ({self._place})",
                    tip="see that category in the admin portal before the change is activated",
                )
            return after

        try:
            return await self._patience.repeat(attempt, deadline, is_harmless=True)
        except ZiaError as error:
            error.is_unclear = sent_with is not None
            raise

    async def _put(self, path: str, action: str, body: Mapping[str, Any]) -> Category:
        request = {"params": {"action": action}, "json": body}
        return self.category_of(await self._call("PUT", path, request))

    # One request.

    async def _call(self, method: str, path: str, request: dict[str, Any]) -> object:
        """Return what an answer holds. A sign-in that is refused is tried once more, anew."""
        try:
            return await self._once(method, path, request)
        except SignInRefused:
            self._authorization.refused()
        return await self._once(method, path, request)

    async def _once(self, method: str, path: str, request: dict[str, Any]) -> object:
        is_read = method == "GET"
        secret = await self._authorization.headers()
        await self._pace.turn(is_read=is_read)
        headers = {name: value.reveal() for name, value in secret.items()}
        whole = {"headers": headers | {"accept": "application/json"}, **request}
        if not is_read:
            whole["timeout"] = httpx.Timeout(self._write_secs, connect=self._client.timeout.connect)
        answer = await ask(self._client, method, f"{self.api_url}{path}", whole, self._proxy)
        self._client.cookies.clear()
        if answer.status >= httpx.codes.MULTIPLE_CHOICES:
            raise refusal(answer.status, answer.headers, answer.body, self._place)
        return json_of(answer.body, self._place)

    def category_of(self, found: object) -> Category:
        """Return a category from the object that ZIA gives. Raises `Unreachable`."""
        if not isinstance(found, dict) or not isinstance(found.get("id"), str):
            raise makes_no_sense(self._place)
        return Category(
            found["id"],
            _text(found.get("configuredName")),
            self._urls(found.get("urls")),
            self._urls(found.get("dbCategorizedUrls")),
            _text(found.get("type")) or "URL_CATEGORY",
            _text(found.get("urlType")) or "EXACT",
            found,
        )

    def _urls(self, found: object) -> frozenset[str]:
        if found is None:
            return frozenset()
        if not isinstance(found, list) or not all(isinstance(url, str) for url in found):
            raise makes_no_sense(self._place)
        return frozenset(found)

    def _activation(self, found: object) -> Activation:
        state = found.get("status") if isinstance(found, dict) else None
        for known in _ACTIVATIONS:
            if state == known:
                return known
        raise makes_no_sense(self._place)


def _lists(urls: Sequence[str], *, retain: bool) -> dict[str, list[str]]:
    """Return both lists of a category's URLs, all of them in one."""
    return {
        "urls": [] if retain else list(urls),
        "dbCategorizedUrls": list(urls) if retain else [],
    }


def _text(found: object) -> str:
    return found if isinstance(found, str) else ""
