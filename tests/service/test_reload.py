"""SIGHUP: a good configuration is put in force part by part, a bad one changes nothing."""

import asyncio
import signal
import socket
import time
from pathlib import Path

from nss.admin.control.client import ControlClient
from nss.lab.generator import RecordGenerator
from tests.service.conftest import (
    Bench,
    Collector,
    Event,
    Running,
    file_feed,
    file_source,
    rendered,
    udp_feed,
)


class Writer:
    """Appends records to a followed file, and remembers them."""

    def __init__(self, path: Path, seed: int = 1) -> None:
        self.data = b""
        self._path = path
        self._generator = RecordGenerator(seed)
        path.touch()

    def write(self, records: int) -> bytes:
        """Write some more; returns them."""
        batch = self._generator.batch(records)
        with self._path.open("ab") as stream:
            stream.write(batch)
        self.data += batch
        return batch


async def grown(path: Path, lines: int) -> None:
    """Wait until a file has this many lines."""

    def wait() -> None:
        deadline = time.monotonic() + 10
        while not path.exists() or path.read_bytes().count(b"\n") < lines:
            assert time.monotonic() < deadline, f"{path} does not get {lines} lines"
            time.sleep(0.01)

    await asyncio.to_thread(wait)


async def reloaded(running: Running) -> Event:
    running.send_signal(signal.SIGHUP)
    return await running.reported("configuration_reloaded")


async def drained(running: Running) -> None:
    running.send_signal(signal.SIGTERM)
    assert await running.ended() == 0


async def test_parts_are_added_changed_and_taken_away(bench: Bench) -> None:
    web, dns = Writer(bench.folder / "web.log"), Writer(bench.folder / "dns.log", seed=2)
    sources = [file_source("web", follow=True), file_source("dns", follow=True)]
    same = file_feed("same", 'sources = ["web"]')
    running = await bench.start(*sources, same, file_feed("changed"))
    web.write(10)
    dns.write(10)
    await grown(bench.folder / "changed", 20)
    await grown(bench.folder / "same", 10)

    bench.write(sources[0], same, file_feed("changed", preset="CSV"), file_feed("added"))
    report = await reloaded(running)
    more = web.write(10)
    dns.write(10)
    for name, lines in {"same": 20, "changed": 30, "added": 10}.items():
        await grown(bench.folder / name, lines)
    await drained(running)

    assert report["ended"] == ["feed changed", "source dns"]
    assert report["started"] == ["feed changed", "feed added"]
    assert bench.lines("same") == rendered(web.data, "QRADAR")
    assert bench.lines("added") == rendered(more, "QRADAR")
    changed = bench.lines("changed")
    assert sorted(changed[:20]) == sorted(rendered(web.data, "QRADAR")[:10] + dns_lines(dns))
    assert changed[20:] == rendered(more, "CSV")


def dns_lines(dns: Writer) -> list[bytes]:
    return rendered(dns.data, "QRADAR")[:10]


async def test_a_bad_configuration_is_refused_with_its_reason_and_the_old_one_stays_in_force(
    bench: Bench,
) -> None:
    web = Writer(bench.folder / "web.log")
    good = [file_source("web", follow=True), file_feed("out")]
    running = await bench.start(*good)
    bad = {
        "format = 1": "feeds.out.format = 1: must be",
        'format = "QRADAR"\n[spool]\nkind = "memory"\nmax_bytes = "64MiB"\n'
        "[feeds.out.filter]": "needs a restart",
        "format = ": "not TOML",
    }
    for text, reason in bad.items():
        feed = file_feed("out").replace('format = "QRADAR"', text)
        bench.write(good[0], feed)
        running.send_signal(signal.SIGHUP)
        refused = await running.reported("reload_refused")
        assert (refused["level"], refused["path"]) == ("warning", str(bench.config))
        assert reason in str(refused["why"])
    bench.config.unlink()
    running.send_signal(signal.SIGHUP)
    assert "no such file" in str((await running.reported("reload_refused"))["why"])

    web.write(10)
    await grown(bench.folder / "out", 10)
    await drained(running)

    assert bench.lines("out") == rendered(web.data, "QRADAR")
    assert [event["event"] for event in running.events].count("configuration_reloaded") == 0


async def test_a_source_whose_port_is_taken_is_refused_and_the_others_go_on(bench: Bench) -> None:
    web = Writer(bench.folder / "web.log")
    good = [file_source("web", follow=True), file_feed("out")]
    running = await bench.start(*good)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        tcp = f'[sources.tcp]\nkind = "tcp"\nlisten = "127.0.0.1:{port}"\n'
        bench.write(*good, tcp)
        running.send_signal(signal.SIGHUP)
        refused = await running.reported("reload_refused")

    assert f"source tcp: can't listen at 127.0.0.1:{port}" in str(refused["why"])
    web.write(10)
    await grown(bench.folder / "out", 10)
    await drained(running)
    assert bench.lines("out") == rendered(web.data, "QRADAR")


async def test_an_unchanged_feed_neither_loses_nor_repeats_a_record_under_load(
    bench: Bench,
) -> None:
    web = Writer(bench.folder / "web.log")
    source, same = file_source("web", follow=True), file_feed("same")
    running = await bench.start(source, same)
    over = asyncio.Event()

    async def load() -> None:
        while not over.is_set():
            web.write(50)
            await asyncio.sleep(0.005)

    loading = asyncio.create_task(load())
    try:
        for preset in ("CSV", "MCAS", "JSON"):
            bench.write(source, same, file_feed("other", preset=preset))
            await reloaded(running)
            await grown(bench.folder / "same", web.data.count(b"\n"))
    finally:
        over.set()
        await loading
    await grown(bench.folder / "same", web.data.count(b"\n"))
    await drained(running)

    assert bench.lines("same") == rendered(web.data, "QRADAR")
    assert running.totals()["same"]["delivered"] == web.data.count(b"\n")


async def test_a_changed_feed_continues_where_the_old_one_was(
    bench: Bench, collector: Collector
) -> None:
    web = Writer(bench.folder / "web.log")
    source = file_source("web", follow=True)
    running = await bench.start(source, udp_feed(collector.port))
    for number in range(1, 6):
        web.write(50)
        bench.write(source, udp_feed(collector.port, f"max_messages_per_sec = {5000 + number}"))
        await reloaded(running)
    await collector.arrived(250)
    await drained(running)

    assert collector.messages == rendered(web.data, "MCAS")


async def test_a_dead_collector_is_exchanged_for_one_that_lives(
    bench: Bench, collector: Collector, dead_port: int
) -> None:
    web = Writer(bench.folder / "web.log")
    web.write(50)
    source = file_source("web", follow=True)
    running = await bench.start(source, udp_feed(dead_port))
    await running.reported("sink_failed")

    bench.write(source, udp_feed(collector.port))
    await reloaded(running)
    await collector.arrived(50)
    await drained(running)

    assert collector.messages == rendered(web.data, "MCAS")


async def test_what_a_source_had_read_is_delivered_before_it_is_taken_away(
    bench: Bench, collector: Collector
) -> None:
    dns = Writer(bench.folder / "dns.log")
    dns.write(200)
    Writer(bench.folder / "web.log")
    web_source, dns_source = file_source("web", follow=True), file_source("dns", follow=True)
    feed = udp_feed(collector.port, "max_messages_per_sec = 400")
    running = await bench.start(web_source, dns_source, feed)
    await collector.arrived(1)
    assert len(collector.messages) < 200

    bench.write(web_source, feed)
    report = await reloaded(running)
    await drained(running)

    assert report["ended"] == ["feed mcas", "source dns"]
    assert collector.messages == rendered(dns.data, "MCAS")


async def test_what_a_feed_that_is_taken_away_can_not_deliver_is_reported(
    bench: Bench, dead_port: int
) -> None:
    web = Writer(bench.folder / "web.log")
    web.write(50)
    source, other = file_source("web", follow=True), file_feed("other")
    running = await bench.start(source, other, udp_feed(dead_port), drain_secs=0.2)
    await running.reported("sink_failed")

    bench.write(source, other, drain_secs=0.2)
    running.send_signal(signal.SIGHUP)
    left = await running.reported("records_left_behind")
    await running.reported("configuration_reloaded", ended=["feed mcas"], started=[])
    await drained(running)

    assert (left["component"], left["level"], left["pending"]) == ("mcas", "error", 50)
    assert bench.lines("other") == rendered(web.data, "QRADAR")


async def test_a_full_spool_does_not_hold_up_a_reload(
    bench: Bench, collector: Collector, dead_port: int
) -> None:
    web = Writer(bench.folder / "web.log")
    web.write(2500)
    spool = '[spool]\nkind = "memory"\nmax_bytes = "1MiB"\n'
    slow = "poll_secs = 0.02"
    source = file_source("web", follow=True)
    running = await bench.start(spool, source, udp_feed(dead_port), drain_secs=0.5)
    await running.reported("sink_failed")

    # The source is another one now, and the old one waits for room.
    bench.write(
        spool,
        source.replace(slow, "poll_secs = 0.05"),
        udp_feed(collector.port, "max_messages_per_sec = 4000"),
    )
    await reloaded(running)
    await collector.arrived(2500)
    await drained(running)

    assert collector.messages == rendered(web.data, "MCAS")


async def test_a_stop_during_a_reload_is_not_held_up_by_it(bench: Bench, dead_port: int) -> None:
    web = Writer(bench.folder / "web.log")
    web.write(50)
    source, other = file_source("web", follow=True), file_feed("other")
    running = await bench.start(source, other, udp_feed(dead_port), drain_secs=1)
    await running.reported("sink_failed")
    bench.write(source, other, drain_secs=3600)
    running.send_signal(signal.SIGHUP)

    running.send_signal(signal.SIGTERM)

    assert await running.ended() == 75
    assert running.events[-1]["pending"] == 50


async def test_the_log_follows_the_configuration(bench: Bench) -> None:
    web = Writer(bench.folder / "web.log")
    web.write(5)
    source, feed = file_source("web", follow=True), file_feed("out")
    running = await bench.start(source, feed)
    await grown(bench.folder / "out", 5)

    bench.write(source, feed, file_feed("added"), log_level="error")
    running.send_signal(signal.SIGHUP)
    await grown(bench.folder / "added", 0)
    await drained(running)

    assert [event["event"] for event in running.events if event["event"] != "file_opened"] == [
        "service_started",
        "format_recognised",
    ]


async def test_a_source_with_another_path_leaves_the_file_it_read(bench: Bench) -> None:
    first, second = Writer(bench.folder / "web.log"), Writer(bench.folder / "other.log", seed=2)
    feed = file_feed("out")
    first.write(10)
    running = await bench.start(file_source("web", follow=True), feed)
    await grown(bench.folder / "out", 10)

    bench.write(file_source("web", follow=True).replace("web.log", "other.log"), feed)
    await reloaded(running)
    first.write(5)
    second.write(10)
    await grown(bench.folder / "out", 20)
    await drained(running)

    expected = rendered(first.data, "QRADAR")[:10] + rendered(second.data, "QRADAR")
    assert bench.lines("out") == expected


async def test_a_view_ends_when_a_reload_takes_away_what_it_shows(bench: Bench) -> None:
    source, stays = file_source("web", follow=True), file_feed("stays")
    web = Writer(bench.folder / "web.log")

    def write(*sections: str) -> None:
        bench.write(*sections)
        text = bench.config.read_text()
        bench.config.write_text(text.replace('control_socket = "off"', 'control_socket = "c.sock"'))

    shown: dict[str | None, list[str]] = {"goes": [], "stays": [], None: []}

    def view(feed: str | None) -> None:
        client = ControlClient(bench.folder / "c.sock")
        try:
            shown[feed].extend(seen.feed for seen in client.tap(feed, "lines", ""))
        finally:
            client.close()

    write(source, stays, file_feed("goes"))
    running = await Running.start(bench.config)
    bench.started.append(running)
    await running.reported("service_started")
    views = {feed: asyncio.create_task(asyncio.to_thread(view, feed)) for feed in shown}
    async with asyncio.timeout(30):
        while not all(shown.values()):
            web.write(1)
            await asyncio.sleep(0.02)
        write(source, stays)
        await reloaded(running)
        await views["goes"]
    web.write(10)
    await grown(bench.folder / "stays", web.data.count(b"\n"))
    assert not views["stays"].done()
    assert not views[None].done()
    await drained(running)
    await asyncio.gather(views["stays"], views[None])
    assert {feed: set(seen) for feed, seen in shown.items()} == {
        "goes": {"goes"},
        "stays": {"stays"},
        None: {"goes", "stays"},
    }
