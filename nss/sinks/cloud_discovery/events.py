"""What happens to uploads, one function an event: the log line and its counter."""

import logging

from nss.telemetry.events import count, emit


def uploaded(feed: str, records: int, size_bytes: int, secs: float) -> None:
    """Tell that a file was uploaded and finalized."""
    emit(
        logging.INFO,
        "upload_done",
        feed,
        "A file was uploaded.",
        records=records,
        size_bytes=size_bytes,
        secs=round(secs, 3),
    )
    count("uploads", feed)
    count("upload_bytes", feed, size_bytes)


def upload_failed(feed: str, why: str) -> None:
    """Tell that a step of an upload failed and is tried again; nothing is lost."""
    emit(
        logging.WARNING,
        "upload_failed",
        feed,
        "An upload failed; it is tried again.",
        why=why,
    )
    count("upload_failures", feed)


def upload_stopped(feed: str, why: str) -> None:
    """Tell that uploads stop until somebody mends what is wrong; records wait in the spool."""
    emit(
        logging.ERROR,
        "upload_stopped",
        feed,
        "Uploads are stopped until somebody mends what is wrong; records wait.",
        sort=why,
        why=why,
    )
    count("upload_stops", feed)


def upload_recovered(feed: str) -> None:
    """Tell that uploads that had failed work again."""
    emit(logging.INFO, "upload_recovered", feed, "Uploads work again.")
    count("upload_recoveries", feed)


def upload_finished_late(feed: str, batches: int) -> None:
    """Tell that an upload that an earlier process had begun is finalized."""
    emit(
        logging.INFO,
        "upload_finished_late",
        feed,
        "An upload that was begun before is finalized.",
        batches=batches,
    )
    count("uploads", feed)


def upload_repeated(feed: str, status: int) -> None:
    """Tell that nobody knows whether an upload was finalized, and it is made again."""
    emit(
        logging.WARNING,
        "upload_repeated",
        feed,
        "Whether a file was finalized can't be known: it is uploaded again, perhaps twice.",
        status=status,
    )
    count("upload_repeats", feed)


def journal_unreadable(feed: str) -> None:
    """Tell that what an earlier process had uploaded can't be known."""
    emit(
        logging.WARNING,
        "upload_journal_unreadable",
        feed,
        "The journal of uploads can't be read: what was uploaded last may be uploaded twice.",
    )


def journal_unwritable(feed: str, why: str) -> None:
    """Tell that an upload could not be noted; a crash now would repeat it."""
    emit(
        logging.WARNING,
        "upload_journal_unwritable",
        feed,
        "A finished upload could not be noted: after a crash now it is uploaded twice.",
        why=why,
    )
