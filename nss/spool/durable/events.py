"""What happens in durable spools."""

from logging import ERROR, INFO, WARNING

from nss.spool.durable.accounts import Missing
from nss.telemetry.counters import Counter
from nss.telemetry.events import event

_SPOOL = "spool"


@event(ERROR, Counter.SPOOL_WRITE_FAILURES, name="spool_cannot_write", component=_SPOOL)
def cannot_write(path: str, why: str) -> None:
    """The spool accepts nothing now: sources wait, and it tries again."""


@event(INFO, name="spool_writes_again", component=_SPOOL)
def writes_again(path: str) -> None:
    """The spool accepts again."""


@event(ERROR, name="spool_stopped_uncommitted", component=_SPOOL, always=True)
def stopped_uncommitted(path: str, why: str) -> None:
    """The last steps could not be written: some records will be delivered once more.

    They are the last moves of cursors, at the stop.
    """


@event(ERROR, Counter.SPOOL_BREAKS, name="spool_broken", component=_SPOOL)
def broken(path: str, why: str) -> None:
    """The spool's file is damaged; the next start saves what is readable."""


@event(ERROR, Counter.SPOOL_BREAKS, name="spool_gave_up", component=_SPOOL, always=True)
def gave_up(path: str, why: str) -> None:
    """The spool has stopped writing, for an unplanned reason."""


@event(ERROR, Counter.BATCHES_DAMAGED)
def batch_damaged(feed: str, sequence: int, records: int, why: str) -> None:
    """A batch in the spool is damaged: its records count as rejected; the rest continues."""


@event(ERROR, Counter.SPOOL_READ_FAILURES, name="spool_cannot_read")
def cannot_read(feed: str, why: str) -> None:
    """The spool can't be read now; it is tried again."""


@event(ERROR, Counter.RECORDS_DROPPED, amount="records")
def records_dropped(feed: str, records: int) -> None:
    """The spool was full and dropped the oldest records."""


@event(WARNING, name="spool_looks_damaged", component=_SPOOL)
def looked_damaged(path: str, why: str) -> None:
    """The spool's file looks damaged; it is looked at again before that is believed."""


@event(ERROR, Counter.SPOOL_LOSSES, name="spool_lacks_commits", component=_SPOOL, always=True)
def commits_missing(path: str, batches: str) -> None:
    """The spool's file lacks its last commits: it was replaced or cut off.

    `batches` are those that they had written; without any, rejects may be missing.
    """


@event(ERROR, Counter.RECORDS_MISSING, amount="records", name="records_missing", always=True)
def records_missing(feed: str, records: int, path: str) -> None:
    """Records that had been accepted are not in the spool any more; they count as rejected."""


@event(ERROR, name="records_unexpected", always=True)
def records_unexpected(feed: str, records: int, path: str) -> None:
    """The spool holds more records for a feed than its account says; some may arrive twice."""


@event(ERROR, Counter.SPOOL_FILES_LOST, name="spool_files_lost", component=_SPOOL)
def files_lost(path: str, why: str) -> None:
    """The spool's files were removed or replaced while in use: it accepts nothing more."""


@event(ERROR, Counter.SPOOL_FILES_LOST, name="spool_files_restored", component=_SPOOL)
def files_restored(path: str) -> None:
    """The spool's files were removed while in use; what they held was written again."""


def report_missing(path: str, missing: Missing) -> None:
    """Report what a file was found to lack at the start."""
    if missing.is_behind:
        commits_missing(path, missing.batches)
    for feed, records in missing.records.items():
        if records > 0:
            records_missing(feed, records, path)
        else:
            records_unexpected(feed, -records, path)


@event(ERROR, Counter.SPOOL_SALVAGES, name="spool_salvaged", component=_SPOOL, always=True)
def salvaged(
    path: str,
    set_aside_as: str,
    batches_saved: int,
    records_saved: int,
    sequences_lost: list[str],
) -> None:
    """The spool's file was damaged: what is readable was saved; the file was set aside."""
