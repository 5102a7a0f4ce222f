"""What happens to uploads."""

from logging import ERROR, INFO, WARNING

from nss.telemetry.counters import Counter
from nss.telemetry.events import count, event


@event(INFO, Counter.UPLOADS, name="upload_done")
def uploaded(feed: str, records: int, size_bytes: int, secs: float) -> None:
    """A file was uploaded."""
    count(Counter.UPLOAD_BYTES, feed, size_bytes)


@event(WARNING, Counter.UPLOAD_FAILURES)
def upload_failed(feed: str, why: str) -> None:
    """An upload failed; it is tried again."""


@event(ERROR, Counter.UPLOAD_STOPS)
def upload_stopped(feed: str, why: str) -> str:
    """Uploads are stopped until somebody fixes what is wrong; records wait."""
    return why


@event(INFO, Counter.UPLOAD_RECOVERIES)
def upload_recovered(feed: str) -> None:
    """Uploads work again."""


@event(INFO, Counter.UPLOADS)
def upload_finished_late(feed: str, batches: int) -> None:
    """An upload that was begun before is finalized.

    An earlier process had begun it.
    """


@event(WARNING, Counter.UPLOAD_REPEATS)
def upload_repeated(feed: str, status: int) -> None:
    """Whether a file was finalized can't be known: it is uploaded again, perhaps twice."""


@event(WARNING, Counter.UPLOADS_UNCONFIRMED)
def upload_unconfirmed(feed: str, why: str, *, counts: bool) -> None:
    """MCAS answered a finalize with neither a yes nor a no; `counts`: the file is delivered."""


@event(WARNING, name="upload_journal_unreadable")
def journal_unreadable(feed: str, why: str) -> None:
    """The journal of uploads can't be read: what was uploaded last may be uploaded twice."""


@event(WARNING, name="upload_journal_unwritable")
def journal_unwritable(feed: str, why: str) -> None:
    """A finished upload could not be noted: after a crash now it is uploaded twice."""


@event(WARNING, name="upload_names_unreadable")
def names_unreadable(feed: str, why: str) -> None:
    """The names of uploaded files can't be read: what becomes of them in MCAS is not seen."""


@event(WARNING, name="upload_names_unwritable")
def names_unwritable(feed: str, why: str) -> None:
    """The name of an uploaded file could not be saved: what becomes of it in MCAS is not seen."""
