"""What each reason of the health means for records, and the one thing that ends it.

Many parts bring a remedy with their sentence, after `Try: `; it is the more specific one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from nss.status.summary import FeedStatus, SourceStatus, SpoolStatus

_TRY = "Try: "

_OF_SINKS: Mapping[str, str] = {
    "syslog_udp": "see whether the collector is up and the way to it open: nss test-firewall",
    "syslog_tcp": "see whether the collector listens and the way to it is open: nss test-firewall",
    "file": "see free space and rights of the folder of {destination}: df, ls -l",
    "cloud_discovery": "test the credentials and the way to MCAS: sudo nss verify-mcas2",
    "kafka": "see whether the brokers are up and the way to all of them is open: nss test-firewall",
}
_OF_SOURCES: Mapping[str, str] = {
    "file": "see whether the file is there and the service's user may read it: sudo nss check",
    "tcp": "see what the senders do, and limits of [sources.{name}]: sudo nss check",
    "http": "see what the senders do, and token and limits of [sources.{name}]: sudo nss check",
    "stdin": "start it again with its input: nss run",
    "kafka": "see the brokers and the rights of the group, then [sources.{name}]: sudo nss check",
}
_OF_FILES: Mapping[str, str] = {
    "permission denied": "let the service's user read the file and enter its folder: ls -l, "
    "sudo setfacl -m u:nss:r FILE; it continues by itself",
    "no such file": "have its writer begin it, and it continues by itself; or correct path in "
    "[sources.{name}], then: sudo nss reload",
    "the file is gone": "have its writer begin a new one; it continues by itself",
}
_KEPT: Mapping[str, str] = {
    "file": "what is accepted stays; the file is read on from there",
    "tcp": "what is accepted stays; senders must keep the rest and send it again",
    "http": "what is accepted stays; senders must push the rest again, as Cloud NSS does for an "
    "hour",
    "kafka": "what is accepted stays; the rest waits in Kafka, as long as that keeps it",
    "stdin": "what is accepted stays; what was not read is lost when the input ends",
}

_PUSHED_AGAIN = "no record of these requests is accepted; Cloud NSS repeats each for up to an hour"
_NOT_SENT = "these senders send no records; what they keep comes once they can connect"


@dataclass(frozen=True, slots=True)
class Refused:
    """What a cause of refusals means to people; `{name}` is the source's."""

    why: str
    meaning: str
    remedy: str


REFUSED: Mapping[str, Refused] = {
    "credentials": Refused(
        "a sender pushes without the token, or with a wrong one",
        _PUSHED_AGAIN,
        "give the sender what is in the token file of [sources.{name}]",
    ),
    "forbidden": Refused(
        "a sender pushes for another host, which needs a token",
        _PUSHED_AGAIN,
        "set token_file in [sources.{name}], then: sudo nss reload",
    ),
    "certificate": Refused(
        "senders do not accept the server certificate",
        _NOT_SENT,
        "renew tls_certificate of [sources.{name}], or give senders its authority; then: sudo nss "
        "reload",
    ),
    "client_certificate": Refused(
        "senders show no certificate, or one of an unknown authority",
        _NOT_SENT,
        "give them one that tls_client_ca of [sources.{name}] signed",
    ),
    "framing": Refused(
        "records of a sender can't be told apart",
        "its connection is closed; the rest of what it sent is not accepted",
        "set framing of [sources.{name}] as the sender has it: newline or octet",
    ),
}
"""The causes that are mentioned. Others come from strangers as a rule (`path`, `tls`), or show as
an error of the source (`too_large`, `unsupported`) or of the spool (`busy`)."""


def parted(text: str) -> tuple[str, str]:
    """Return a sentence of a part and the remedy that it brings, which may be empty."""
    sentence, _, remedy = text.replace("\n", " ").partition(_TRY)
    return sentence.rstrip().removesuffix("."), remedy.strip()


def records(number: int) -> str:
    """Return a number of records in words."""
    return f"{number:,} record{'' if abs(number) == 1 else 's'}"


def of_sink(feed: FeedStatus) -> str:
    """Return what to do when the destination of a feed takes nothing."""
    return _OF_SINKS.get(feed.kind, "sudo nss troubleshoot feeds").format(
        destination=feed.destination
    )


def of_source(source: SourceStatus) -> str:
    """Return what to do about a source that fails."""
    if source.kind == "file" and source.last_error is not None:
        for cause, remedy in _OF_FILES.items():
            if cause in source.last_error:
                return remedy.format(name=source.name)
    return _OF_SOURCES.get(source.kind, "sudo nss check").format(name=source.name)


def waiting(feed: FeedStatus, spool: SpoolStatus) -> str:
    """Return what it means for a feed's records that none moves."""
    # Of what waits, too: a burst may be on its way before the first answer that nobody listens.
    is_in_doubt = feed.kind == "syslog_udp" and feed.last_error is not None
    udp = "; what was sent before may be lost: UDP confirms nothing" if is_in_doubt else ""
    if not feed.pending:
        return f"no record waits{udp}"
    wait = "waits" if feed.pending == 1 else "wait"
    if not spool.durable:
        return f"{records(feed.pending)} {wait} in memory; if the service ends, they are lost{udp}"
    if feed.dropped:
        dropped = f"{feed.dropped:,} {'was' if feed.dropped == 1 else 'were'} dropped"
        return f"{records(feed.pending)} {wait} in the spool; {dropped} since the feed began{udp}"
    return f"{records(feed.pending)} {wait} in the spool{udp or '; none is lost'}"


def refused_to(source: SourceStatus) -> str:
    """Return what it means for records that a source fails."""
    return _KEPT.get(source.kind, "what is accepted stays")
