"""Makes batches of messages: a message holds one record, or several lines, or JSON over lines."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from nss.sources.framing.json import DECIDE_BYTES, JsonFramer, spans_lines
from nss.sources.framing.lines import Framer, LineFramer
from nss.sources.kafka.offsets import Key, Offsets


class Message(Protocol):
    """What is used of a message of `confluent_kafka`."""

    def topic(self) -> str:
        """Return the topic."""

    def partition(self) -> int:
        """Return the number of the partition."""

    def offset(self) -> int:
        """Return the offset in it."""

    def value(self) -> bytes | None:
        """Return what it holds; `None` for a tombstone."""

    def timestamp(self) -> tuple[int, int]:
        """Return the kind of its time, 0 for none, and the milliseconds since the epoch."""


class Framed(NamedTuple):
    """Records of messages, as a batch has them."""

    data: bytes
    records: int
    offsets: Offsets
    """Behind the last message of each partition."""
    at: dict[Key, float]
    """When that message was produced, seconds since the epoch, where it says so."""


def framed(messages: Sequence[Message], max_record_bytes: int) -> Framed:
    """Return the records of messages of one topic, in their order. Each message ends its record."""
    last: dict[int, Message] = {}
    values: list[bytes] = []
    for message in messages:
        last[message.partition()] = message
        if value := message.value():
            values.append(value)
    data, records = _records(values, max_record_bytes)
    offsets: Offsets = {}
    at: dict[Key, float] = {}
    for partition, message in last.items():
        key = (message.topic(), partition)
        offsets[key] = message.offset() + 1
        kind, milliseconds = message.timestamp()
        if kind:
            at[key] = milliseconds / 1000
    return Framed(data, records, offsets, at)


def _records(values: list[bytes], max_record_bytes: int) -> tuple[bytes, int]:
    if not values:
        return b"", 0
    block = b"\n".join(values) + b"\n"
    framer: Framer = LineFramer(max_record_bytes, at_start=False)
    if block.count(b"\n") == len(values):  # one line each, as nearly everybody sends it
        return framer.feed(block), framer.records
    found, records = [], 0
    for value in values:
        framer = _framer(value, max_record_bytes)
        for data in _parts(framer, value):
            found.append(data)
            records += framer.records
    return b"".join(found), records


def _parts(framer: Framer, value: bytes) -> Iterable[bytes]:
    yield framer.feed(value)
    yield framer.flush()


def _framer(value: bytes, max_record_bytes: int) -> Framer:
    if b"\n" in value and spans_lines(value[:DECIDE_BYTES], ended=len(value) <= DECIDE_BYTES):
        return JsonFramer(max_record_bytes)
    return LineFramer(max_record_bytes)
