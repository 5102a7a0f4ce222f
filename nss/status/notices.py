"""What the health mentions of the configuration: it degrades nothing, and somebody should know."""

from collections.abc import Iterator

from nss.status import left_behind
from nss.status.readings import NewerFileReading, ServiceReading
from nss.status.summary import Reason


def notices(reading: ServiceReading) -> Iterator[Reason]:
    """Yield what the configuration no longer has a place for, and that its file is another now."""
    yield from map(left_behind.reason, reading.left_behind)
    if reading.newer_file is not None:
        yield newer_file(reading.newer_file)


def newer_file(newer: NewerFileReading) -> Reason:
    """Return that a file says something else than what runs, and how it is put in force."""
    why = f"the file has changed since it was put in force ({newer.path})"
    if newer.parts:
        why = f"a file that {' and '.join(newer.parts)} reads has changed since it was put in force"
    meaning = "the change is not in force; records go on as before"
    if newer.problem is not None:
        why = f"the file has changed and can't be put in force: {newer.problem}"
        meaning = "records go on as before, but a restart would fail"
        remedy = "see everything that is wrong with it: sudo nss check"
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
