"""Whoever watches a source sees its messages, with what else is in them."""

import asyncio
import ctypes
from importlib.metadata import distribution
from typing import Any

import orjson
import pytest

from nss.feeds.tap import Seen, Tap
from tests.kafka.mocked import Cluster
from tests.sources.kafka.rig import Instance, Spool, instance, sender, until

WAIT_SECS = 20.0


async def watched(source: Instance, tap: Tap) -> None:
    """Return once messages that come from now on are shown."""
    source.source.watchers = {tap}
    await until(lambda: source.source._consuming.watched)


async def next_of(tap: Tap) -> Seen:
    async with asyncio.timeout(WAIT_SECS):
        return await anext(tap)


async def next_message(tap: Tap) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads((await next_of(tap)).data)
    return found


async def test_keys_headers_and_places_are_shown(cluster: Cluster) -> None:
    cluster.create("web", 2)
    spool, tap = Spool(), Tap(source="in")
    with sender(cluster.address) as sent:
        async with instance(cluster.address, spool) as source:
            await watched(source, tap)
            headers = [("trace", b"1-\xff"), ("trace", None), ("empty", b"")]
            sent.send_values(b"one\n\x1b[2J", partition=1, key=b"k\xe9y", headers=headers)
            found = [await next_message(tap)]
            sent.send_values(None)
            found.append(await next_message(tap))
            await source.until_lines(2)
    when = found[0].pop("produced_at")
    assert when.startswith("20")
    assert when.endswith("+00:00")
    assert found[0] == {
        "topic": "web",
        "partition": 1,
        "offset": 0,
        "key": "k\\xe9y",
        "headers": [["trace", "1-\\xff"], ["trace", None], ["empty", ""]],
        "value": "one\n\x1b[2J",
    }
    tombstone = {key: found[1][key] for key in ("partition", "key", "headers", "value")}
    assert tombstone == {"partition": 0, "key": None, "headers": [], "value": None}


@pytest.mark.parametrize("text", ["in the value", "in the key", "in a name", "in a header", "über"])
async def test_a_text_is_looked_for_in_all_that_is_shown(cluster: Cluster, text: str) -> None:
    cluster.create("web")
    spool, tap = Spool(), Tap(source="in", text=text)
    with sender(cluster.address) as sent:
        async with instance(cluster.address, spool) as source:
            await watched(source, tap)
            sent.send_values(b"other", key=b"other", headers=[("other", b"other")])
            sent.send_values(
                b"is in the value",
                key=b"is in the key",
                headers=[("is in a name", "is in a header, über".encode()), ("none", None)],
            )
            assert (await next_message(tap))["offset"] == 1
            await source.until_lines(2)


async def test_what_is_large_is_cut(cluster: Cluster) -> None:
    cluster.create("web")
    spool, tap = Spool(), Tap(source="in")
    with sender(cluster.address) as sent:
        async with instance(cluster.address, spool) as source:
            await watched(source, tap)
            headers = [("n" * 300, b"h" * 1000)] * 40
            sent.send_values(b"\0" * 100_000, key=b"k" * 300, headers=headers)
            seen = await next_of(tap)
    message = orjson.loads(seen.data)
    assert seen.full_bytes == 100_000
    assert message["value"] == "\0" * 16_384 + " ... 83,616 more bytes"
    assert message["key"] == "k" * 256 + " ... 44 more bytes"
    assert (
        message["headers"]
        == [["n" * 256 + " ... 44 more bytes", "h" * 256 + " ... 744 more bytes"]] * 32
    )
    assert message["more_headers"] == 8


@pytest.mark.parametrize(
    ("milliseconds", "shown"),
    [(1_700_000_000_123, "2023-11-14T22:13:20.123+00:00"), (2**62, 2**62), (-1, None)],
)
async def test_a_time_that_no_calendar_has_is_a_number(
    cluster: Cluster, milliseconds: int, shown: object
) -> None:
    cluster.create("web")
    spool, tap = Spool(), Tap(source="in")
    with sender(cluster.address) as sent:
        async with instance(cluster.address, spool) as source:
            await watched(source, tap)
            sent.send_values(b"one", timestamp=milliseconds)
            found = await next_message(tap)
    if shown is not None:
        assert found["produced_at"] == shown


async def test_a_header_whose_name_is_no_text_ends_nothing(cluster: Cluster) -> None:
    cluster.create("web")
    spool, tap = Spool(), Tap(source="in", text="one")
    async with instance(cluster.address, spool) as source:
        await watched(source, tap)
        await asyncio.to_thread(send_with_raw_header, cluster.address, b"na\xffme", b"one")
        found = await next_message(tap)
        await source.until_lines(1)
        assert source.source.last_error is None
    assert found["headers"] == "can't be read: a name is not UTF-8"
    assert found["value"] == "one"


async def test_nothing_is_prepared_while_nobody_watches(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.create("web")
    spool, shown = Spool(), list[object]()
    with sender(cluster.address) as sent:
        async with instance(cluster.address, spool) as source:
            source.source.watchers = {Tap(), Tap(source="other")}
            monkeypatch.setattr(source.source._consuming, "_show", shown.append)
            await asyncio.sleep(0.3)
            sent.send(100, 0)
            await source.until_lines(100)
    assert shown == []


def send_with_raw_header(brokers: str, name: bytes, value: bytes) -> None:
    """Send a message whose header has a name of any bytes, which only the C library does."""
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
    headers = ctypes.c_void_p(library.rd_kafka_headers_new(ctypes.c_size_t(1)))
    size = ctypes.c_ssize_t(len(name))
    assert not library.rd_kafka_header_add(headers, name, size, b"x", ctypes.c_ssize_t(1))
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
