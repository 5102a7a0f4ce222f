"""The domains of the apps that are unsanctioned in MCAS, as the API lists them.

    GET /api/discovery_block_scripts/?format=120&type=banned    -> text, a domain a line
    GET /api/discovery_block_scripts/?type=banned&limit=&skip=  -> {"data": [{"domainList": [..]}],
                                                                    "hasNext": true}

Format 120 is the block script for Zscaler. The pages are not documented (seen in clients of third
parties), so an answer of another shape is an error, never a shorter list. Both need the permission
Discovery.manage.
"""

import msgspec

from nss import foreign
from nss.mcas import Unreachable, unreachable
from nss.mcas.api import McasApi

PATH = "/api/discovery_block_scripts/"

SCRIPT_FORMAT = 120

PAGE_APPS = 100
"""The most that a list of this API has on a page; fewer may come."""

MAX_PAGES = 500
"""Above the number of apps in the whole catalog, so what goes on longer never ends."""

_JSON = ("{", "[]", "[{", '["')


class _App(msgspec.Struct):
    domains: list[str] = msgspec.field(name="domainList", default_factory=list)


class _Page(msgspec.Struct):
    apps: list[_App] = msgspec.field(name="data")
    has_next: bool = msgspec.field(name="hasNext")


async def script_entries(api: McasApi) -> list[str]:
    """Return the lines of the block script. Raises `McasError`, also for what is no list."""
    params: dict[str, str | int] = {"format": SCRIPT_FORMAT, "type": "banned"}
    headers, body = await api.get(PATH, params)
    text = body.decode("utf-8-sig", errors="replace")
    if text.lstrip()[:1] == "<" or "html" in headers.get("content-type", ""):
        raise unreachable.web_page("MCAS", api.api_url)
    if text.lstrip().startswith(_JSON):
        raise _no_list(api)
    return text.splitlines()


async def listed_entries(api: McasApi) -> list[str]:
    """Return the domains of all pages. Raises `McasError`, also for what is no list."""
    entries: list[str] = []
    apps = 0
    for _ in range(MAX_PAGES):
        params: dict[str, str | int] = {"type": "banned", "limit": PAGE_APPS, "skip": apps}
        _, body = await api.get(PATH, params)
        if body.lstrip()[:1] == b"<":
            raise unreachable.web_page("MCAS", api.api_url)
        try:
            page = foreign.decode(body, _Page)
        except msgspec.DecodeError:
            raise _no_list(api) from None
        entries += (domain for app in page.apps for domain in app.domains)
        apps += len(page.apps)
        if not page.has_next:
            return entries
        if not page.apps:
            break
    raise _no_list(api)


def _no_list(api: McasApi) -> Unreachable:
    return Unreachable(f"MCAS gave no list of unsanctioned apps ({api.api_url})")
