"""Whether ZIA blocks what was synced, in short: the verdict on the category as a whole."""

import time

from nss.status.sync_readings import BlockingReading
from nss.zia.api import ZiaApi
from nss.zia.blocking import Policy, judge, read_policy


async def look_up(
    api: ZiaApi,
    category: str,
    destination: str,
    deadline: float,
) -> BlockingReading:
    """Return whether a category is blocked: some thirty requests. Raises `ZiaError`."""
    policy = await read_policy(api, category, deadline)
    return in_short(policy, destination, time.time())


def in_short(policy: Policy, destination: str, at: float) -> BlockingReading:
    """Return the verdict on the category of a policy, with the first reason if it may open."""
    verdict = judge(policy)[0]
    if verdict.reason is not None:
        return BlockingReading(
            destination=destination,
            at=at,
            blocked=False,
            code=verdict.reason.code,
            reason=verdict.reason.sentence,
            remedy=verdict.reason.remedy,
            portal=verdict.reason.portal,
            experience_center=verdict.reason.experience_center,
        )
    if verdict.is_blocked is None:
        return BlockingReading(
            destination=destination,
            at=at,
            blocked=None,
            reason=f"the API role may not read {', '.join(policy.unread)}",
            remedy="let the API role read that: nss verify-blocking shows what ZIA says",
        )
    return BlockingReading(destination=destination, at=at, blocked=True)
