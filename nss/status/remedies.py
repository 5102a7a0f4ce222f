"""What to do about each reason of the health, in one sentence for people.

Many reasons come with their own remedy, after `Try: `; for the others it follows from the kind of
the part and what is wrong with it.
"""

from dataclasses import dataclass

from nss.status.summary import FeedStatus, Reason, SourceStatus, Status

_TRY = "Try: "

_BY_SINK = {
    "syslog_udp": "see whether the collector is up and the way to it open: nss test-firewall",
    "syslog_tcp": "see whether the collector listens and the way to it is open: nss test-firewall",
    "file": "see free space and rights of the file's folder: df and ls -l",
    "cloud_discovery": "test the credentials and the way to MCAS: sudo nss verify-mcas2",
}
_BY_SOURCE = {
    "file": "see whether the file is there and the service's user may read it: nss check",
    "tcp": "see what the senders do, and the source's certificate and limits: nss check",
    "http": "see what the senders do, and the source's token, certificate and limits: nss check",
    "stdin": "start it again with its input: nss run",
}


@dataclass(frozen=True, slots=True)
class Explained:
    """A reason with its remedy; `remedy` is empty where nothing is to be done."""

    component: str
    sentence: str
    remedy: str
    since: float | None
    degrades: bool


def explained(reason: Reason, status: Status) -> Explained:
    """Return a reason of the health of `status` with what to do about it."""
    sentence, _, remedy = reason.why.replace("\n", " ").partition(_TRY)
    sentence = sentence.rstrip().removesuffix(".")
    return Explained(
        reason.component,
        sentence,
        remedy.strip() or _remedy(reason, status),
        reason.since,
        reason.degrades,
    )


def _remedy(reason: Reason, status: Status) -> str:
    kind, _, name = reason.component.partition(" ")
    match kind:
        case "feed":
            feed = next((feed for feed in status.feeds if feed.name == name), None)
            return "" if feed is None else _of_feed(feed)
        case "source":
            source = next((source for source in status.sources if source.name == name), None)
            return "" if source is None else _of_source(source)
        case "spool":
            return _of_spool(status)
        case "sync":
            return "see what the next run would change: nss sync-unsanctioned --dry-run"
    return ""


def _of_feed(feed: FeedStatus) -> str:
    if feed.last_error is not None:
        return _BY_SINK.get(feed.kind, "")
    if feed.unaccounted:
        return "this is a fault of NSS: collect what helps to find it: sudo nss troubleshoot"
    if feed.still_secs or feed.lag_secs:
        return (
            "see what the destination takes: nss top; a faster destination, or a filter, helps a "
            "feed that is too slow"
        )
    if feed.rejected_lately:
        return f"see the records and the reasons: nss rejects --feed {feed.name}"
    return ""


def _of_source(source: SourceStatus) -> str:
    return "" if source.last_error is None else _BY_SOURCE.get(source.kind, "")


def _of_spool(status: Status) -> str:
    spool = status.spool
    if spool.last_error is not None:
        return "see free space and rights of the spool's folder: df, ls -l; and nss check"
    if spool.full:
        return "see which feed holds it back, and why; or set a larger max_bytes in [spool]"
    if not spool.durable:
        return 'set kind = "durable" in [spool], unless losing what waits is fine'
    return ""
