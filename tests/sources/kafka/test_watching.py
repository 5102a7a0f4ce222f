"""Whoever watches a source sees its messages, with what else is in them."""

import asyncio
import ctypes
import time
from collections.abc import Sequence
from importlib.metadata import distribution
from typing import Any

import pytest

from nss.sources.kafka.shown import MAX_SHOWN
from nss.sources.watching import MessageTap, SeenHeader, SeenMessage
from tests.kafka.mocked import Cluster
from tests.sources.kafka.rig import Instance, Spool, instance, sender, until

WAIT_SECS = 40.0


async def watched(source: Instance, *taps: MessageTap) -> None:
    """Return once messages that come from now on are shown."""
    source.source.watchers = set(taps)
    await until(lambda: source.source._consuming.showing.is_watched)


async def next_of(tap: MessageTap) -> SeenMessage:
    async with asyncio.timeout(WAIT_SECS):
        return await anext(tap)


async def test_keys_headers_and_places_are_shown(cluster: Cluster) -> None:
    cluster.create("web", 2)
    spool, tap, other = Spool(), MessageTap("in"), MessageTap("in")
    value = b"one\n\x1b[2J"
    with sender(cluster.address) as sent:
        async with instance(cluster.address, spool) as source:
            await watched(source, tap, other)
            headers = [("trace", b"1-\xff"), ("trace", None), ("empty", b"")]
            sent.send_values(value, partition=1, key=b"k\xe9y", headers=headers)
            found = await next_of(tap)
            assert await next_of(other) == found
            sent.send_values(None)
            tombstone = await next_of(tap)
            await source.until_lines(2)
    assert (found.source, found.topic, found.partition, found.offset) == ("in", "web", 1, 0)
    assert found.produced_ms is not None
    assert abs(found.produced_ms / 1000 - time.time()) < 60
    assert (found.key, found.key_bytes) == (b"k\xe9y", 3)
    shown = [SeenHeader(b"trace", b"1-\xff", 3), SeenHeader(b"trace", None, 0)]
    assert found.headers == (*shown, SeenHeader(b"empty", b"", 0))
    assert (found.value, found.value_bytes, found.more_headers) == (value, len(value), 0)
    assert (tombstone.partition, tombstone.key, tombstone.headers) == (0, None, ())
    assert (tombstone.value, tombstone.value_bytes) == (None, 0)


@pytest.mark.parametrize("text", ["in the value", "in the key", "in a name", "in a header", "über"])
async def test_a_text_is_looked_for_in_value_key_and_headers(cluster: Cluster, text: str) -> None:
    cluster.create("web")
    spool, tap = Spool(), MessageTap("in", text)
    with sender(cluster.address) as sent:
        async with instance(cluster.address, spool) as source:
            await watched(source, tap)
            sent.send_values(b"other", key=b"other", headers=[("other", b"other")])
            sent.send_values(
                b"is in the value",
                key=b"is in the key",
                headers=[("is in a name", "is in a header, über".encode()), ("none", None)],
            )
            assert (await next_of(tap)).offset == 1
            await source.until_lines(2)


async def test_what_is_large_is_cut(cluster: Cluster) -> None:
    cluster.create("web")
    spool, tap = Spool(), MessageTap("in")
    with sender(cluster.address) as sent:
        async with instance(cluster.address, spool) as source:
            await watched(source, tap)
            headers = [("n" * 300, b"h" * 1000)] * 40
            sent.send_values(b"\0" * 100_000, key=b"k" * 300, headers=headers)
            seen = await next_of(tap)
    assert (seen.value, seen.value_bytes) == (b"\0" * 16_384, 100_000)
    assert (seen.key, seen.key_bytes) == (b"k" * 256, 300)
    assert seen.headers == (SeenHeader(b"n" * 256, b"h" * 256, 1000),) * 32
    assert seen.more_headers == 8


async def test_headers_whose_names_are_no_text_end_nothing(cluster: Cluster) -> None:
    """After many that are, as Python then calls what is called often in another way."""
    cluster.create("web")
    spool, tap, other = Spool(), MessageTap("in", "bad"), MessageTap("in", max_per_sec=10_000)
    bad = 5
    with sender(cluster.address) as sent:
        async with instance(cluster.address, spool) as source:
            await watched(source, tap, other)
            for number in range(200):
                sent.send_values(b"good %d" % number, headers=[("name", b"value")])
            await asyncio.to_thread(send_raw_headers, cluster.address, [b"bad"] * bad)
            sent.send_values(*[b"good"] * 100, headers=[("name", b"value")])
            found = [await next_of(tap) for _ in range(bad)]
            await source.until_lines(300 + bad)
            assert source.source.last_error is None
    assert {(message.headers, message.value) for message in found} == {(None, b"bad")}


async def test_more_than_can_be_shown_is_counted(cluster: Cluster) -> None:
    cluster.create("web")
    spool, tap = Spool(), MessageTap("in")
    with sender(cluster.address) as sent:
        async with instance(cluster.address, spool) as source:
            await watched(source, tap)
            sent.send(5 * MAX_SHOWN, 0)
            await source.until_lines(5 * MAX_SHOWN)
            await asyncio.sleep(0.1)
            sent.send(1, 0)
            while (last := await next_of(tap)).offset < 5 * MAX_SHOWN:
                shown = last
    assert shown.offset < 5 * MAX_SHOWN
    assert last.left_out >= 5 * MAX_SHOWN - 256


async def test_while_the_loop_stands_still_nothing_piles_up(cluster: Cluster) -> None:
    cluster.create("web")
    spool, tap, parts = Spool(), MessageTap("in"), list[int]()
    with sender(cluster.address) as sent:
        async with instance(cluster.address, spool) as source:
            await watched(source, tap)
            show = source.source._consuming.showing.show

            def counted(messages: Sequence[Any], left_out: int) -> None:
                parts.append(len(messages))
                show(messages, left_out)

            source.source._consuming.showing.show = counted
            for _ in range(20):  # which nobody hands on
                sent.send_values(None)
                time.sleep(0.05)  # noqa: ASYNC251 - the loop stands still
            piled = len(parts)
            await next_of(tap)
    assert piled <= 1


async def test_nothing_is_prepared_while_nobody_watches(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.create("web")
    spool, shown = Spool(), list[object]()
    with sender(cluster.address) as sent:
        async with instance(cluster.address, spool) as source:
            source.source.watchers = {MessageTap("other")}
            monkeypatch.setattr(
                source.source._consuming.showing, "show", lambda *some: shown.append(some)
            )
            await asyncio.sleep(0.3)
            sent.send(100, 0)
            await source.until_lines(100)
    assert shown == []


def send_raw_headers(brokers: str, values: list[bytes]) -> None:
    """Send messages with headers whose names are no text, which only the C library does."""
    files = distribution("confluent_kafka").files or []
    (path,) = [file.locate() for file in files if "librdkafka-" in file.name]
    library = ctypes.CDLL(str(path))
    for function in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_headers_new"):
        getattr(library, function).restype = ctypes.c_void_p
    error = ctypes.create_string_buffer(256)
    conf = ctypes.c_void_p(library.rd_kafka_conf_new())
    options = ((b"bootstrap.servers", brokers.encode()), (b"log_level", b"0"))
    for key, option in options:
        assert library.rd_kafka_conf_set(conf, key, option, error, ctypes.c_size_t(256)) == 0
    producer = ctypes.c_void_p(library.rd_kafka_new(0, conf, error, ctypes.c_size_t(256)))
    assert producer.value, error.value
    for value in values:
        headers = ctypes.c_void_p(library.rd_kafka_headers_new(ctypes.c_size_t(1)))
        size = ctypes.c_ssize_t(3)
        assert not library.rd_kafka_header_add(headers, b"a\xffb", size, b"x", ctypes.c_ssize_t(1))
        topic, payload, with_headers, end = 1, 4, 10, 0  # rd_kafka_vtype_t
        sent = library.rd_kafka_producev(
            producer,
            *(ctypes.c_int(topic), ctypes.c_char_p(b"web")),
            *(ctypes.c_int(payload), ctypes.c_char_p(value), ctypes.c_size_t(len(value))),
            *(ctypes.c_int(with_headers), headers),
            ctypes.c_int(end),
        )
        assert sent == 0
    assert library.rd_kafka_flush(producer, 10_000) == 0
    library.rd_kafka_destroy(producer)
