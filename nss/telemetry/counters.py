"""Every counter of events, in one table; `nss_events_total` exports them."""

from enum import StrEnum, auto
from typing import Self


class Counter(StrEnum):
    """What is counted. The value is the label `event`; `component` is the part that counts.

    Each row: the name, of which `auto()` is the lower case, the kind of part, what is counted.
    """

    component: str
    description: str

    def __new__(cls, name: str, component: str, description: str) -> Self:
        """Make a row of the table."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.component = component
        member.description = description
        return member

    PARTS_FAILED = auto(), "part", "Sources, feeds and reloads that ended in an error."
    RELOADS_REFUSED = auto(), "service", "Reloads refused because the configuration was wrong."
    WATCHDOG_WITHHELD = auto(), "service", "Times the watchdog was not fed."
    NOTIFY_FAILURES = auto(), "service", "Messages that the service manager did not accept."
    REQUESTS_FAILED = auto(), "control", "Operators' requests that ended in an unplanned error."
    CONNECTIONS_REFUSED = auto(), "control, metrics", "Connections closed at once: too many."
    CONNECTIONS_DISPLACED = auto(), "control, metrics", "Idle connections closed to make room."
    CONNECTIONS_STALLED = auto(), "control, metrics", "Connections whose peer did not read."
    ACCEPTING_WAITS = auto(), "control, metrics", "Times no connection could be accepted."
    AUDIT_FAILURES = auto(), "audit", "Entries that could not be written to the audit log."

    SOURCE_WAITS = auto(), "source", "Times the source could not read and tried again."
    SOURCE_RECOVERIES = auto(), "source", "Times the source could read again."
    SOURCE_FILES = auto(), "source", "Files opened for reading."
    SOURCE_TRUNCATIONS = auto(), "source", "Files truncated or overwritten while they were read."
    SOURCE_POSITIONS_LOST = auto(), "source", "Times the file that was read last was gone."
    SOURCE_POSITIONS_UNREADABLE = auto(), "source", "Saved positions that were not understood."
    SOURCE_REBALANCES = auto(), "source", "Times partitions were assigned."
    SOURCE_PARTITIONS_LOST = auto(), "source", "Times partitions were lost to other instances."
    SOURCE_PARTITIONS_UNREAD = auto(), "source", "Times a partition could not be read."
    SOURCE_MESSAGES_EXPIRED = auto(), "source", "Messages deleted before they could be read."
    SOURCE_COMMITS_FAILED = auto(), "source", "Commits of positions that failed."
    SOURCE_HALF_RECORDS = auto(), "source", "Records dropped because their end never came."
    SOURCE_CONNECTIONS = auto(), "source", "Connections accepted."
    SOURCE_CONNECTIONS_REFUSED = auto(), "source", "Connections closed at once: too many."
    SOURCE_CONNECTIONS_DISPLACED = (
        auto(),
        "source",
        "Connections closed for a newer one before they had shown anything.",
    )
    SOURCE_CONNECTIONS_IDLE = auto(), "source", "Connections closed because nothing came."
    SOURCE_CONNECTIONS_FAILED = auto(), "source", "Connections broken off."
    SOURCE_HANDSHAKES_FAILED = auto(), "source", "TLS handshakes that failed."
    SOURCE_FRAMING_FAILURES = auto(), "source", "Connections whose records can't be told apart."
    SOURCE_REQUESTS_ACCEPTED = auto(), "source", "Requests of which every record was accepted."
    SOURCE_REQUESTS_BROKEN_OFF = auto(), "source", "Requests whose sender disconnected."
    SOURCE_REQUESTS_REFUSED = auto(), "source", "Requests refused, whatever the status."
    SOURCE_REQUESTS_REFUSED_400 = auto(), "source", "Of these: no valid HTTP."
    SOURCE_REQUESTS_REFUSED_401 = auto(), "source", "Of these: credentials missing or wrong."
    SOURCE_REQUESTS_REFUSED_403 = (
        auto(),
        "source",
        "Of these: from a web page, or for another host.",
    )
    SOURCE_REQUESTS_REFUSED_404 = auto(), "source", "Of these: another path."
    SOURCE_REQUESTS_REFUSED_405 = auto(), "source", "Of these: another method than POST."
    SOURCE_REQUESTS_REFUSED_408 = auto(), "source", "Of these: head or body took too long."
    SOURCE_REQUESTS_REFUSED_411 = auto(), "source", "Of these: no length of the body."
    SOURCE_REQUESTS_REFUSED_413 = auto(), "source", "Of these: body too long."
    SOURCE_REQUESTS_REFUSED_415 = (
        auto(),
        "source",
        "Of these: body damaged, no text, or in an unknown encoding.",
    )
    SOURCE_REQUESTS_REFUSED_431 = auto(), "source", "Of these: head too long."
    SOURCE_REQUESTS_REFUSED_501 = (
        auto(),
        "source",
        "Of these: another protocol or transfer encoding.",
    )
    SOURCE_REQUESTS_REFUSED_503 = auto(), "source", "Of these: busy, or the spool accepted nothing."
    SOURCE_REQUESTS_REFUSED_505 = auto(), "source", "Of these: another version of HTTP."

    SPOOL_WRITE_FAILURES = auto(), "spool", "Writes that failed; sources wait meanwhile."
    SPOOL_BREAKS = auto(), "spool", "Times the spool stopped because of damage or a fault."
    SPOOL_SALVAGES = auto(), "spool", "Damaged files of which the readable part was saved."
    SPOOL_LOSSES = auto(), "spool", "Starts that found committed batches missing."
    SPOOL_FILES_LOST = auto(), "spool", "Times the files were removed or replaced while in use."
    RECORDS_MISSING = auto(), "feed", "Accepted records that were not in the spool any more."
    SPOOL_READ_FAILURES = auto(), "feed", "Reads of the spool that failed and were tried again."
    BATCHES_DAMAGED = auto(), "feed", "Batches that could not be read back from the spool."
    RECORDS_DROPPED = (
        auto(),
        "feed",
        "Records dropped because the spool was full, or as `max_pending_bytes` says.",
    )

    RECORDS_REJECTED = auto(), "feed", "Records that can't be delivered for good."
    RECORDS_LEFT_BEHIND = auto(), "feed", "Pending records whose feed or source was removed."
    KEYS_UNMAPPED = auto(), "feed", "Names of keys in records that no field is known for."
    FIELDS_MISSING = auto(), "feed", "Times a source's records stated no address, user or URL."
    LINES_SHORTENED = auto(), "feed", "Lines that were too long and were cut."
    BYTES_CUT = auto(), "feed", "Bytes cut from lines that were too long."

    SINK_FAILURES = auto(), "feed", "Times a destination accepted no lines."
    SINK_RECOVERIES = auto(), "feed", "Times a destination accepted lines again."
    SINK_FAILOVERS = auto(), "feed", "Changes to the next destination."
    SINK_REFUSED_LATE = auto(), "feed", "Messages refused after they were sent, and lost."
    SINK_WAITS = auto(), "feed", "Sends that waited because the send buffers were full."
    SINK_LINES_TOO_LONG = auto(), "feed", "Times the path turned out to accept only shorter lines."
    SINK_LOOKUP_FAILURES = auto(), "feed", "Lookups of a destination's name that failed."
    SINK_ADDRESS_CHANGES = auto(), "feed", "Times a destination's name got other addresses."
    SINK_CONNECTIONS_LOST = auto(), "feed", "Connections to a destination that were lost."
    SINK_RESENT = auto(), "feed", "Lines of lost connections that were sent again."
    SINK_RESEND_CUT = auto(), "feed", "Sent lines no longer kept to be sent again."
    SINK_NEVER_CONFIRMED = auto(), "feed", "Lines never confirmed when the sink was closed."
    SINK_FILE_REOPENS = auto(), "feed", "Files reopened after they were moved or removed."
    SINK_FILE_ROTATIONS = auto(), "feed", "Files set aside because of their size."
    SINK_FILE_ROTATION_FAILURES = auto(), "feed", "Files that could not be set aside."

    SYNCS = auto(), "sync", "Runs after which the target was what the list says."
    SYNC_FAILURES = auto(), "sync", "Runs that failed."
    SYNCS_REFUSED = auto(), "sync", "Runs that changed nothing: the list was empty, or had shrunk."
    SYNC_URLS_ADDED = auto(), "sync", "URLs added to the target."
    SYNC_URLS_REMOVED = auto(), "sync", "URLs removed from the target."
    SYNC_URLS_VANISHED = auto(), "sync", "URLs added again because somebody had removed them."

    UPLOADS = auto(), "feed", "Files uploaded and finalized."
    UPLOAD_BYTES = auto(), "feed", "Bytes of the files uploaded."
    UPLOAD_FAILURES = auto(), "feed", "Steps of uploads that failed and were tried again."
    UPLOAD_STOPS = auto(), "feed", "Times uploads stopped for somebody to fix a problem."
    UPLOAD_RECOVERIES = auto(), "feed", "Times uploads worked again."
    UPLOADS_UNCONFIRMED = auto(), "feed", "Finalizes that MCAS neither confirmed nor refused."
    UPLOAD_REPEATS = auto(), "feed", "Uploads repeated because their end was unknown."
    UPLOAD_PARSE_FAILURES = auto(), "feed, mcas", "Uploaded files that Cloud Discovery rejected."
    PARSE_RESULTS_UNREADABLE = auto(), "mcas", "Looks for results of uploaded files that failed."
