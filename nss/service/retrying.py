"""Rejects that go through their feeds again, watched for a while: what became of them."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping

from nss.admin.operations import REJECTED_REASONS_MAX, RetriedRejects
from nss.feeds.feed import Feed
from nss.feeds.retrial import FeedRetrial, Retrial
from nss.service.running import Running

LOOK_SECS = 0.05
"""How often to check whether the feeds are past the records."""


async def retry(running: Running, feed: str | None, within_secs: float) -> RetriedRejects:
    """Have rejects of a feed, or of all, go through again, and wait to see. Raises `SpoolError`."""
    retrial = Retrial()
    parts = {
        name: each.part for name, each in running.feeds.items() if feed is None or feed == name
    }
    for part in parts.values():
        part.retrials.add(retrial)
    try:
        records, stay = await running.spool.retry_rejects(feed, retrial)
        # The spool may still, or already, know a feed that does not run: a reload is under way.
        running_ones = parts.keys() & retrial.feeds.keys()
        goals = {name: parts[name].cursor.accepted_records for name in running_ones}
        deadline = time.monotonic() + within_secs
        while len(past := _past(goals, parts)) < len(goals) and time.monotonic() < deadline:  # noqa: ASYNC110 - no signal
            await asyncio.sleep(LOOK_SECS)
    finally:
        for part in parts.values():
            part.retrials.discard(retrial)
    return _result(records, stay, retrial, parts, past)


def _past(goals: Mapping[str, int], parts: Mapping[str, Feed]) -> set[str]:
    """Return the feeds that are done with all that they had accepted when records were retried."""
    accounts = {name: parts[name].cursor.account for name in goals}
    return {
        name
        for name, accepted in goals.items()
        if accounts[name].done - accounts[name].unpacked >= accepted
    }


def _result(
    records: int, stay: int, retrial: Retrial, parts: Mapping[str, Feed], past: set[str]
) -> RetriedRejects:
    delivered = filtered = rejected = waiting = unclear = 0
    reasons: Counter[str] = Counter()
    for name, found in retrial.feeds.items():
        # What a sink collects is not delivered before the feed is past it.
        counts = name in past or (name in parts and parts[name].upload is None)
        delivered += found.done.delivered if counts else 0
        filtered += found.done.filtered
        rejected += found.done.rejected
        reasons.update(found.reasons)
        unseen = found.expected - found.seen
        if name in past:
            unclear += unseen
        else:
            waiting += unseen + (0 if counts else _collected(found))
    most = dict(reasons.most_common(REJECTED_REASONS_MAX))
    return RetriedRejects(records, stay, delivered, filtered, most, rejected, waiting, unclear)


def _collected(found: FeedRetrial) -> int:
    return max(0, found.seen - found.done.filtered - found.done.rejected)
