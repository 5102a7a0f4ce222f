"""What a source refused within the last hour, in a line."""

from collections.abc import Iterator

from cli.screen.wording import ago, count_text
from nss.status.summary import SourceStatus
from nss.wording import harmless

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


def refused_lines(source: SourceStatus, at: float) -> Iterator[str]:
    """Yield a line if it refused something within the last hour."""
    refused = ", ".join(_refused(source, at))
    if refused:
        yield harmless(f"refused: {refused}")


def _refused(source: SourceStatus, at: float) -> Iterator[str]:
    for each in source.refusals:
        if at - each.last_at < _LATELY_SECS:
            words = _WORDS.get(each.cause, each.cause)
            last = f"last {ago(each.last_at, at)} from {each.last_peer}"
            yield f"{count_text(each.count)} {words} ({last})"
