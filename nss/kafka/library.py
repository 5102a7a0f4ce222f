"""The library confluent-kafka, which is imported only where a configuration asks for Kafka."""

from importlib import import_module
from types import ModuleType

from nss.errors import ServiceError

_TIP = (
    "install NSS with it: pip install 'nss-streamer[kafka]'; the Debian package has it for the "
    "Python of its distribution"
)


def confluent_kafka() -> ModuleType:
    """Return the library. Raises `ServiceError` when it is not installed, or damaged."""
    try:
        return import_module("confluent_kafka")
    except ImportError as error:
        raise ServiceError(f"Kafka needs confluent-kafka: {error}", tip=_TIP) from None
