"""`nss run` from its start to its end: what goes in comes out, and its end shows how it went."""

import asyncio
import gzip
import signal

import orjson

from formats import filters
from nss.lab.generator import RecordGenerator
from tests.service.conftest import (
    Bench,
    Collector,
    Running,
    file_feed,
    file_source,
    rendered,
    udp_feed,
)

DRAINED = "The service stopped; everything accepted was delivered."


def records(count: int, seed: int = 1) -> bytes:
    return RecordGenerator(seed).batch(count)


async def test_a_file_goes_to_two_feeds_each_with_its_own_format_and_filter(
    bench: Bench, collector: Collector
) -> None:
    data = records(400)
    (bench.folder / "web.log").write_bytes(data + b"no record\n")

    running = await bench.start(
        file_source("web"),
        udp_feed(collector.port, "max_messages_per_sec = 2000"),
        file_feed("csv", preset="CSV"),
        '[feeds.csv.filter]\naction = "Blocked"\n',
    )

    assert await running.ended() == 0
    await collector.arrived(400)
    assert collector.messages == rendered(data, "MCAS")
    blocked = rendered(data, "CSV", filters.parse({"action": "Blocked"}))
    assert bench.lines("csv") == blocked
    assert {name: account(running, name) for name in ("mcas", "csv")} == {
        "mcas": [401, 400, 0, 1, 0],
        "csv": [401, len(blocked), 400 - len(blocked), 1, 0],
    }
    assert running.events[-1]["message"] == DRAINED


async def test_records_that_are_to_stay_unchanged_can_be_read_by_the_next(bench: Bench) -> None:
    data = records(400)
    (bench.folder / "web.log").write_bytes(data.replace(b"\n", b"\r\n") + b"no record\n")
    running = await bench.start(
        file_source("web"),
        file_feed("all", preset="unchanged"),
        file_feed("some", preset="unchanged"),
        '[feeds.some.filter]\naction = "Blocked"\n',
    )
    assert await running.ended() == 0
    blocked = rendered(data, "MCAS", filters.parse({"action": "Blocked"}))
    assert (bench.folder / "all").read_bytes() == data
    some = (bench.folder / "some").read_bytes()
    assert rendered(some, "MCAS") == blocked  # those records, of which a reader makes the same
    assert set(some.splitlines()) < set(data.splitlines())
    assert {name: account(running, name) for name in ("all", "some")} == {
        "all": [401, 400, 0, 1, 0],
        "some": [401, len(blocked), 400 - len(blocked), 1, 0],
    }


def account(running: Running, feed: str) -> list[object]:
    totals = running.totals()[feed]
    names = ("accepted", "delivered", "filtered", "rejected", "pending")
    return [totals[name] for name in names]


async def test_sigterm_delivers_what_is_pending_before_it_ends(
    bench: Bench, collector: Collector
) -> None:
    data = records(300)
    (bench.folder / "web.log").write_bytes(data)
    running = await bench.start(
        file_source("web", follow=True), udp_feed(collector.port, "max_messages_per_sec = 600")
    )
    await collector.arrived(1)

    running.send_signal(signal.SIGTERM)

    assert (await running.reported("service_stopping"))["reason"] == "SIGTERM"
    assert len(collector.messages) < 300
    assert await running.ended() == 0
    await collector.arrived(300)
    assert collector.messages == rendered(data, "MCAS")
    assert account(running, "mcas") == [300, 300, 0, 0, 0]
    assert running.events[-1]["message"] == DRAINED


async def test_sigterm_with_a_dead_collector_ends_in_time_and_says_what_is_pending(
    bench: Bench, dead_port: int
) -> None:
    (bench.folder / "web.log").write_bytes(records(50))
    running = await bench.start(
        file_source("web", follow=True), udp_feed(dead_port), drain_secs=0.3
    )
    await running.reported("sink_failed")

    running.send_signal(signal.SIGTERM)

    assert await running.ended() == 75
    assert account(running, "mcas") == [50, 0, 0, 0, 50]
    last = running.events[-1]
    assert (last["event"], last["level"], last["pending"]) == ("service_stopped", "error", 50)


async def test_a_second_signal_ends_it_at_once(bench: Bench, dead_port: int) -> None:
    (bench.folder / "web.log").write_bytes(records(50))
    running = await bench.start(file_source("web"), udp_feed(dead_port), drain_secs=3600)
    await running.reported("sink_failed")
    running.send_signal(signal.SIGINT)
    await running.reported("service_stopping", reason="SIGINT")

    running.send_signal(signal.SIGTERM)

    assert await running.ended() == 128 + signal.SIGTERM
    last = running.events[-1]
    assert (last["event"], last["level"], last["pending"]) == ("service_forced", "error", 50)


async def test_stdin_is_read_to_its_end(bench: Bench) -> None:
    data = records(100)
    running = await bench.start(
        '[sources.pipe]\nkind = "stdin"\n',
        '[feeds.out]\nformat = "QRADAR"\n[feeds.out.sink]\nkind = "file"\npath = "-"\n',
    )

    stdout, _ = await asyncio.gather(running.stdout.read(), give(running.stdin, data))

    assert await running.ended() == 0
    assert stdout.splitlines() == rendered(data, "QRADAR")


async def give(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()
    writer.close()


async def test_records_over_tcp_keep_their_order_within_a_connection(bench: Bench) -> None:
    running = await bench.start(
        '[sources.gateway]\nkind = "tcp"\nlisten = "127.0.0.1:0"\n', file_feed("lines")
    )
    (listening,) = (event for event in running.events if event["event"] == "listening")  # by now
    host, _, port = str(listening["address"]).rpartition(":")

    async def send(data: bytes) -> None:
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(data)
        writer.write_eof()
        await reader.read()  # the other side closes once all of it is accepted
        writer.close()

    parts = [records(100, seed) for seed in (1, 2)]
    await asyncio.gather(*map(send, parts))
    running.send_signal(signal.SIGTERM)

    assert await running.ended() == 0
    lines = bench.lines("lines")
    expected = [rendered(part, "QRADAR") for part in parts]
    assert sorted(lines) == sorted(expected[0] + expected[1])
    for part in expected:
        assert [line for line in lines if line in set(part)] == part


async def test_what_can_be_read_of_a_damaged_file_is_delivered_and_the_exit_code_says_so(
    bench: Bench,
) -> None:
    data = records(100)
    (bench.folder / "web.log").write_bytes(gzip.compress(data)[:-100])

    running = await bench.start(file_source("web"), file_feed("lines"))

    failure = await running.reported("part_ended")
    assert (failure["component"], failure["level"]) == ("web", "error")
    assert await running.ended() == 74
    lines = bench.lines("lines")
    assert lines == rendered(data, "QRADAR")[: len(lines)]
    assert account(running, "lines") == [len(lines), len(lines), 0, 0, 0]
    assert len(lines) > 80


async def test_nothing_of_a_record_is_in_the_log(bench: Bench, collector: Collector) -> None:
    private = "S3cr3t"
    good = {
        "login": private,
        "eurl": f"{private}.example/" + 9000 * private,
        "epochtime": 1767225600,
    }
    lines = [
        orjson.dumps(good),
        orjson.dumps({**good, "respsize": private}),
        orjson.dumps({**good, "epochtime": None, "time": private}),
        orjson.dumps({**good, "epochtime": None, "time": f'it\'s "{private}"'}),
        orjson.dumps({**good, "login": [private]}),
        orjson.dumps(private),
        b'{"login": "%s' % private.encode(),
        b'{"login": "%s\xff"}' % private.encode(),
        private.encode(),
    ]
    # A feed each, or what looks like a repetition would be held back.
    sections = []
    for number, line in enumerate(lines):
        (bench.folder / f"s{number}.log").write_bytes(lines[0] + b"\n" + line + b"\n")
        sections += [
            file_source(f"s{number}"),
            udp_feed(collector.port)
            .replace("feeds.mcas", f"feeds.f{number}")
            .replace("format =", f'sources = ["s{number}"]\nformat ='),
        ]

    running = await bench.start(*sections, log_level="debug")

    assert await running.ended() == 0
    accounts = [account(running, f"f{number}") for number in range(len(lines))]
    assert accounts == [[2, 2, 0, 0, 0], *([[2, 1, 0, 1, 0]] * (len(lines) - 1))]
    logged = [event["event"] for event in running.events]
    assert logged.count("line_shortened") == len(lines)
    assert logged.count("record_rejected") == len(lines) - 1
    assert private.encode() not in running.raw_log
