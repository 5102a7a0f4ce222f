"""Which source or feed a socket of the service belongs to."""

import re
from urllib.parse import urlsplit

from nss.config.model import Config
from nss.config.sources import ListeningSourceConfig
from nss.connectivity.sockets import Socket
from nss.status.summary import FeedStatus

_HTTPS = 443
_PLACE = re.compile(r"(?:\[(?P<six>[^\]]+)\]|(?P<host>[^:\s]+)):(?P<port>\d+)(?: at (?P<at>\S+))?")


def owner(found: Socket, config: Config, feeds: tuple[FeedStatus, ...]) -> str:
    """Return `source web`, `feed siem`, `metrics`, `portal`, `MCAS`; nothing for others."""
    if found.proto.startswith("tcp"):
        for source in config.sources:
            if isinstance(source, ListeningSourceConfig) and (
                source.listen.port == found.local_port
            ):
                return f"source {source.name}"
        metrics = config.service.metrics_listen
        if metrics is not None and metrics.port == found.local_port:
            return "metrics"
        portal = config.portal.listen
        if portal is not None and portal.port == found.local_port:
            return "portal"
    for feed in feeds:
        if feed.kind.removeprefix("syslog_") == found.proto.rstrip("6") and _leads_to(feed, found):
            return f"feed {feed.name}"
    uploads = any(feed.kind == "cloud_discovery" for feed in feeds)
    ports = {_HTTPS, None if config.mcas.proxy is None else urlsplit(config.mcas.proxy).port}
    return "MCAS" if uploads and found.remote_port in ports else ""


def _leads_to(feed: FeedStatus, found: Socket) -> bool:
    place = _PLACE.fullmatch(feed.destination)
    if place is None or int(place["port"]) != found.remote_port:
        return False
    address = place["at"] or place["six"] or place["host"]
    return address.partition("%")[0] == found.remote_host
