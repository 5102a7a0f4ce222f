"""What the health mentions of what is around the records: somebody should know."""

from collections.abc import Iterator

from nss.status import left_behind
from nss.status.readings import (
    NewerFileReading,
    RefusedReloadReading,
    ServiceReading,
    UnwritableReading,
    UpdateReading,
)
from nss.status.summary import Reason

_RESTARTS = ("a restart would fail", "a restart would take it")
_REMEDIES = ("fix what sudo nss check shows, then: sudo nss reload", "sudo nss restart")


def notices(reading: ServiceReading) -> Iterator[Reason]:
    """Yield what the configuration has no place for any more, and what its file says by now.

    That a reload was refused, or that the file has changed since, but not both. And that nothing
    can be kept in the state directory; and that an update did not end well.
    """
    yield from map(left_behind.reason, reading.left_behind)
    if reading.newer_file is not None:
        yield newer_file(reading.newer_file)
    elif reading.refused_reload is not None:
        yield refused_reload(reading.refused_reload)
    if reading.unwritable is not None:
        yield unwritable(reading.unwritable)
    if reading.update is not None:
        yield update(reading.update)


def newer_file(newer: NewerFileReading) -> Reason:
    """Return that a file says something else than what runs, and how it is put in force."""
    why = f"the file has changed since it was put in force ({newer.path})"
    if newer.parts:
        why = f"a file that {' and '.join(newer.parts)} reads has changed since it was put in force"
    meaning = "the change is not in force; records continue as before"
    if newer.problem is not None:
        problem = f"{newer.problem}{_more(newer.more)}"
        why = f"{newer.path} has changed and can't be put in force: {problem}"
        meaning = "records continue as before, but a restart would fail"
        remedy = "fix what sudo nss check shows, then: sudo nss reload"
    elif newer.needs_restart:
        changed = ", ".join(newer.needs_restart)
        remedy = f"put it in force: sudo nss restart (no reload changes {changed})"
    else:
        remedy = "put it in force: sudo nss reload"
    return Reason(
        component="configuration",
        why=why,
        since=newer.since,
        degrades=False,
        meaning=meaning,
        remedy=remedy,
    )


def refused_reload(refused: RefusedReloadReading) -> Reason:
    """Return that the file could not be put in force, and that the old one runs."""
    return Reason(
        component="configuration",
        why=f"{refused.path} was refused: {refused.why}{_more(refused.more)}",
        since=refused.at,
        degrades=False,
        meaning=f"the old configuration runs on, and records with it; {_RESTARTS[refused.starts]}",
        remedy=_REMEDIES[refused.starts],
    )


def _more(number: int) -> str:
    return f" (and {number:,} more)" if number else ""


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
        meaning="records continue; the audit log, new credentials and what was warned of are not "
        "kept",
        remedy=remedy.format(path=found.path),
    )


def update(found: UpdateReading) -> Reason:
    """Return that an update did not end well; this version is at work all the same."""
    return Reason(
        component="update",
        why=found.why,
        since=found.at,
        degrades=False,
        meaning="the version that runs is at work as it was; records continue",
        remedy=found.remedy,
    )
