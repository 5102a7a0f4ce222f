"""The metric families of Prometheus: what a status is in numbers."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import attrgetter as of
from typing import Any, Literal

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from nss.status.readings import ParsingReading
from nss.status.summary import FeedStatus, SourceStatus, SpoolStatus, Status
from nss.telemetry import events

_Samples = Iterable[tuple[tuple[str, ...], float]]
"""Label values and a number each."""

_Read = Callable[[Any], float]
"""Reads a number of a part of the status."""

_ReadIfKnown = Callable[[Any], float | None]
"""Reads a number that there may be none of yet."""


@dataclass(frozen=True, slots=True)
class Family:
    """A metric family: its name as it is scraped, its help text, its labels and its samples."""

    name: str
    text: str
    labels: tuple[str, ...]
    samples: Callable[[Status], _Samples]

    @property
    def kind(self) -> Literal["counter", "gauge"]:
        """The type of metric, which its name shows."""
        return "counter" if self.name.endswith("_total") else "gauge"

    def filled(self, status: Status) -> Metric:
        """Return the family with its samples in a status."""
        kind = CounterMetricFamily if self.kind == "counter" else GaugeMetricFamily
        family = kind(self.name, self.text, labels=self.labels)
        for values, number in self.samples(status):
            family.add_metric(values, number)
        return family


def _overall(name: str, text: str, read: _Read) -> Family:
    return Family(f"nss_{name}", text, (), lambda status: [((), float(read(status)))])


def _spool(name: str, text: str, read: _Read) -> Family:
    return _overall(f"spool_{name}", text, lambda status: read(status.spool))


def _source(name: str, text: str, read: _Read) -> Family:
    def samples(status: Status) -> _Samples:
        numbers = [(source.name, read(source)) for source in status.sources]
        return [((source,), number) for source, number in numbers if number is not None]

    return Family(f"nss_source_{name}", text, ("source",), samples)


def _group(name: str, text: str, read: _ReadIfKnown) -> Family:
    def samples(status: Status) -> _Samples:
        groups = [(source.name, source.group) for source in status.sources if source.group]
        numbers = [(source, read(group)) for source, group in groups]
        return [((source,), number) for source, number in numbers if number is not None]

    return Family(f"nss_source_kafka_{name}", text, ("source",), samples)


def _feed(name: str, text: str, read: _Read) -> Family:
    def samples(status: Status) -> _Samples:
        numbers = [(feed.name, read(feed)) for feed in status.feeds]
        return [((feed,), number) for feed, number in numbers if number is not None]

    return Family(f"nss_feed_{name}", text, ("feed",), samples)


def _upload(name: str, text: str, read: _Read) -> Family:
    def samples(status: Status) -> _Samples:
        uploads = [(feed.name, feed.upload) for feed in status.feeds if feed.upload is not None]
        numbers = [(feed, read(upload)) for feed, upload in uploads]
        return [((feed,), number) for feed, number in numbers if number is not None]

    return Family(f"nss_feed_upload_{name}", text, ("feed",), samples)


def _parsing(name: str, text: str, read: Callable[[ParsingReading], float | None]) -> Family:
    def samples(status: Status) -> _Samples:
        number = None if status.parsing is None else read(status.parsing)
        return [] if number is None else [((), float(number))]

    return Family(f"nss_uploads_{name}", text, (), samples)


def _sync(name: str, text: str, read: _ReadIfKnown) -> Family:
    def samples(status: Status) -> _Samples:
        number = None if status.sync is None else read(status.sync)
        return [] if number is None else [((), float(number))]

    return Family(f"nss_sync_{name}", text, (), samples)


def _last_sync(name: str, text: str, read: _ReadIfKnown) -> Family:
    return _sync(name, text, lambda sync: None if sync.last is None else read(sync.last))


def _outcomes(status: Status) -> _Samples:
    return [
        ((feed.name, outcome), getattr(feed, outcome))
        for feed in status.feeds
        for outcome in ("delivered", "filtered", "rejected", "dropped")
    ]


def _refused(status: Status) -> _Samples:
    return [
        ((source.name, each.cause), each.count)
        for source in status.sources
        for each in source.refusals
    ]


def _unmapped(status: Status) -> _Samples:
    return [
        ((feed.name, gap.source, gap.form, key), records)
        for feed in status.feeds
        for gap in feed.gaps
        for key, records in gap.unmapped.items()
    ]


def _missing(status: Status) -> _Samples:
    return [
        ((feed.name, gap.source, gap.form), len(gap.missing))
        for feed in status.feeds
        for gap in feed.gaps
    ]


def _expiry(name: str, text: str, read: _Read) -> Family:
    def samples(status: Status) -> _Samples:
        return [
            ((expiry.component, expiry.credential, expiry.place), read(expiry))
            for expiry in status.expiries
        ]

    return Family(f"nss_credential_{name}", text, ("component", "credential", "place"), samples)


def _is_failing(part: SourceStatus | FeedStatus | SpoolStatus) -> bool:
    return part.last_error is not None


EVENTS = Family(
    "nss_events_total",
    "What happened, by cause: event is the counter of the log's events, component the part.",
    ("event", "component"),
    lambda _status: sorted(events.counters.items()),
)

METRICS = (
    Family(
        "nss_build_info",
        "Always 1, with the version as a label.",
        ("version",),
        lambda status: [((status.version,), 1)],
    ),
    _overall(
        "start_time_seconds",
        "When the service started, seconds since the epoch.",
        of("started_at"),
    ),
    _overall("health", "1 when healthy, 0 when degraded, as /healthz reports.", of("health.ok")),
    _overall(
        "alive", "0 when the service itself hangs and a restart may help.", of("health.alive")
    ),
    _source("records_total", "Records accepted from the source.", of("records")),
    _source("bytes_total", "Bytes of the records accepted from the source.", of("data_bytes")),
    _source(
        "last_record_timestamp_seconds",
        "When the last record was accepted, seconds since the epoch; absent before the first.",
        of("last_at"),
    ),
    Family(
        "nss_source_refused_total",
        "Requests, connections and TLS handshakes that the source refused, by cause.",
        ("source", "cause"),
        _refused,
    ),
    _group("partitions", "Partitions of Kafka that this instance reads.", of("partitions")),
    _group(
        "rebalances_total",
        "Times partitions were assigned since the source started.",
        of("rebalances"),
    ),
    _group(
        "lag_messages",
        "Messages in these partitions that were not accepted yet; absent while not known.",
        of("lag"),
    ),
    _group(
        "lag_seconds",
        "How old the last accepted message is, of a partition with a lag; absent without one.",
        of("lag_secs"),
    ),
    _group(
        "last_commit_timestamp_seconds",
        "When positions were last committed, seconds since the epoch; absent before the first.",
        of("last_commit_at"),
    ),
    _group(
        "undelivered_bytes",
        'Bytes accepted that some feed has yet to pass, with commit = "delivered".',
        of("undelivered_bytes"),
    ),
    _group(
        "unread_partitions",
        "Partitions that can't be read now.",
        lambda group: len(group.unread),
    ),
    _source("failing", "1 while the source reports an error.", _is_failing),
    _feed(
        "accepted_records_total",
        "Records accepted for the feed: those of all outcomes, and those pending.",
        of("accepted"),
    ),
    Family(
        "nss_feed_records_total",
        "What became of the feed's records; outcome is delivered, filtered, rejected or dropped.",
        ("feed", "outcome"),
        _outcomes,
    ),
    _feed(
        "shortened_records_total",
        "Delivered records whose line was too long and was cut.",
        of("shortened"),
    ),
    _feed("pending_records", "Records accepted for the feed and still waiting.", of("pending")),
    _feed(
        "pending_bytes",
        "What pending records take in the spool, as nss_spool_max_bytes counts.",
        of("pending_bytes"),
    ),
    _feed(
        "max_pending_bytes",
        "How much that may be; absent without a limit.",
        of("max_pending_bytes"),
    ),
    _feed(
        "limited",
        "1 while the limit makes sources wait, or the feed's oldest records be dropped.",
        lambda feed: feed.limited_since is not None,
    ),
    _feed("lag_seconds", "How long ago the oldest pending record was accepted.", of("lag_secs")),
    _feed(
        "still_seconds",
        "How long records have been pending while none of them moved.",
        of("still_secs"),
    ),
    _feed("failing", "1 while the feed's destination accepts no lines.", _is_failing),
    _feed(
        "last_delivered_timestamp_seconds",
        "When records were last delivered since the service started (for uploads: when MCAS last "
        "confirmed one), seconds since the epoch; absent before the first.",
        of("last_delivered_at"),
    ),
    Family(
        "nss_feed_unmapped_keys_total",
        "Records with a key that no field is known for: at most 64 keys of a source and format, "
        "all others as `...`.",
        ("feed", "source", "format", "key"),
        _unmapped,
    ),
    Family(
        "nss_feed_missing_fields",
        "How many of the address, user and URL that the feed prints a source's records lack; "
        "absent while none is missing and no key is unmapped.",
        ("feed", "source", "format"),
        _missing,
    ),
    _upload(
        "last_confirmed_timestamp_seconds",
        "When MCAS confirmed an upload last, seconds since the epoch; absent before the first.",
        of("last_confirmed_at"),
    ),
    _upload(
        "next_due_timestamp_seconds",
        "When what is collected is uploaded at the latest; absent when nothing is collected.",
        of("next_due_at"),
    ),
    _upload(
        "held_until_timestamp_seconds",
        "When the upload at hand is tried again; absent when nothing holds it.",
        of("held_until"),
    ),
    _upload(
        "stopped",
        "1 while uploads are stopped, because MCAS refuses them again and again.",
        lambda upload: upload.state == "stopped",
    ),
    _upload(
        "unconfirmed",
        "1 while MCAS has neither confirmed nor refused the upload at hand.",
        lambda upload: upload.state == "unconfirmed",
    ),
    _upload(
        "unconfirmed_files_total",
        "Files that counted as delivered though MCAS had not confirmed them.",
        of("unconfirmed"),
    ),
    _spool("used_bytes", "Bytes held, as nss_spool_max_bytes limits them.", of("used_bytes")),
    _spool("max_bytes", "Bytes that may be held.", of("max_bytes")),
    _spool("full", "1 while something waits for room.", of("full")),
    _spool("failing", "1 while nothing can be accepted.", _is_failing),
    _spool("durable", "1 when what was accepted outlives the process.", of("durable")),
    _overall(
        "rejects_kept", "Rejected records that are kept for a look.", of("spool.kept_rejects")
    ),
    _parsing("parsed_files", "Files of seven days that Cloud Discovery parsed.", of("parsed")),
    _parsing(
        "failed_files", "Files of seven days that Cloud Discovery could not use.", of("failed")
    ),
    _parsing("pending_files", "Uploaded files that wait for a result.", of("pending")),
    _parsing("overdue_files", "Files that have no result after two days.", of("overdue")),
    _parsing(
        "parse_failing",
        "1 while Cloud Discovery could not use the last file of a feed, as /healthz reports.",
        lambda parsing: bool(parsing.standing),
    ),
    _parsing(
        "last_parsed_timestamp_seconds",
        "When the last file was uploaded that was parsed, seconds since the epoch.",
        of("last_parsed_at"),
    ),
    _parsing(
        "last_failed_timestamp_seconds",
        "When the last file was uploaded that Cloud Discovery could not use.",
        lambda parsing: None if parsing.last_failure is None else parsing.last_failure.at,
    ),
    _parsing(
        "results_unreadable",
        "1 while it can't be read what became of uploaded files: the numbers may be old.",
        lambda parsing: parsing.unreadable is not None,
    ),
    _parsing(
        "results_read_timestamp_seconds",
        "When that was last read to its end; absent before the first time.",
        of("read_at"),
    ),
    _expiry(
        "expires_timestamp_seconds",
        "When a secret or a certificate ends, seconds since the epoch.",
        of("ends_at"),
    ),
    _expiry("days_left", "Whole days until it ends, negative after the end.", of("days")),
    _sync("urls", "URLs of the list at the last successful sync.", of("urls")),
    _sync("failures", "Runs of the sync that failed since the last success.", of("failures")),
    _sync("running", "1 while a run of the sync is at work.", of("running")),
    _sync(
        "last_success_timestamp_seconds",
        "When unsanctioned apps were last synced, seconds since the epoch; absent before.",
        of("last_success_at"),
    ),
    _sync(
        "next_timestamp_seconds",
        "When the next run of the sync is due, seconds since the epoch.",
        of("next_at"),
    ),
    _sync(
        "blocked",
        "1 while ZIA blocks the category of unsanctioned apps as a whole, 0 while it may open; "
        "absent when that can't be said.",
        lambda sync: None if sync.blocking is None else sync.blocking.blocked,
    ),
    _last_sync(
        "last_run_timestamp_seconds",
        "When the last run of the sync began, seconds since the epoch.",
        of("at"),
    ),
    _last_sync("last_run_seconds", "How long the last run of the sync took.", of("secs")),
    _last_sync("set_aside", "Entries of the list that can't be synced.", of("set_aside")),
    _last_sync(
        "quota_remaining_urls",
        "How many URLs the ZIA organisation may still add; absent for a file.",
        of("quota_remaining"),
    ),
    EVENTS,
)
