"""A page with every macro in every state, and the little server that shows it."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

import nss.admin.portal
from nss.admin.local_server import LocalServer
from nss.admin.portal.guard import CONTENT_SECURITY_POLICY
from nss.admin.portal.sessions import Notice
from nss.admin.portal.static import StaticFiles
from nss.admin.portal.texts import FILTERS
from nss.checks import Check
from nss.status.summary import Health, Reason

TEMPLATES = Path(nss.admin.portal.__file__).parent / "templates"

NOW = 1_790_000_000.0

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)> <hx-partial hx-target=body>"


CHECKS = [
    Check("Sign-in", ok=True, sentence="Entra gave a token."),
    Check("Permission", ok=True, sentence="It may manage discovery.", tip="take one", warns=True),
    Check(
        "API",
        ok=False,
        sentence="The API URL does not answer.",
        field="api_url",
        code="MCAS-DNS",
        tip="copy it from Settings, Cloud apps, About",
    ),
]


@dataclass
class Gallery:
    """The pages; a test decides what the streams bring and whether somebody is signed in."""

    events: asyncio.Queue[str | None] = field(default_factory=asyncio.Queue)
    streams: int = 0
    signed_in: bool = True
    typed: list[str] = field(default_factory=list)
    user: str = HOSTILE

    def __post_init__(self) -> None:
        self.static = StaticFiles()
        self.templates = Environment(
            loader=FileSystemLoader([TEMPLATES, Path(__file__).parent]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.templates.filters |= FILTERS
        self.templates.globals |= {"static": self.static.url, "version": "1.2.3"}

    def facts(self) -> dict[str, Any]:
        reasons = (Reason(component="feed mcas", why="refused"),)
        return {
            "user": self.user,
            "is_admin": False,
            "csrf": "token",
            "path": "/feeds",
            "health": Health(ok=False, alive=True, reasons=reasons),
            "notices": [Notice("good", "Saved."), Notice("bad", HOSTILE, "try again")],
        }

    def rendered(self, template: str, **facts: object) -> str:
        return self.templates.get_template(template).render(self.facts() | facts)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                *self.static.routes(),
                Route("/gallery", self._page, methods=["GET", "POST"]),
                Route("/gallery/check", self._check, methods=["POST"]),
                Route("/gallery/live", self._live),
                Route("/gallery/{name}.json", self._figures),
                Route("/{name}.html", self._other),
            ]
        )

    async def _page(self, request: Request) -> Response:
        del request
        facts = {"now": NOW, "hostile": HOSTILE, "checks": CHECKS}
        return HTMLResponse(self.rendered("gallery.html", **facts))

    async def _other(self, request: Request) -> Response:
        facts: dict[str, object] = {
            "user": None,
            "health": None,
            "notices": [],
            "code": 404,
            "sentence": "there is no such page",
            "tip": "go back",
            "name": "",
            "error": request.query_params.get("error", ""),
            "nobody_yet": "nobody" in request.query_params,
            "token": "token",
        }
        return HTMLResponse(self.rendered(f"{request.path_params['name']}.html", **facts))

    async def _check(self, request: Request) -> Response:
        typed = (await request.body()).decode()
        self.typed.append(typed)
        return HTMLResponse("" if "right" in typed else "that is not right")

    async def _figures(self, request: Request) -> Response:
        if not self.signed_in:
            return Response("Sign in first.\n", 401)
        at = [NOW + 5 * n for n in range(180)] if request.path_params["name"] == "rates" else []
        values = [None if 80 < n < 90 else 1000 + n * n % 777 for n in range(len(at))]
        series = [
            {"name": "web", "unit": "records/s", "values": values},
            {"name": "lag", "unit": "s", "values": [n % 30 for n in range(len(at))]},
        ]
        return JSONResponse({"at": at, "series": series})

    async def _live(self, request: Request) -> Response:
        del request
        if not self.signed_in:
            return Response("Sign in first.\n", 401)
        self.streams += 1
        return StreamingResponse(self._events(), media_type="text/event-stream")

    async def _events(self) -> AsyncIterator[bytes]:
        yield b"retry: 1000\n\n"
        while (html := await self.events.get()) is not None:
            yield "".join(f"data: {line}\n" for line in html.splitlines()).encode() + b"\n"

    def show(self, name: str, html: str, swap: str = "innerMorph") -> None:
        """Send a part to the open page."""
        self.events.put_nowait(
            f'<hx-partial hx-target="#{name}" hx-swap="{swap}">{html}</hx-partial>'
        )


@asynccontextmanager
async def serving(gallery: Gallery, port: int = 0) -> AsyncIterator[str]:
    """Serve it as the portal is served, with the same policy; gives its address."""
    app = gallery.app()

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                policy = (b"content-security-policy", CONTENT_SECURITY_POLICY.encode())
                message["headers"] = [*message["headers"], policy]
            await send(message)

        await app(scope, receive, add)

    listener = socket.create_server(("127.0.0.1", port))
    server = LocalServer("the gallery", guarded, listener, max_connections=32)
    await server.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        gallery.events.put_nowait(None)
        await server.close()
