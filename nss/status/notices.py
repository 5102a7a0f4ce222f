"""What the health mentions of the configuration: it degrades nothing, and somebody should know."""

from collections.abc import Iterator

from nss.status.readings import RefusedReloadReading, ServiceReading
from nss.status.summary import Reason

_RESTARTS = ("a restart would fail", "a restart would take it")
_REMEDIES = ("fix what sudo nss check shows, then: sudo nss reload", "sudo nss restart")


def notices(reading: ServiceReading) -> Iterator[Reason]:
    """Yield that a reload was refused."""
    if reading.refused_reload is not None:
        yield refused_reload(reading.refused_reload)


def refused_reload(refused: RefusedReloadReading) -> Reason:
    """Return that the file could not be put in force, and that the old one runs."""
    more = f" (and {refused.more:,} more)" if refused.more else ""
    return Reason(
        component="configuration",
        why=f"{refused.path} was refused: {refused.why}{more}",
        since=refused.at,
        degrades=False,
        meaning=f"the old configuration runs on, and records with it; {_RESTARTS[refused.starts]}",
        remedy=_REMEDIES[refused.starts],
    )
