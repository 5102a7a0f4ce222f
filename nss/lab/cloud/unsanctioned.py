"""The apps that are marked in the lab's MCAS: as a block script, and as JSON pages."""

from collections.abc import AsyncIterator, Callable, Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from nss.lab.cloud.notes import Notes

_PATHS = ("/api/discovery_block_scripts", "/api/discovery/discovery_block_scripts")
_MANAGE = "discovery.manage"
_MAX_ITEMS = 100
_CHUNK_CHARS = 700

_LINES: Mapping[str, str] = {
    "102": "url.domain={} deny",
    "104": "{}",
    "108": "{}",
    "112": "{}",
    "120": "{}",
    "129": "{}",
    "135": "dest_host={} action=deny",
}
"""A line of each format; 102, 120 and 135 were recorded."""
_ZSCALER = "120"

AS_DELIVERED: Mapping[str, list[str]] = {
    "Reddit": [".reddit.com", ".redd.it", ".redditmedia.com"],
    "Logz": [".Logz.io"],
    "PDF store": ["https://pdf.example/Share/Upload?x=1", "pdf.example/free/"],
    "Umlaut": [".b\u00fccher.example"],
    "Wildcard": ["*.wild.example", ".wild.example"],
    "Blanks": ["  spaced.example ", "", "# not an entry"],
    "Covered": ["www.reddit.com", ".reddit.com"],
    "Invalid": ["com", ".a_b.under_score", f".{'a' * 64}.example"],
}
"""Apps with everything in their domains that real lists have had, or that ZIA refuses."""


def many(count: int) -> dict[str, list[str]]:
    """Return so many apps with a domain each."""
    return {f"App {number}": [f".app{number}.example"] for number in range(count)}


class Unsanctioned:
    """What an administrator has marked; whoever tests changes the attributes."""

    def __init__(self, notes: Notes) -> None:
        self.apps: dict[str, list[str]] = {}
        """The domains of each app that is marked unsanctioned, as MCAS keeps them."""
        self.sanctioned: dict[str, list[str]] = {}
        self.line_end = "\n"
        """Of the block script: `\\r\\n` is another that is sent."""
        self.raw: bytes | None = None
        """What is sent in place of a block script, with `raw_type`."""
        self.raw_type = "text/plain"
        self._notes = notes

    def routes(self, authorise: Callable[[Request, str], None]) -> list[Route]:
        """Return the paths; `authorise` raises `HTTPException` unless a request has a role."""

        async def serve(request: Request) -> Response:
            authorise(request, _MANAGE)
            return self._answer(request)

        return [Route(path, serve) for path in _PATHS]

    def _answer(self, request: Request) -> Response:
        kind, number = (request.query_params.get(name) for name in ("type", "format"))
        if kind not in {"banned", "allowed"}:
            self._notes.complaints.append("block script without a type that there is")
            raise HTTPException(400, "type: banned or allowed")
        apps = self.apps if kind == "banned" else self.sanctioned
        if number is None:
            return self._page(request, apps)
        if number not in _LINES:
            self._notes.complaints.append(f"block script of the unknown format {number[:20]!r}")
            raise HTTPException(400, "format: unknown")
        if self.raw is not None:
            return Response(self.raw, media_type=self.raw_type)
        entries = [entry for domains in apps.values() for entry in domains]
        return StreamingResponse(self._script(number, entries), media_type="text/plain")

    async def _script(self, number: str, entries: list[str]) -> AsyncIterator[bytes]:
        """Yield a script in pieces that end anywhere, as they do on the way."""
        line = _LINES[number]
        # Only Zscaler's own format has the dot that stands for subdomains.
        names = entries if number == _ZSCALER else [entry.removeprefix(".") for entry in entries]
        text = "".join(line.format(name) + self.line_end for name in names).encode()
        for start in range(0, len(text), _CHUNK_CHARS):
            yield text[start : start + _CHUNK_CHARS]

    def _page(self, request: Request, apps: Mapping[str, list[str]]) -> Response:
        try:
            skip, limit = (
                int(request.query_params.get(name, default))
                for name, default in (("skip", 0), ("limit", _MAX_ITEMS))
            )
        except ValueError:
            raise HTTPException(400, "A valid integer is required.") from None
        if skip < 0 or not 0 < limit <= _MAX_ITEMS:
            self._notes.complaints.append(f"a list of apps with skip {skip} and limit {limit}")
        end = max(0, skip) + max(1, min(limit, _MAX_ITEMS))
        items = [{"name": name, "domainList": domains} for name, domains in apps.items()]
        return JSONResponse({"data": items[max(0, skip) : end], "hasNext": end < len(items)})
