"""What sources refused within the last hour, a line each."""

from collections.abc import Iterator

from nss.status.summary import SourceStatus, Status
from nss.wording import duration_text, harmless

_LATELY_SECS = 3600.0

_WORDS = {
    "credentials": "with no token or a wrong one",
    "forbidden": "for another host, without a token",
    "path": "to another path, or no POST",
    "too_large": "too large",
    "unsupported": "packed in an unknown way, or no text",
    "bad_request": "no valid HTTP",
    "slow": "too slow",
    "busy": "while busy",
    "certificate": "by senders that do not accept our certificate",
    "client_certificate": "without a valid client certificate",
    "tls": "for TLS that does not fit",
    "framing": "with records that can't be told apart",
}


def refusal_lines(status: Status) -> Iterator[str]:
    """Yield a line for each source that refused something within the last hour."""
    for source in status.sources:
        refused = ", ".join(_refused(source, status.at))
        if refused:
            yield harmless(f"refused  source {source.name}: {refused}")


def _refused(source: SourceStatus, at: float) -> Iterator[str]:
    for each in source.refusals:
        ago = at - each.last_at
        if ago < _LATELY_SECS:
            words = _WORDS.get(each.cause, each.cause)
            yield f"{each.count:,} {words} (last {duration_text(ago)} ago from {each.last_peer})"
