"""What happens as time passes: secrets and certificates end, and what was seen is kept."""

from logging import WARNING

from nss.telemetry.events import event


@event(WARNING, name="credential_expires", always=True)
def expires(component: str, credential: str, place: str, days: int, why: str) -> None:
    """A secret or a certificate ends soon, or has ended."""


@event(WARNING, component="history")
def history_unreadable(path: str, why: str) -> None:
    """What was kept of rates, lag and pending over time can't be used; it begins anew."""


@event(WARNING, component="history")
def history_not_saved(path: str, why: str) -> None:
    """Rates, lag and pending over time can't be kept for a restart; records are not affected.

    Their place is service.state_directory, which is otherwise needed for uploads alone.
    """
