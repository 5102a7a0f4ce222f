"""Messages that were taken from the partitions and wait to be handed on."""

from collections import deque
from collections.abc import Callable
from typing import Any

from nss.sources.kafka.offsets import Key

_SMOOTHING = 64
"""The mean size is that of about so many messages."""


class Taken:
    """Messages in the order in which they came."""

    def __init__(self) -> None:
        self.size_bytes = 0
        """Of their values, each with a line end."""
        self._messages = deque[Any]()
        self._mean_bytes = 1024.0

    def __bool__(self) -> bool:
        return bool(self._messages)

    def add(self, message: Any) -> None:  # noqa: ANN401 - of a library without types
        """Add a message behind the others."""
        size = _size(message)
        self._mean_bytes += (size - self._mean_bytes) / _SMOOTHING
        self._messages.append(message)
        self.size_bytes += size

    def holds(self, key: Key) -> bool:
        """Return whether there is a message of a partition."""
        return any((each.topic(), each.partition()) == key for each in self._messages)

    def wanted(self, most_bytes: int) -> int:
        """Return about how many more messages make `most_bytes`; at least one."""
        return int((most_bytes - self.size_bytes) / self._mean_bytes) + 1

    def pop_topic(self) -> list[Any]:
        """Take out all messages of the topic of the first."""
        topic = self._messages[0].topic()
        found = [message for message in self._messages if message.topic() == topic]
        self._keep(lambda message: message.topic() != topic)
        return found

    def drop(self, is_dropped: Callable[[Key], bool]) -> None:
        """Forget the messages of some partitions."""
        self._keep(lambda message: not is_dropped((message.topic(), message.partition())))

    def _keep(self, is_kept: Callable[[Any], bool]) -> None:
        self._messages = deque(message for message in self._messages if is_kept(message))
        self.size_bytes = sum(map(_size, self._messages))


def _size(message: Any) -> int:  # noqa: ANN401 - of a library without types
    return len(message.value() or b"") + 1
