"""What happens at the control socket and the metrics port, one function an event."""

import logging

from nss.telemetry.events import count, emit


def request_failed(component: str, request: str, where: str) -> None:
    """Tell that a request ended in an error that nobody planned; the service goes on."""
    count("requests_failed", component)
    emit(
        logging.ERROR,
        "request_failed",
        component,
        "A request of an operator failed; the stream is not touched by it.",
        request=request,
        where=where,
    )
