"""How commands show whether ZIA blocks the category of unsanctioned apps, in short."""

from collections.abc import Iterator

from nss.status.sync_readings import BlockingReading
from nss.wording import harmless


def verdict_lines(found: BlockingReading) -> Iterator[str]:
    """Yield the verdict, and with it the first reason and its remedy."""
    if found.blocked:
        yield "blocked: yes"
        return
    word = "no" if found.blocked is False else "can't be said"
    yield f"blocked: {word}: {harmless(found.reason or '')}"
    if found.remedy:
        yield f"  Try: {harmless(found.remedy)}"
    if found.portal:
        yield f"  Where: {harmless(found.portal)}"
    if found.experience_center:
        yield f"  In the Experience Center: {harmless(found.experience_center)}"
