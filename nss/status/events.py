"""What happens as time passes: secrets and certificates come to their ends."""

from logging import WARNING

from nss.telemetry.events import event


@event(WARNING, name="credential_expires", always=True)
def expires(component: str, credential: str, place: str, days: int, why: str) -> None:
    """A secret or a certificate ends soon, or has ended."""
