"""Whether the way back works: the list of MCAS, ZIA, the last sync, what blocks the category."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from nss.checks import Check
from nss.errors import NssError
from nss.mcas import McasError
from nss.setup.zia import TEST_SECS, zia_setup_of
from nss.status.sync_readings import SyncRun
from nss.sync import StateUnusable
from nss.sync.assembling import SyncSetup, read_list
from nss.sync.domains import normalised
from nss.sync.schedule import STALE_SECS
from nss.wording import counted
from nss.zia import ZiaError
from nss.zia.blocking import CLOUD_APP_CONTROL, Policy, Verdict

LIST, ZIA, LAST_SYNC, BLOCKING = "unsanctioned apps", "ZIA", "last sync", "blocking"
"""The names of the checks."""

_SYNC_NOW = "sudo nss sync-unsanctioned, or start the service"
_IN_FULL = "nss verify-blocking"


@dataclass(slots=True)
class WayBack:
    """What was found. `target` is `zia`, `file` or `off`."""

    target: str
    destination: str
    checks: list[Check] = field(default_factory=list)
    urls: int | None = None
    """How many URLs of unsanctioned apps MCAS lists; `None` where that is not known."""
    last: SyncRun | None = None
    last_success_at: float | None = None
    """Seconds since the epoch."""
    is_blocked: bool | None = None
    """Whether URL filtering blocks the category; `None` where that can't be said."""


async def examine(
    setup: SyncSetup,
    *,
    asks_mcas: bool,
    time_text: Callable[[float], str],
) -> WayBack:
    """Make the checks: one request to MCAS, or one a page, and six or seven to ZIA.

    Nothing is changed. Without `asks_mcas` the list is left out, as when it is known that MCAS
    can't be asked. `time_text` shows a time to people.
    """
    if setup.settings.target == "off":
        sentence = 'nothing is synced: target in [sync] is "off"'
        return WayBack("off", "none", [Check(LIST, ok=True, sentence=sentence)])
    found = WayBack(*setup.destination())
    if asks_mcas:
        await _look_at_list(found, setup)
    blocking = None
    if found.target == "zia":
        blocking = await _look_at_zia(found, setup)
    else:
        found.checks.append(_without_zia(found, setup))
    found.checks.append(_last_sync(found, setup, time_text))
    if blocking is not None:
        found.checks.append(blocking)
    return found


async def _look_at_list(found: WayBack, setup: SyncSetup) -> None:
    try:
        session = await asyncio.to_thread(setup.session)
        entries = await read_list(session, setup.settings)
    except NssError as error:
        found.checks.append(_failed(LIST, error))
        return
    wanted = normalised(entries, max_url_chars=setup.settings.max_url_chars)
    found.urls, aside = len(wanted.urls), len(wanted.set_aside)
    sentence = f"MCAS lists {counted(found.urls, 'URL')} of unsanctioned apps"
    tip = None
    if aside:
        sentence += f", and {aside:,} entries that can't be synced"
        tip = "nss sync-unsanctioned --dry-run shows them, and why"
    elif not found.urls:
        tip = "mark at least one app as unsanctioned in the Defender portal, or nothing is synced"
    is_of_use = bool(found.urls) or not aside
    check = Check(LIST, ok=is_of_use, sentence=sentence, tip=tip, warns=tip is not None)
    found.checks.append(check)


async def _look_at_zia(found: WayBack, setup: SyncSetup) -> Check | None:
    """Sign in and read what decides; return the check of that, `None` if it can't be read."""
    zia = zia_setup_of(setup.state_directory, setup.zia, setup.mcas, setup.settings)
    try:
        policy, (verdict,) = await zia.blocking((), deadline_secs=TEST_SECS, reads_apps=False)
    except NssError as error:
        found.checks.append(_failed(ZIA, error))
        return None
    found.checks.append(Check(ZIA, ok=True, sentence="ZIA accepts the sign-in"))
    return _blocking(found, policy, verdict)


def _blocking(found: WayBack, policy: Policy, verdict: Verdict) -> Check:
    reason = verdict.reason
    if reason is not None:
        # Without a list there is nothing to block, and the first sync makes the category.
        is_fault = policy.category is not None or found.urls != 0
        found.is_blocked = False
        return Check(
            BLOCKING,
            ok=not is_fault,
            sentence=reason.sentence,
            code=reason.code,
            tip=f"{reason.remedy} ({reason.portal})",
            warns=not is_fault,
        )
    unread = [part for part in policy.unread if part != CLOUD_APP_CONTROL]
    if unread:
        sentence = f"can't be said: ZIA does not let read {', '.join(unread)}"
        tip = f"let the API role read that; {_IN_FULL} shows what ZIA says"
        return Check(BLOCKING, ok=True, sentence=sentence, field="role", tip=tip, warns=True)
    found.is_blocked = True
    count = 0 if policy.category is None else len(policy.category.all_urls)
    urls = counted(count, "URL")
    sentence = f'URL filtering blocks "{policy.name}" ({urls})'
    if CLOUD_APP_CONTROL in policy.unread:
        found.is_blocked = None
        sentence += (
            f"; not looked at: {CLOUD_APP_CONTROL}, which may allow an app first: {_IN_FULL} does"
        )
    return Check(BLOCKING, ok=True, sentence=sentence)


def _without_zia(found: WayBack, setup: SyncSetup) -> Check:
    sentence = f"it is not used: the list goes into the {found.destination}"
    if setup.settings.target == "file":
        return Check(ZIA, ok=True, sentence=sentence)
    return Check(
        ZIA,
        ok=True,
        sentence=f"no credentials are stored, so {sentence}",
        tip='sudo nss configure-zia; for another proxy set target in [sync] to "file"',
        warns=True,
    )


def _last_sync(found: WayBack, setup: SyncSetup, time_text: Callable[[float], str]) -> Check:
    try:
        history = setup.store.history()
    except StateUnusable as error:
        return _failed(LAST_SYNC, error)
    run = found.last = history.last
    success_at = found.last_success_at = history.last_success_at
    if run is None:
        sentence = "there was none yet"
        return Check(LAST_SYNC, ok=True, sentence=sentence, tip=_SYNC_NOW, warns=True)
    when = time_text(run.at)
    if run.error is not None:
        is_empty = run.outcome == "empty"
        sentence = f"{when}: {run.error}"
        return Check(LAST_SYNC, ok=is_empty, sentence=sentence, tip=run.tip, warns=is_empty)
    patience_secs = max(STALE_SECS, 3 * setup.interval_secs)
    if success_at is not None and time.time() - success_at >= patience_secs:
        sentence = f"{when}, and none for more than {patience_secs / 3600:.0f} h"
        return Check(
            LAST_SYNC, ok=False, sentence=sentence, tip="nss status: does the service run?"
        )
    if run.destination != found.destination:
        sentence = f"{when}, into the {run.destination}, and none yet into the {found.destination}"
        return Check(LAST_SYNC, ok=True, sentence=sentence, tip=_SYNC_NOW, warns=True)
    changed = f"{run.added:,} added, {run.removed:,} removed"
    return Check(LAST_SYNC, ok=True, sentence=f"{when}: {counted(run.urls, 'URL')}, {changed}")


def _failed(name: str, error: NssError) -> Check:
    field, code = None, None
    if isinstance(error, McasError | ZiaError):
        field, code = error.field, error.code
    return Check(name, ok=False, sentence=str(error.args[0]), field=field, code=code, tip=error.tip)
