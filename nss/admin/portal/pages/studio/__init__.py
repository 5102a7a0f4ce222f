"""The format studio: a format string tried out on sample records, as one types.

Nothing is stored: what a person put in is in the form, and comes back with the page. Trying out
takes place in threads, at most two at a time, and not for browsers that have asked again.
"""

import asyncio
from dataclasses import replace
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nss.admin.portal.pages.studio.choices import Choices
from nss.admin.portal.pages.studio.showing import Shown, shown
from nss.admin.portal.pages.studio.taking import Taken, Taker
from nss.admin.portal.view import Form, Portal, form_of, get, post
from nss.errors import NssError, ServiceError, UsageError
from nss.setup.studio import MAX_RECORDS, Draft, Trial
from nss.setup.studio.samples import examples
from nss.setup.studio.trial import try_out

AT_ONCE = 2
MAX_WAITING = 16
"""More requests than this are refused: each holds what its form has."""


class StudioPages:
    """`/studio`, and what its form asks for."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self._taker = Taker(portal.operations)

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            get("/studio", self._start),
            post("/studio", self._again, viewers=True),
            post("/studio/render", self._render, viewers=True),
        ]

    async def _start(self, request: Request) -> Response:
        choices, query = self._choices(), request.query_params
        draft = Draft()
        if "empty" not in query:
            loaded = await asyncio.to_thread(choices.loaded, draft, query.get("load", ""))
            draft = replace(loaded, samples=examples())
        return await self._page(request, choices, draft)

    async def _again(self, request: Request) -> Response:
        choices, form = self._choices(), await form_of(request)
        draft = choices.draft(form)
        said: Taken | NssError | None = None
        try:
            match form["do"]:
                case "load":
                    draft = await asyncio.to_thread(choices.loaded, draft, form["load"])
                case "examples":
                    draft = replace(draft, samples=examples())
                case "take":
                    said = await self._taker.take(form["from"], _count(form))
                    draft = replace(draft, samples=said.records or draft.samples)
        except NssError as error:  # not a page of its own: what was typed must stay
            said = error
        return await self._page(request, choices, draft, said, form)

    async def _render(self, request: Request) -> Response:
        choices, form = self._choices(), await form_of(request)
        draft = choices.draft(form)
        result = await self._tried(request, draft)
        if result is None:
            return Response(status_code=204)
        return self._portal.view.part(request, "studio/_result.html", draft=draft, result=result)

    async def _page(
        self,
        request: Request,
        choices: Choices,
        draft: Draft,
        said: Taken | NssError | None = None,
        form: Form | None = None,
    ) -> Response:
        result = await self._tried(request, draft)
        if result is None:
            return Response(status_code=204)
        facts: dict[str, Any] = {
            "draft": draft,
            "result": result,
            "taken": said if isinstance(said, Taken) else None,
            "trouble": said if isinstance(said, NssError) else None,
            "choices": choices,
            "chosen": form or Form([]),
        }
        return self._portal.view.page(request, "studio/index.html", **facts)

    async def _tried(self, request: Request, draft: Draft) -> Shown | None:
        """Return what there is to see of a draft; `None` if nobody waits for it any more.

        Raises `ServiceError` when too many wait.
        """
        source_type = self._portal.operations.configuration().mcas.source_type
        if self._waiting >= MAX_WAITING:
            raise ServiceError("too many formats are tried out right now", tip="wait a moment")
        self._waiting += 1
        try:
            async with self._turns:
                if await request.is_disconnected():
                    return None
                return await asyncio.to_thread(partial(_tried_out, draft, source_type))
        finally:
            self._waiting -= 1

    def _choices(self) -> Choices:
        return Choices(self._portal.operations.configuration())


def _tried_out(draft: Draft, source_type: str) -> Shown:
    trial: Trial = try_out(draft, source_type)
    return shown(trial)


def _count(form: Form) -> int:
    try:
        count = int(form["count"][:9])
    except ValueError:
        raise UsageError("the number of records is none") from None
    if not 1 <= count <= MAX_RECORDS:
        raise UsageError(f"from 1 to {MAX_RECORDS} records can be taken")
    return count
