"""What happens at the control socket."""

from logging import ERROR

from nss.telemetry.counters import Counter
from nss.telemetry.events import event


@event(ERROR, Counter.REQUESTS_FAILED)
def request_failed(part: str, request: str, where: str) -> None:
    """An operator's request failed; the stream is not affected.

    It ended in an error that nobody planned.
    """
