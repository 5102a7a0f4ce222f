"""What the consumer is made with."""

from nss.config.sources import KafkaSourceConfig
from nss.kafka.settings import ClientSettings, check_settings, client_settings

SESSION_SECS = 30.0
"""How long a member may be silent before its partitions go to others. Event Hubs advises it."""

STATISTICS_MS = 2000
"""How often librdkafka tells how it stands in the group."""

_POLL_MS = 300_000
_REFRESH_MS = 60_000
_KIB = 1024


def consumer_settings(settings: KafkaSourceConfig) -> ClientSettings:
    """Return them, with the secrets of the files that are named. Raises `NssError`."""
    part = f"source {settings.name}"
    found = client_settings(part, settings, settings.kafka)
    found.setdefault("fetch.queue.backoff.ms", 10)
    found.setdefault("max.poll.interval.ms", _POLL_MS)
    # So soon it is seen that there are more topics or partitions.
    found.setdefault("topic.metadata.refresh.interval.ms", _REFRESH_MS)
    # The other protocol of groups (KIP-848) has these at the brokers.
    if found.get("group.protocol", "classic") == "classic":
        found.setdefault("session.timeout.ms", int(SESSION_SECS * 1000))
        found["partition.assignment.strategy"] = "cooperative-sticky"
        found["statistics.interval.ms"] = STATISTICS_MS
    found |= {
        "group.id": settings.group,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        # What is out of range is for us to decide, and to report.
        "auto.offset.reset": "error",
        # A partition that could not be read is well again once its end is seen.
        "enable.partition.eof": True,
        "queued.max.messages.kbytes": settings.prefetch_bytes // _KIB,
    }
    if settings.instance_id is not None:
        found["group.instance.id"] = settings.instance_id
    check_settings(part, found, consumes=True)
    return found


def session_secs(client: ClientSettings) -> float:
    """Return how long the member may be silent."""
    return float(client.get("session.timeout.ms", SESSION_SECS * 1000)) / 1000
