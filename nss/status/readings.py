"""Readings of the running parts at one moment, as plain frozen values.

`nss.status.watch` makes rates and durations of them; `nss.status.summary` explains each number.
"""

from dataclasses import dataclass, field
from typing import Literal

from nss.batch import Account
from nss.expiry import Expiry
from nss.status.sync_readings import SyncReading

UploadState = Literal["collecting", "uploading", "failing", "held", "unconfirmed", "stopped"]

SpoolTrouble = Literal["disk_full", "disk_fails", "folder_gone", "files_lost", "damaged", "gave_up"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalReading:
    """What a source refused for one cause since it started."""

    cause: str
    """One of a fixed set: `credentials`, `certificate`, `too_large`, ...; see docs/metrics.md."""
    count: int
    last_at: float
    """Seconds since the epoch."""
    last_peer: str
    """The address, without the port."""
    unbroken: int
    """How many since records were last accepted."""
    unbroken_since: float | None
    """When the first of those was, seconds since the epoch."""
    first_at: float | None = None
    """When the first of all was, seconds since the epoch; `None`: it is not known."""
    unbroken_known: int = 0
    """How many of those were peers whose records had been accepted before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadPartitionReading:
    """A partition of a topic that can't be read now."""

    topic: str
    partition: int
    """-1: the whole topic."""
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupReading:
    """How a source stands that shares the partitions of Kafka with other instances."""

    group: str
    commit: str
    """`accepted` or `delivered`: what positions are committed of."""
    partitions: int
    """How many are assigned to this instance."""
    rebalances: int
    """Since the source started."""
    lag: int | None
    """Messages in these partitions that were not accepted yet; `None`: not known."""
    lag_secs: float | None
    """How old the last accepted message is, of a partition with a lag; `None`: not known."""
    last_commit_at: float | None
    """When positions were last committed, seconds since the epoch; `None`: not yet."""
    undelivered_bytes: int
    """Bytes accepted that some feed has yet to pass; only counted with `delivered`."""
    unread: tuple[UnreadPartitionReading, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceReading:
    """A source, and what the spool accepted from it since it started."""

    name: str
    kind: str
    records: int
    data_bytes: int
    """LFs included."""
    last_at: float | None
    """When the last record was accepted, seconds since the epoch; `None`: none yet."""
    ended: bool
    """Whether nothing more will come."""
    last_error: str | None
    advice: str | None
    refusals: tuple[RefusalReading, ...] = ()
    """One for each cause that there was, the newest first."""
    held_up: str | None = None
    """Why its records can't be accepted now, as half a sentence; `None`: they are."""
    group: GroupReading | None = None
    """`None` for a source that shares nothing with other instances."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadReading:
    """The uploads of a feed since it started. Times are seconds since the epoch."""

    state: UploadState
    last_confirmed_at: float | None
    """When MCAS confirmed an upload last; `None`: none yet."""
    next_due_at: float | None
    """When what is collected is uploaded at the latest; `None`: nothing is collected."""
    held_until: float | None
    """When the upload at hand is tried again; `None` if nothing holds it."""
    unconfirmed: int
    """Files that counted as delivered though MCAS had not confirmed them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GapsReading:
    """What a feed can't use of one source's records in one form, and what it lacks of them."""

    source: str
    form: str
    """The form they are read in: `json`, a preset, or the name of a feed format."""
    unmapped: dict[str, int]
    """Keys that no field is known for, and in how many records they were: 64 names at most, and
    `...` for all others."""
    missing: tuple[str, ...]
    """What the feed prints of address, user and URL and no record states: `a user (login)`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonRejectReading:
    """The commonest reason for which a feed rejected records since it started."""

    reason: str
    """As of the last such record, without what it quotes of it."""
    records: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedReading:
    """A feed, and what became of its records."""

    name: str
    kind: str
    destination: str
    account: Account
    accepted: int
    pending: int
    pending_bytes: int = 0
    """What pending records take in the spool: whole batches, as of the last commit."""
    max_pending_bytes: int | None = None
    """How much that may be; `None`: no limit but the spool's."""
    drops_oldest: bool = False
    """Whether its oldest records are dropped at the limit; otherwise its sources wait."""
    limited_since: float | None = None
    """Since when the limit has held, seconds since the epoch; `None`: there is room."""
    limited_dropped: int = 0
    """Records dropped in that time."""
    lag_secs: float
    handed_over: int
    """Lines that its sink accepted; moves inside of batches, the account only at their end."""
    patience_secs: float
    sending: bool
    last_error: str | None
    advice: str | None
    upload: UploadReading | None = None
    """`None` for a sink that does not upload."""
    gaps: tuple[GapsReading, ...] = ()
    """Of each source's records, by form; those without any gap are left out."""
    next_try_at: float | None = None
    """When lines that were not taken are tried again, seconds since the epoch."""
    remedy: str = ""
    """What to do about `last_error`, as half a sentence; empty: its sink does not know."""
    common_reject: CommonRejectReading | None = None
    """`None`: it has rejected nothing since it started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolReading:
    """The spool."""

    durable: bool
    used_bytes: int
    max_bytes: int
    full: bool
    last_error: str | None
    kept_rejects: int
    trouble: SpoolTrouble | None = None
    """What kind of thing `last_error` is."""
    folder: str = ""
    """Where its files are; empty in memory."""
    replay_secs: float = 0.0
    """How long what was delivered or dropped is kept for a replay, space permitting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParseFailureReading:
    """An uploaded file that Cloud Discovery could not use."""

    at: float
    """When it was uploaded, seconds since the epoch."""
    text: str
    """The reason, as MCAS gives it."""
    remedy: str
    """What to do, as half a sentence."""
    file: str | None
    """The name of the file; `None` where MCAS does not say it."""
    feed: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsingReading:
    """What became in Cloud Discovery of the files that were uploaded in the last seven days."""

    data_source: str
    read_at: float | None
    """When that was last read to its end, seconds since the epoch."""
    unreadable: str | None
    """Why it can't be read now, so that the numbers may be old; `None` while it can."""
    parsed: int
    failed: int
    pending: int
    """Files that wait for a result."""
    overdue: int
    """Files that have no result after two days."""
    last_parsed_at: float | None
    """When the last file was uploaded that was parsed, seconds since the epoch."""
    last_failure: ParseFailureReading | None
    standing: tuple[ParseFailureReading, ...]
    """The last failure of each feed of which no later file was parsed, within some days."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftBehindReading:
    """Records that waited for a feed when the configuration stopped to have a place for them."""

    feed: str
    records: int
    at: float
    """When that was, seconds since the epoch."""
    until: float | None
    """Until when they can be replayed, space permitting; `None`: they are lost."""
    is_gone: bool = True
    """Whether the feed is gone; otherwise it has lost a source."""
    heirs: tuple[str, ...] = ()
    """Feeds that started in its place and begin with these records."""
    sources: tuple[str, ...] = ()
    """Where they came from; empty: it is not known."""
    oldest_at: float | None = None
    """When the first of them was accepted, seconds since the epoch; `None`: it is not known."""
    replayable: int | None = None
    """The feed is configured again: how many records a replay brought then. `None`: it is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewerFileReading:
    """A configuration file that says something else than what runs."""

    path: str
    since: float
    """When that was noticed, seconds since the epoch."""
    problem: str | None
    """Why it could not be put in force: the first thing that is wrong, in one line."""
    parts: tuple[str, ...]
    """Where only other files differ, which it names: what would start anew, as `feed mcas`."""
    needs_restart: tuple[str, ...]
    """The changed settings that a reload may not change."""
    more: int = 0
    """How many more things are wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedReloadReading:
    """A reload that was refused, none having succeeded since."""

    path: str
    at: float
    """When the first one was, seconds since the epoch."""
    why: str
    """The first thing that is wrong, as of the last one, in one line."""
    more: int
    """How many more are."""
    starts: bool
    """Whether a restart could put the file in force."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockReading:
    """How far our clock was from that of a server that answered."""

    ahead_secs: float
    """By how much ours was ahead; negative when it was behind."""
    host: str
    at: float
    """When that was, seconds since the epoch by our clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnwritableReading:
    """A state directory that can't be written."""

    path: str
    read_only: bool
    """Whether its whole file system is."""
    since: float
    """When that was noticed, seconds since the epoch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateReading:
    """An update of NSS that did not end well."""

    why: str
    """What happened, as half a sentence."""
    at: float
    """When it ended, or began if it was cut off, seconds since the epoch."""
    remedy: str
    """What to do, as half a sentence."""


@dataclass(frozen=True, slots=True)
class ElsewhereReading:
    """Which other machine does what one of several does, as the configuration says."""

    sync: str | None = None
    uploads: str | None = None


@dataclass(frozen=True, slots=True)
class ServiceReading:
    """All parts of the service."""

    sources: tuple[SourceReading, ...]
    feeds: tuple[FeedReading, ...]
    spool: SpoolReading
    parsing: ParsingReading | None = None
    """`None` where nothing is uploaded, or nobody asks what becomes of it."""
    expiries: tuple[Expiry, ...] = ()
    """Secrets and certificates that end, the next first."""
    sync: SyncReading | None = None
    elsewhere: ElsewhereReading = field(default_factory=ElsewhereReading)
    left_behind: tuple[LeftBehindReading, ...] = ()
    """What feeds left undelivered that the configuration no longer has, while that matters."""
    newer_file: NewerFileReading | None = None
    """`None`: the configuration file says what runs."""
    refused_reload: RefusedReloadReading | None = None
    unwritable: UnwritableReading | None = None
    """`None`: the state directory can be written, or there is none."""
    update: UpdateReading | None = None
    """`None`: the last update ended well, or there was none."""
    clock: ClockReading | None = None
    """`None`: no server has answered yet."""
