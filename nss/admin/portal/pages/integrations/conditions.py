"""What has to be so for logs to reach MCAS, each with its state: never a false yes."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from nss.admin.portal.pages.integrations.foreign import shown
from nss.config.discovery import suits_collector
from nss.config.model import Config, FeedConfig
from nss.config.sinks import CloudDiscoverySinkConfig, SyslogTcpSinkConfig, SyslogUdpSinkConfig
from nss.config.values import FormatChoice
from nss.status.summary import FeedStatus, Status

LATELY_SECS = 15 * 60.0
"""A source that had records within this time is active."""

_FEED_WORDS = (
    *("not delivering", "late"),
    *("delivering", "sent, unconfirmed", "quiet", "nothing yet"),
)
"""What a feed may be like; of several the first of these is shown."""

_GRACE_SECS = 60.0
"""How long records may wait beyond what their feed collects anyhow."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One of them. `kind` is that of a chip: good, warn, bad or quiet."""

    title: str
    kind: str
    word: str
    sentence: str
    at: float | None = None
    """When it was last seen to be so, seconds since the epoch."""
    tip: str = ""


def conditions(status: Status, config: Config, has_memory: bool | None) -> list[Condition]:  # noqa: FBT001 - a reading
    """Return the conditions in the order to show them.

    `has_memory`: whether the machine has the memory that is recommended; `None`: not known.
    """
    return [
        _log_source(status),
        _health(status),
        _mcas_feed(status, config),
        _memory(has_memory),
    ]


def _log_source(status: Status) -> Condition:
    title = "Log source active"
    heard = [source for source in status.sources if source.last_at is not None]
    last = max(heard, key=lambda source: source.last_at or 0.0, default=None)
    at = None if last is None else last.last_at
    failing = next((source for source in status.sources if source.last_error is not None), None)
    tip = "see what the source waits for: its page under Feeds; nss check looks at its settings"
    if at is not None and last is not None and 0 <= status.at - at <= LATELY_SECS:
        return Condition(title, "good", "active", f"records come from {last.name}", at)
    if failing is not None:
        sentence = f"{failing.name}: {shown(failing.last_error)}"
        return Condition(title, "bad", "failing", sentence, at, tip)
    if at is None:
        return Condition(title, "warn", "nothing yet", "no record since the start", None, tip)
    return Condition(title, "warn", "quiet", "no record for 15 minutes", at, tip)


def _health(status: Status) -> Condition:
    title = "NSS healthy"
    if status.health.ok:
        return Condition(title, "good", "healthy", "records get where they should")
    found = next((reason for reason in status.health.reasons if reason.degrades), None)
    if found is None:
        return Condition(title, "bad", "degraded", "the overview says why")
    sentence = f"{found.component}: {shown(found.why)}"
    return Condition(title, "bad", "degraded", sentence, None, shown(found.remedy))


def _mcas_feed(status: Status, config: Config) -> Condition:
    title = "MCAS feed configured and delivering"
    names = {feed.name for feed in config.feeds if _goes_to_mcas(feed)}
    feeds = [feed for feed in status.feeds if feed.name in names]
    if not feeds:
        return Condition(
            title,
            "bad",
            "no feed",
            "no feed uploads, or goes to a log collector in a format that Cloud Discovery parses",
            None,
            'add a feed with format "MCAS" and a sink of kind "cloud_discovery" or "syslog_udp"',
        )
    found = [_delivering(title, feed, status) for feed in feeds]
    return min(found, key=lambda condition: _FEED_WORDS.index(condition.word))


def _goes_to_mcas(feed: FeedConfig) -> bool:
    match feed.sink:
        case CloudDiscoverySinkConfig():
            return True
        case SyslogTcpSinkConfig() | SyslogUdpSinkConfig():
            return _suits_collector(feed.format)
    return False


@lru_cache(maxsize=64)
def _suits_collector(choice: FormatChoice) -> bool:
    return suits_collector(choice)


def _delivering(title: str, feed: FeedStatus, status: Status) -> Condition:
    at, name = feed.last_delivered_at, feed.name
    wrong = next(_wrong(feed), None)
    if wrong is not None:
        tip = "see the feed's page; sudo nss verify-mcas2 tests the way to MCAS"
        return Condition(title, "bad", "not delivering", f"{name}: {wrong}", at, tip)
    verb = "confirmed" if feed.confirmation == "confirmed" else "sent"
    if at is None:
        sentence = f"{name}: nothing was {verb} since the start"
        return Condition(title, "quiet", "nothing yet", sentence)
    if feed.pending and feed.lag_secs > feed.patience_secs + _GRACE_SECS:
        sentence = f"{name}: records wait longer than they should"
        return Condition(title, "warn", "late", sentence, at, "see the feed's page")
    if status.at - at > LATELY_SECS + feed.patience_secs:
        sentence = f"{name}: nothing was {verb} lately"
        return Condition(title, "warn", "quiet", sentence, at)
    if feed.confirmation == "confirmed":
        return Condition(title, "good", "delivering", f"{name}: MCAS confirms uploads", at)
    sentence = f"{name}: sent to {shown(feed.destination)}, where nobody confirms it"
    tip = "the data source in the Defender portal shows whether logs arrive"
    return Condition(title, "quiet", "sent, unconfirmed", sentence, at, tip)


def _wrong(feed: FeedStatus) -> Iterator[str]:
    """Yield what keeps a feed from delivering."""
    if feed.last_error is not None:
        yield shown(feed.last_error)
    if feed.upload is not None and feed.upload.state in {"failing", "held", "stopped"}:
        yield f"uploads are {feed.upload.state}"
    if feed.upload is not None and feed.upload.state == "unconfirmed":
        yield "MCAS has not said that it took the last file"
    if feed.state in {"failing", "stuck"}:
        yield f"it is {feed.state}"


def _memory(has_memory: bool | None) -> Condition:  # noqa: FBT001 - a reading
    title = "8 GB of memory"
    match has_memory:
        case True:
            return Condition(title, "good", "as recommended", "the machine has what is recommended")
        case False:
            sentence = "the machine, or what it allows the service, has less"
            tip = "give it 8 GB: an MCAS feed of a busy organisation needs them"
            return Condition(title, "warn", "less", sentence, None, tip)
    return Condition(title, "quiet", "not known", "how much memory there is can't be found out")
