"""What librdkafka says."""

from logging import INFO, WARNING

from nss.telemetry.events import event


@event(WARNING, name="kafka_warned")
def warned(part: str, facility: str, text: str) -> str:
    """The Kafka library reports trouble."""
    return facility


@event(INFO, name="kafka_noted")
def noted(part: str, facility: str, text: str) -> str:
    """The Kafka library reports something."""
    return facility
