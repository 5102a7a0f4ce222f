"""`nss run` from its start to its end: what goes in comes out, and its end tells how it went."""

import asyncio
import gzip
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson

from formats import filters, presets
from formats.pipeline import FeedSettings, Pipeline
from formats.read_json import json_names
from nss.lab.generator import RecordGenerator

NssRun = Callable[[Path], Awaitable[Any]]

DRAINED = "The service stopped; everything accepted was delivered."


def settings(folder: Path, text: str, *, drain_secs: float = 10) -> Path:
    """Write a configuration file that logs JSON."""
    path = folder / "nss.toml"
    path.write_text(f'[service]\nlog_format = "json"\ndrain_secs = {drain_secs}\n{text}')
    return path


def file_source(path: Path, *, follow: bool = False) -> str:
    return f'[sources.web]\nkind = "file"\npath = "{path}"\nfollow = {str(follow).lower()}\n'


def udp_feed(port: int, *more: str, name: str = "mcas") -> str:
    lines = (f'[feeds.{name}]\nformat = "MCAS"\n[feeds.{name}.sink]\nkind = "syslog_udp"',)
    return "\n".join((*lines, f'destinations = ["127.0.0.1:{port}"]', *more, ""))


def rendered(data: bytes, preset: str, **more: Any) -> list[bytes]:  # noqa: ANN401 - settings
    return Pipeline(json_names(), FeedSettings(presets.load(preset), **more)).run(data).lines


def records(count: int, seed: int = 1) -> bytes:
    return RecordGenerator(seed).batch(count)


async def test_a_file_goes_to_two_feeds_each_with_its_own_format_and_filter(
    nss_run: NssRun, collector: Any, tmp_path: Path
) -> None:
    data = records(400)
    (tmp_path / "web.log").write_bytes(data + b"no record\n")
    config = settings(
        tmp_path,
        file_source(tmp_path / "web.log")
        + udp_feed(collector.port, "max_messages_per_sec = 2000")
        + '[feeds.csv]\nformat = "CSV"\n[feeds.csv.filter]\naction = "Blocked"\n'
        '[feeds.csv.sink]\nkind = "file"\npath = "web.csv"\n',
    )

    running = await nss_run(config)

    assert await running.ended() == 0
    await collector.arrived(400)
    assert collector.messages == rendered(data, "MCAS")
    blocked = filters.parse({"action": "Blocked"})
    kept = rendered(data, "CSV", filter=blocked)
    assert (tmp_path / "web.csv").read_bytes().splitlines() == kept
    account = ("accepted", "delivered", "filtered", "rejected", "pending")
    assert {name: [one[key] for key in account] for name, one in running.totals().items()} == {
        "mcas": [401, 400, 0, 1, 0],
        "csv": [401, len(kept), 400 - len(kept), 1, 0],
    }
    assert running.events[-1]["message"] == DRAINED


async def test_sigterm_delivers_what_is_pending_before_it_ends(
    nss_run: NssRun, collector: Any, tmp_path: Path
) -> None:
    data = records(300)
    (tmp_path / "web.log").write_bytes(data)
    config = settings(
        tmp_path,
        file_source(tmp_path / "web.log", follow=True)
        + udp_feed(collector.port, "max_messages_per_sec = 600"),
    )
    running = await nss_run(config)
    await collector.arrived(1)

    running.send_signal(signal.SIGTERM)

    assert (await running.told("service_stopping"))["reason"] == "SIGTERM"
    assert len(collector.messages) < 300
    assert await running.ended() == 0
    await collector.arrived(300)
    assert collector.messages == rendered(data, "MCAS")
    assert (running.events[-1]["event"], running.events[-1]["message"]) == (
        "service_stopped",
        DRAINED,
    )


async def test_sigterm_with_a_dead_collector_ends_in_time_and_tells_what_is_pending(
    nss_run: NssRun, dead_port: int, tmp_path: Path
) -> None:
    (tmp_path / "web.log").write_bytes(records(50))
    config = settings(
        tmp_path,
        file_source(tmp_path / "web.log", follow=True) + udp_feed(dead_port),
        drain_secs=0.3,
    )
    running = await nss_run(config)
    await running.told("sink_failed")

    running.send_signal(signal.SIGTERM)
    began = time.monotonic()

    assert await running.ended() == 75
    assert time.monotonic() - began < 3
    assert running.totals()["mcas"]["pending"] == 50
    assert (running.events[-1]["event"], running.events[-1]["pending"]) == ("service_stopped", 50)
    assert running.events[-1]["level"] == "error"


async def test_a_second_signal_ends_it_at_once(
    nss_run: NssRun, dead_port: int, tmp_path: Path
) -> None:
    (tmp_path / "web.log").write_bytes(records(50))
    config = settings(
        tmp_path, file_source(tmp_path / "web.log") + udp_feed(dead_port), drain_secs=3600
    )
    running = await nss_run(config)
    await running.told("sink_failed")
    running.send_signal(signal.SIGINT)
    await running.told("service_stopping", reason="SIGINT")

    running.send_signal(signal.SIGTERM)
    began = time.monotonic()

    assert await running.ended() == 128 + signal.SIGTERM
    assert time.monotonic() - began < 3
    assert (running.events[-1]["event"], running.events[-1]["pending"]) == ("service_forced", 50)


async def test_stdin_is_read_to_its_end(nss_run: NssRun, tmp_path: Path) -> None:
    data = records(100)
    config = settings(
        tmp_path,
        '[sources.pipe]\nkind = "stdin"\n'
        '[feeds.out]\nformat = "QRADAR"\n[feeds.out.sink]\nkind = "file"\npath = "-"\n',
    )
    running = await nss_run(config)

    stdout, _ = await asyncio.gather(running.process.stdout.read(), _write(running, data))

    assert await running.ended() == 0
    assert stdout == b"".join(line + b"\n" for line in rendered(data, "QRADAR"))


async def _write(running: Any, data: bytes) -> None:
    running.process.stdin.write(data)
    await running.process.stdin.drain()
    running.process.stdin.close()


async def test_records_over_tcp_keep_their_order_within_a_connection(
    nss_run: NssRun, tmp_path: Path
) -> None:
    config = settings(
        tmp_path,
        '[sources.gateway]\nkind = "tcp"\nlisten = "127.0.0.1:0"\n'
        '[feeds.out]\nformat = "QRADAR"\n[feeds.out.sink]\nkind = "file"\npath = "lines"\n',
    )
    running = await nss_run(config)
    address = (await running.told("listening"))["address"]
    port = int(str(address).rpartition(":")[2])

    async def send(data: bytes) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(data)
        writer.write_eof()
        await reader.read()
        writer.close()

    parts = [records(100, seed) for seed in (1, 2)]
    await asyncio.gather(*map(send, parts))
    running.send_signal(signal.SIGTERM)

    assert await running.ended() == 0
    lines = (tmp_path / "lines").read_bytes().splitlines()
    expected = [rendered(part, "QRADAR") for part in parts]
    assert sorted(lines) == sorted(expected[0] + expected[1])
    for part in expected:
        assert [line for line in lines if line in set(part)] == part


async def test_what_could_be_read_of_a_damaged_file_is_delivered_and_the_exit_code_tells(
    nss_run: NssRun, tmp_path: Path
) -> None:
    data = records(100)
    (tmp_path / "web.log.gz").write_bytes(gzip.compress(data)[:-100])
    config = settings(
        tmp_path,
        file_source(tmp_path / "web.log.gz")
        + '[feeds.out]\nformat = "QRADAR"\n[feeds.out.sink]\nkind = "file"\npath = "lines"\n',
    )

    running = await nss_run(config)

    assert await running.ended() == 74
    lines = (tmp_path / "lines").read_bytes().splitlines()
    assert lines == rendered(data, "QRADAR")[: len(lines)]
    assert len(lines) == running.totals()["out"]["delivered"] > 0
    failure = await running.told("part_ended")
    assert (failure["component"], failure["level"]) == ("web", "error")


async def test_nothing_of_a_record_is_in_the_log(
    nss_run: NssRun, collector: Any, tmp_path: Path
) -> None:
    secret = "S3cr3t"
    good = {"login": secret, "eurl": f"{secret}.example/" + 9000 * secret, "epochtime": 1767225600}
    bad = [
        {**good, "respsize": secret},
        {**good, "time": secret, "epochtime": secret},
        {**good, "login": [secret]},
        secret,
    ]
    lines = [orjson.dumps(one) for one in (good, *bad)] + [
        b'{"login": "%s' % secret.encode(),
        b'{"login": "%s\xff"}' % secret.encode(),
        secret.encode(),
    ]
    (tmp_path / "web.log").write_bytes(b"".join(line + b"\n" for line in lines))
    config = settings(
        tmp_path,
        'log_level = "debug"\n' + file_source(tmp_path / "web.log") + udp_feed(collector.port),
    )

    running = await nss_run(config)

    assert await running.ended() == 0
    totals = running.totals()["mcas"]
    assert (totals["accepted"], totals["shortened"]) == (8, totals["delivered"])
    assert totals["rejected"] >= 5
    assert secret.encode() not in running.raw_log
