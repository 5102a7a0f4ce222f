"""What happens in spools, one function an event: the log line and its counter."""

import logging

from nss.telemetry.events import count, emit, log

_COMPONENT = "spool"


def cannot_write(path: str, why: str) -> None:
    """Tell that nothing can be accepted; the sources wait."""
    emit(
        logging.ERROR,
        "spool_cannot_write",
        _COMPONENT,
        "The spool accepts nothing now: sources wait, and it tries again.",
        path=path,
        why=why,
    )
    count("spool_write_failures", _COMPONENT)


def writes_again(path: str) -> None:
    """Tell that a spool that could not write can."""
    emit(logging.INFO, "spool_writes_again", _COMPONENT, "The spool accepts again.", path=path)


def stopped_uncommitted(path: str, why: str) -> None:
    """Tell that the last moves of cursors could not be written at the stop."""
    log.error(
        "The last steps could not be written: some records will be delivered once more.",
        extra={
            "event": "spool_stopped_uncommitted",
            "component": _COMPONENT,
            "facts": {"path": path, "why": why},
        },
    )


def broken(path: str, why: str) -> None:
    """Tell that the file is damaged beyond single batches."""
    emit(
        logging.ERROR,
        "spool_broken",
        _COMPONENT,
        "The spool's file is damaged; the next start saves what is readable.",
        path=path,
        why=why,
    )
    count("spool_breaks", _COMPONENT)


def gave_up(path: str, why: str) -> None:
    """Tell that the writing thread ended of something that nobody planned."""
    log.error(
        "The spool writes nothing any more, for a reason that nobody planned.",
        extra={
            "event": "spool_gave_up",
            "component": _COMPONENT,
            "facts": {"path": path, "why": why},
        },
    )
    count("spool_breaks", _COMPONENT)


def batch_damaged(feed: str, sequence: int, records: int, why: str) -> None:
    """Tell that a batch could not be read back; it is set aside, and the rest goes on."""
    emit(
        logging.ERROR,
        "batch_damaged",
        feed,
        "A batch in the spool is damaged: its records count as rejected, the rest goes on.",
        sequence=sequence,
        records=records,
        why=why,
    )
    count("batches_damaged", feed)


def cannot_read(feed: str, why: str) -> None:
    """Tell that reading fails; it is tried again."""
    emit(
        logging.ERROR,
        "spool_cannot_read",
        feed,
        "The spool can't be read now; it is tried again.",
        why=why,
    )
    count("spool_read_failures", feed)


def records_dropped(feed: str, records: int) -> None:
    """Tell that a full spool let go of records, as `when_full` says."""
    emit(
        logging.ERROR,
        "records_dropped",
        feed,
        "The spool was full and dropped the oldest records.",
        records=records,
    )
    count("records_dropped", feed, records)


def salvaged(path: str, kept_at: str, batches: int, records: int, lost: list[str]) -> None:
    """Tell what was saved out of a damaged file, and which sequences were not."""
    log.error(
        "The spool's file was damaged: what is readable was saved, the file was set aside.",
        extra={
            "event": "spool_salvaged",
            "component": _COMPONENT,
            "facts": {
                "path": path,
                "set_aside_as": kept_at,
                "batches_saved": batches,
                "records_saved": records,
                "sequences_lost": lost,
            },
        },
    )
    count("spool_salvages", _COMPONENT)
