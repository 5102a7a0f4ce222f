"""One request to ZIA, or to what issues its tokens; all that goes wrong is a `ZiaError`."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import httpx
import orjson

from nss.https.trouble import Trouble, from_proxy, trouble, web_page
from nss.zia import Unreachable

MAX_ANSWER_BYTES = 64 << 20
"""All categories with their URLs are one answer: 275,000 URLs of 200 characters."""

SECTION = "zia"


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def place_of(url: str) -> str:
    """Return what is shown of a URL."""
    return f"https://{httpx.URL(url).netloc.decode()}"


async def ask(
    client: httpx.AsyncClient,
    method: str,
    url: str,
    request: dict[str, Any],
    proxy: str | None = None,
) -> Answer:
    """Send a request and return ZIA's answer, of any status. Raises `Unreachable`.

    `proxy` is the `HOST:PORT` of the proxy that the client uses, if any.
    """
    place = place_of(url)
    body = bytearray()
    try:
        async with client.stream(method, url, **request) as response:
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > MAX_ANSWER_BYTES:
                    raise Unreachable(f"the answer is too long to be one ({place})")
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        # Without its text: httpx quotes URLs.
        raise _unreachable(trouble(error, SECTION, place, proxy)) from None
    of_proxy = from_proxy("ZIA", response.status_code, body, SECTION)
    if of_proxy is not None:
        raise _unreachable(of_proxy.at(place))
    return Answer(response.status_code, response.headers, bytes(body))


def json_of(body: bytes, place: str) -> object:
    """Return what is in an answer; an empty one is `None`. Raises `Unreachable`."""
    if not body.strip():
        return None
    try:
        found: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        if body.lstrip()[:1] == b"<":
            raise _unreachable(web_page("ZIA", SECTION).at(place)) from None
        raise makes_no_sense(place) from None
    return found


def makes_no_sense(place: str) -> Unreachable:
    """Return the error for an answer of a form that nobody knows."""
    return Unreachable(f"ZIA gave an answer that makes no sense ({place})")


def _unreachable(found: Trouble) -> Unreachable:
    return Unreachable(found.sentence, tip=found.tip, field=found.field)
