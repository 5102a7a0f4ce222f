"""The sync of unsanctioned apps: how it is doing, what it would change, now, and is it blocked."""

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nss.admin.portal.pages.integrations.foreign import shown
from nss.admin.portal.pages.integrations.jobs import Job, Jobs, noting_waits
from nss.admin.portal.pages.integrations.reports import (
    BlockingView,
    SyncView,
    blocking_view,
    sync_view,
)
from nss.admin.portal.pages.integrations.zia import ZiaAccount
from nss.admin.portal.view import Portal, form_of, get, post
from nss.config.model import Config
from nss.errors import ConfigError, UsageError
from nss.mcas.access import credentials_store, network_of
from nss.status.summary import SyncStatus
from nss.status.sync_readings import SyncRun
from nss.sync.assembling import SyncSetup
from nss.sync.run import ACTION
from nss.sync.state import SyncStore
from nss.sync.verdicts import ACTION as BLOCKING_ACTION
from nss.telemetry.audit import Fact, person_at_work

if TYPE_CHECKING:
    from nss.mcas.session import McasSession

MAX_URL_CHARS = 2048

PAGE = "/integrations#sync_state"

_WAIT_SECS = 20.0
"""How long a browser waits for what comes of its form; then the page shows it as it comes."""

_ALLOWS = "--allow-shrink"
"""What the tip of a refusal names that somebody may overrule."""

_OUTCOMES = {True: "blocked", False: "may open", None: "unknown"}


class SyncPages:
    """What administrators can do about the sync, and what everybody sees of it."""

    def __init__(self, portal: Portal, jobs: Jobs, zia: ZiaAccount) -> None:
        self._portal = portal
        self._jobs = jobs
        self._zia = zia

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            post("/integrations/sync/run", self._run),
            post("/integrations/sync/preview", self._preview),
            post("/integrations/sync/blocking", self._blocking),
            get("/integrations/sync/allow-shrink", self._asked_to_shrink),
            post("/integrations/sync/allow-shrink", self._allowed_to_shrink),
        ]

    def facts(self, status: SyncStatus | None) -> dict[str, Any]:
        """Return what templates need; `status` is that of the sync, `None` when it is off."""
        jobs = {kind: self._jobs.of(kind) for kind in ("sync", "preview", "blocking")}
        return {
            "sync": None if status is None else _harmless(status),
            "jobs": jobs,
            "elsewhere": None if status is None else self._elsewhere(status),
            "may_overrule": status is not None and _may_overrule(status.last),
        }

    def _elsewhere(self, status: SyncStatus) -> int | None:
        """Return the number of another process that syncs."""
        mine = self._jobs.of("sync")
        if status.running or (mine is not None and mine.is_running):
            return None
        return SyncStore(self._configuration().service.state_directory).holder()

    def _configuration(self) -> Config:
        return self._portal.operations.configuration()

    # Jobs.

    async def _run(self, request: Request) -> Response:
        return await self._synced(request, allow_shrink=False)

    async def _synced(self, request: Request, *, allow_shrink: bool) -> Response:
        async def work(job: Job) -> SyncView:
            sessions: list[McasSession] = []
            setup = self._ready(sessions)
            with noting_waits(job):
                try:
                    sync = await setup.sync()
                    report = await sync.run(allow_shrink=allow_shrink)
                finally:
                    await _close(sessions)
            return sync_view(report, is_preview=False)

        about = "a much shorter list is allowed" if allow_shrink else ""
        job = self._jobs.start("sync", person_at_work(), work, about=about)
        return await self._shown(request, job)

    async def _preview(self, request: Request) -> Response:
        async def work(job: Job) -> SyncView:
            sessions: list[McasSession] = []
            setup = self._ready(sessions)
            with noting_waits(job):
                try:
                    sync = await setup.sync()
                    report = await sync.preview()
                finally:
                    await _close(sessions)
            run = report.run
            facts: dict[str, Fact] = {"added": run.added, "removed": run.removed}
            audit = self._portal.audit
            audit.write(ACTION, "previewed", "", destination=run.destination, **facts)
            return sync_view(report, is_preview=True)

        job = self._jobs.start("preview", person_at_work(), work)
        return await self._shown(request, job)

    async def _blocking(self, request: Request) -> Response:
        url = _url((await form_of(request))["url"])

        async def work(_job: Job) -> BlockingView:
            setup = await asyncio.to_thread(self._zia.setup)
            policy, verdicts = await setup.blocking([url] if url else [])
            last = verdicts[-1]
            reason = "" if last.reason is None else last.reason.sentence
            outcome = _OUTCOMES[last.is_blocked]
            self._portal.audit.write(BLOCKING_ACTION, outcome, reason, url=url or None)
            return blocking_view(policy, verdicts)

        job = self._jobs.start("blocking", person_at_work(), work, about=url)
        return await self._shown(request, job)

    async def _shown(self, request: Request, job: Job) -> Response:
        await self._jobs.wait(job, _WAIT_SECS)
        return self._portal.view.redirect(request, PAGE)

    # A list that was refused.

    async def _asked_to_shrink(self, request: Request) -> Response:
        template = "integrations/allow_shrink.html"
        return self._portal.view.page(request, template, refusal=self._refusal())

    async def _allowed_to_shrink(self, request: Request) -> Response:
        self._refusal()
        return await self._synced(request, allow_shrink=True)

    def _refusal(self) -> str:
        status = self._portal.operations.status().sync
        last = None if status is None else status.last
        if last is None or not _may_overrule(last):
            raise UsageError("no list was refused that could be allowed", tip="Sync now")
        return shown(last.error)

    def _ready(self, sessions: list["McasSession"]) -> SyncSetup:
        """Return the sync. Raises `ConfigError` where there is nothing to sync from or to."""
        setup = setup_of(self._configuration(), sessions)
        if setup.settings.target == "off":
            raise ConfigError(
                'the sync is off: target in [sync] is "off"',
                tip='set target in [sync] to "auto", "zia" or "file", and reload',
            )
        if not setup.is_ready():
            raise ConfigError("there are no credentials for MCAS", tip="save them on this page")
        return setup


def setup_of(config: Config, sessions: list["McasSession"]) -> SyncSetup:
    """Return the sync of a configuration; sessions with MCAS that it opens are added."""
    folder, mcas = config.service.state_directory, config.mcas

    def session() -> "McasSession":
        from nss.https.limiter import Limiter  # noqa: PLC0415 - see nss.sync.assembling
        from nss.mcas.session import McasSession  # noqa: PLC0415

        store, limiter = credentials_store(folder, mcas), Limiter(mcas.requests_per_minute)
        url = mcas.token_api_url
        opened = McasSession(store, network_of(mcas), limiter, token_api_url=url)
        sessions.append(opened)
        return opened

    return SyncSetup(folder, config.sync, mcas, config.zia, session)


async def _close(sessions: list["McasSession"]) -> None:
    for session in sessions:
        await session.close()


def _may_overrule(last: SyncRun | None) -> bool:
    """Return whether the last list was refused because it is empty or much shorter."""
    return last is not None and last.outcome == "refused" and _ALLOWS in (last.tip or "")


def _url(text: str) -> str:
    found = text.strip()
    if len(found) > MAX_URL_CHARS or not found.isprintable() or " " in found:
        raise UsageError("this is no URL", tip="give one host or URL, as dropbox.com")
    return found


def _harmless(status: SyncStatus) -> SyncStatus:
    """Return the same with texts of others as they may be shown."""
    last, blocking = status.last, status.blocking
    if last is not None:
        last = replace(
            last, error=shown(last.error), tip=shown(last.tip), advice=shown(last.advice)
        )
    if not status.ready:
        blocking = None  # nothing is synced, so nothing is known of what was
    if blocking is not None:
        blocking = replace(blocking, reason=shown(blocking.reason), remedy=shown(blocking.remedy))
    return replace(status, last=last, blocking=blocking, last_error=shown(status.last_error))
