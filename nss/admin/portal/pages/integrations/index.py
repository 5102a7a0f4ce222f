"""The pages of Partner Integrations, put together: `/integrations`, and `/integrations/zia`."""

import asyncio
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nss.admin.portal.pages.integrations.account import MAX_TESTS, AccountPage
from nss.admin.portal.pages.integrations.arrival import Arrival
from nss.admin.portal.pages.integrations.conditions import conditions
from nss.admin.portal.pages.integrations.drafts import Drafts, IsAlive
from nss.admin.portal.pages.integrations.jobs import Job, Jobs
from nss.admin.portal.pages.integrations.mcas import McasAccount
from nss.admin.portal.pages.integrations.reports import VerifyView, verify_view
from nss.admin.portal.pages.integrations.sync import SyncPages, setup_of
from nss.admin.portal.pages.integrations.zia import ZiaAccount
from nss.admin.portal.people import session_of
from nss.admin.portal.view import Portal, get, post
from nss.config.model import Config
from nss.errors import ConfigError
from nss.mcas.expiries import COMPONENT
from nss.status.machine import machine
from nss.telemetry.audit import person_at_work

_WAIT_SECS = 60.0
"""How long a browser waits for a look at what arrived; then the page shows it as it comes."""

_MCAS_PARTS = ("stored", "conditions", "arrival", "sync_state", "sync_jobs")
_ZIA_PARTS = ("stored", "zia_sync")
"""What changes on a page by itself: templates, and ids of elements."""


class IntegrationsPages:
    """`/integrations` and what is below it. `is_alive` says whether a session has not ended."""

    def __init__(self, portal: Portal, is_alive: IsAlive) -> None:
        self._portal = portal
        self._arrival = Arrival()
        self._jobs = Jobs()
        self._mcas = McasAccount(
            self._configuration, self._arrival, portal.operations.resume_uploads
        )
        self._zia = ZiaAccount(self._configuration, lambda: setup_of(self._configuration(), []))
        tests = asyncio.Semaphore(MAX_TESTS)
        self._mcas_page = AccountPage(portal, self._mcas, Drafts(is_alive), tests)
        self._zia_page = AccountPage(portal, self._zia, Drafts(is_alive), tests)
        self._sync = SyncPages(portal, self._jobs, self._zia)
        self._has_memory: bool | None = None
        self._knows_memory = False

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            get("/integrations", self._show_mcas),
            get("/integrations/live", self._live_mcas),
            post("/integrations/mcas/verify", self._verify),
            get("/integrations/zia", self._show_zia),
            get("/integrations/zia/live", self._live_zia),
            *self._mcas_page.routes(),
            *self._zia_page.routes(),
            *self._sync.routes(),
        ]

    async def close(self) -> None:
        """End what runs, and forget what was entered."""
        await self._jobs.close()
        await self._mcas_page.close()
        await self._zia_page.close()

    # Pages.

    async def _show_mcas(self, request: Request) -> Response:
        await self._look_at_machine()
        facts = await self._mcas_page.facts(request)
        facts |= self._mcas_facts(facts["stored"], is_admin=session_of(request).is_admin)
        return self._portal.view.page(request, "integrations/mcas.html", **facts)

    async def _show_zia(self, request: Request) -> Response:
        facts = await self._zia_page.facts(request)
        facts |= self._zia_facts(facts["stored"])
        return self._portal.view.page(request, "integrations/zia.html", **facts)

    async def _live_mcas(self, request: Request) -> Response:
        is_admin = session_of(request).is_admin
        await self._look_at_machine()

        def parts() -> dict[str, str]:
            facts = self._mcas_facts(self._mcas.stored(), is_admin=is_admin)
            return self._rendered(_MCAS_PARTS, facts)

        role = "admin" if is_admin else "viewer"
        return self._portal.live.stream(request, f"integrations {role}", parts)

    async def _live_zia(self, request: Request) -> Response:
        def parts() -> dict[str, str]:
            return self._rendered(_ZIA_PARTS, self._zia_facts(self._zia.stored()))

        return self._portal.live.stream(request, "integrations zia", parts)

    def _rendered(self, names: tuple[str, ...], facts: Mapping[str, object]) -> dict[str, str]:
        view = self._portal.view
        return {name: view.text(f"integrations/_{name}.html", **facts) for name in names}

    def _mcas_facts(self, stored: object, *, is_admin: bool) -> dict[str, Any]:
        status = self._portal.operations.status()
        return {
            "stored": stored,
            "is_admin": is_admin,
            "expiries": [each for each in status.expiries if each.component == COMPONENT],
            "conditions": conditions(status, self._configuration(), self._has_memory),
            "arrival": self._arrival,
            "parsing": status.parsing,
            "data_source": self._configuration().mcas.data_source,
            "verify": self._jobs.of("verify"),
            **self._sync.facts(status.sync),
        }

    def _zia_facts(self, stored: object) -> dict[str, Any]:
        status = self._portal.operations.status()
        return {"stored": stored, "expiries": [], **self._sync.facts(status.sync)}

    async def _look_at_machine(self) -> None:
        """See once how much memory there is: it does not change."""
        if not self._knows_memory:
            folder = self._configuration().service.state_directory
            found = await asyncio.to_thread(machine, folder)
            self._has_memory, self._knows_memory = found.has_recommended_memory, True

    def _configuration(self) -> Config:
        return self._portal.operations.configuration()

    # What arrived.

    async def _verify(self, request: Request) -> Response:
        async def work(_job: Job) -> VerifyView:
            setup = await asyncio.to_thread(self._mcas.setup)
            report = await setup.verify()
            if report is None:
                raise ConfigError("nothing is stored for MCAS", tip="save credentials first")
            self._arrival.found(report)
            resumed = [] if report.failed else self._portal.operations.resume_uploads()
            return verify_view(report, resumed)

        job = self._jobs.start("verify", person_at_work(), work)
        await self._jobs.wait(job, _WAIT_SECS)
        return self._portal.view.redirect(request, "/integrations#arrival")
