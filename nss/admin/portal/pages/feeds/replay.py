"""Replay by time: first how many records there would be, then the replay itself."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nss.admin.audited import audited
from nss.admin.portal.pages.feeds.finding import of_feed
from nss.admin.portal.pages.feeds.listing import head_of
from nss.admin.portal.texts import iso, utc
from nss.admin.portal.view import Portal, form_of, get, post
from nss.errors import UsageError
from nss.spool import SpoolError
from nss.status.summary import FeedStatus

PRESETS: Mapping[str, tuple[str, float]] = {
    "15m": ("The last 15 minutes", 900.0),
    "1h": ("The last hour", 3600.0),
}
ALL = "all"

_NOT_A_TIME = "not a time: like 2026-11-23 10:00 or 2026-11-23 10:00:30"

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for, as it was typed, and what is wrong with it.

    `since` and `until` are seconds since the epoch, `None` while there is nothing to look up.
    """

    since_text: str = ""
    until_text: str = ""
    since: float | None = None
    until: float | None = None
    since_error: str = ""
    until_error: str = ""


class Replay:
    """`/feeds/NAME/replay`."""

    def __init__(self, portal: Portal, *, now: Callable[[], float] = time.time) -> None:
        self._portal = portal
        self._now = now

    def routes(self) -> list[Route]:
        """Return the routes."""
        portal = self._portal
        return [
            get("/feeds/{feed}/replay", of_feed(portal, self._page)),
            post("/feeds/{feed}/replay", of_feed(portal, self._replayed)),
        ]

    async def _page(self, request: Request, feed: FeedStatus) -> Response:
        operations = self._portal.operations
        kept: Range | None = None
        records: int | None = None
        refusal: SpoolError | None = None
        asked = Asked()
        try:
            kept = await operations.replay_range(feed.name)
            asked = ask(request.query_params, kept, self._now())
            if asked.since is not None and asked.until is not None:
                records = await operations.replayable(feed.name, asked.since, asked.until)
            elif kept is None:
                # Says why nothing is ever kept, where that is so.
                await operations.replayable(feed.name, 0.0, self._now())
        except SpoolError as error:
            refusal = error
        has_errors = bool(asked.since_error or asked.until_error)
        return self._portal.view.page(
            request,
            "feeds/replay.html",
            status=400 if has_errors else 200,
            **head_of(feed, self._portal.operations.status()),
            kept=kept,
            asked=asked,
            records=records,
            refusal=None if refusal is None else (str(refusal.args[0]), refusal.tip or ""),
            presets=[(key, text) for key, (text, _) in PRESETS.items()]
            + [(ALL, "All that is kept")],
        )

    async def _replayed(self, request: Request, feed: FeedStatus) -> Response:
        form = await form_of(request)
        since, until = _seconds(form["since"]), _seconds(form["until"])
        if since is None or until is None or since >= until:
            raise UsageError(
                "replay: the time it starts at must be before the one it ends at",
                tip="look up first how many records there are",
            )
        times = {"since": iso(since), "until": iso(until)}
        async with audited(self._portal.audit, "replay", feed=feed.name, **times) as facts:
            records = await self._portal.operations.replay(feed.name, since, until)
            facts["records"] = records
        return self._portal.view.redirect(
            request,
            f"/feeds/{feed.name}/replay",
            notice=replayed_sentence(feed.name, records, since, until),
            kind="good" if records else "info",
        )


def ask(query: Mapping[str, str], kept: Range | None, now: float) -> Asked:
    """Return what the query of an address asks for: a preset, or two times in UTC."""
    preset = query.get("preset", "")
    if preset == ALL and kept is not None:
        return _of_range(kept[0], max(now, kept[1]))
    if preset in PRESETS:
        return _of_range(now - PRESETS[preset][1], now)
    since_text, until_text = query.get("since", "").strip(), query.get("until", "").strip()
    if not since_text and not until_text:
        return Asked()
    since, until = moment(since_text), now if not until_text else moment(until_text)
    since_error = "" if since is not None else (_NOT_A_TIME if since_text else "say when to begin")
    until_error = "" if until is not None else _NOT_A_TIME
    if since is not None and until is not None and since >= until:
        until_error = "not after the time it starts at" if until_text else ""
        since_error = "" if until_text else "in the future"
    if since_error or until_error:
        return Asked(since_text, until_text, None, None, since_error, until_error)
    return Asked(since_text, until_text, since, until)


def moment(text: str) -> float | None:
    """Return a time in UTC, written as the fields have it, in seconds since the epoch.

    `None` for what is no such time.
    """
    try:
        found = datetime.fromisoformat(text)
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found
        return found.timestamp()
    except (ValueError, OverflowError):
        return None


def replayed_sentence(feed: str, records: int, since: float, until: float) -> str:
    """Return what came of a replay."""
    between = f"from {utc(since)} to {utc(until)}"
    if not records:
        return (
            f"Nothing to deliver again {between}: what the feed took then is still pending, or no "
            "longer kept."
        )
    what, them = ("1 record", "it") if records == 1 else (f"{records:,} records", "them")
    return f"{what} accepted {between}: {feed} delivers {them} again."


def _of_range(since: float, until: float) -> Asked:
    return Asked(_written(since), _written(until), since, until)


def _written(at: float) -> str:
    return utc(at).removesuffix(" UTC")


def _seconds(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if math.isfinite(found) else None
