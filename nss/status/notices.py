"""What the health mentions of what is around the records: somebody should know."""

from collections.abc import Iterator

from nss.status.readings import RefusedReloadReading, ServiceReading, UnwritableReading
from nss.status.summary import Reason

_RESTARTS = ("a restart would fail", "a restart would take it")
_REMEDIES = ("fix what sudo nss check shows, then: sudo nss reload", "sudo nss restart")


def notices(reading: ServiceReading) -> Iterator[Reason]:
    """Yield that a reload was refused, and that nothing can be kept in the state directory."""
    if reading.refused_reload is not None:
        yield refused_reload(reading.refused_reload)
    if reading.unwritable is not None:
        yield unwritable(reading.unwritable)


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


def unwritable(found: UnwritableReading) -> Reason:
    """Return that the state directory can't be written, and what that leaves undone."""
    why, remedy = f"the service's user may not write {found.path}", "sudo chown nss: {path}"
    if found.read_only:
        why, remedy = f"the file system of {found.path} is read-only", "see why: dmesg, mount"
    return Reason(
        component="state directory",
        why=why,
        since=found.since,
        degrades=False,
        meaning="records go on; the audit log, new credentials and what was warned of are not kept",
        remedy=remedy.format(path=found.path),
    )
