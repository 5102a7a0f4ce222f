"""The whole service uploading to the lab: records in, credentials from their file, and kills."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nss.lab.cloud import CloudLab, Fault
from nss.lab.generator import RecordGenerator
from nss.mcas.credentials import CredentialsStore, McasCredentials
from nss.secret import Secret
from tests.service.conftest import (
    TOLD_SECS,
    Bench,
    Collector,
    file_source,
    rendered,
    udp_feed,
)

pytestmark = pytest.mark.long

UPLOAD = """\
[feeds.up]
format = "MCAS"
[feeds.up.sink]
kind = "cloud_discovery"
max_records = {records}
max_secs = {secs}
"""


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[CloudLab]:
    folder = tmp_path / "lab"
    folder.mkdir()
    with CloudLab(folder, requests_per_minute=10_000) as lab:
        yield lab


def store(bench: Bench, lab: CloudLab) -> CredentialsStore:
    """Give the service credentials that are good."""
    folder = bench.folder / "state"
    folder.mkdir(exist_ok=True)
    found = CredentialsStore(folder, {})
    found.save(
        McasCredentials(
            method="secret",
            client_id=lab.client_id,
            client_secret=Secret(lab.client_secret),
            authentication_url=lab.authentication_url,
            api_url=lab.api_url,
        )
    )
    return found


def sections(lab: CloudLab, *, records: int = 100_000, secs: float = 300) -> str:
    return "\n".join(
        [
            f'[mcas]\nca_file = "{lab.ca_file}"\nrequests_per_minute = 1000\ntimeout_secs = 10',
            '[spool]\npath = "spool.db"',
            file_source("web", follow=True),
            UPLOAD.format(records=records, secs=secs),
        ]
    )


def records(count: int, seed: int = 1) -> bytes:
    return RecordGenerator(seed, start_epoch=int(time.time())).batch(count)


def lines(data: bytes) -> Counter[bytes]:
    """Return how often each line should come."""
    return Counter(rendered(data, "MCAS"))


def uploaded(lab: CloudLab) -> Counter[bytes]:
    found: Counter[bytes] = Counter()
    for upload in lab.mcas.uploads:
        found.update(upload.path.read_bytes().splitlines())
    return found


def told_to_others(folder: Path, but: Path) -> bytes:
    """Return all that is in files of a folder that others may read; lab and records aside."""
    found = [path for path in folder.rglob("*") if path.is_file() and but not in path.parents]
    mine = [path for path in found if path.name != "web.log"]
    return b"".join(path.read_bytes() for path in mine if path.stat().st_mode & 0o077)


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(TOLD_SECS):
        while not done():  # noqa: ASYNC110 - the lab runs in another thread
            await asyncio.sleep(0.01)


async def test_records_arrive_in_cloud_discovery_and_at_the_collector(
    bench: Bench, lab: CloudLab, collector: Collector
) -> None:
    store(bench, lab)
    (bench.folder / "web.log").write_bytes(data := records(500))
    running = await bench.start(sections(lab), udp_feed(collector.port), state="state")
    await collector.arrived(500)
    running.send_signal(signal.SIGTERM)  # what is collected goes up at the stop
    assert await running.ended() == 0
    totals = running.totals()["up"]
    assert [totals[name] for name in ("accepted", "delivered", "pending")] == [500, 500, 0]
    assert uploaded(lab) == lines(data)
    assert lab.parser.wait_parsed(500)
    assert (lab.parser.records, lab.complaints) == (500, [])
    written = running.raw_log + told_to_others(bench.folder, lab.folder)
    for secret in (lab.client_secret, "sig=", "eyJ", "Bearer "):
        assert secret.encode() not in written


async def test_credentials_that_come_later_are_noticed(bench: Bench, lab: CloudLab) -> None:
    (bench.folder / "state").mkdir()
    (bench.folder / "web.log").write_bytes(data := records(50))
    running = await bench.start(sections(lab, secs=1), state="state")
    await running.reported("upload_stopped")
    store(bench, lab)
    await until(lambda: len(lab.mcas.uploads) == 1)
    await running.reported("upload_recovered")
    running.send_signal(signal.SIGTERM)
    assert await running.ended() == 0
    assert uploaded(lab) == lines(data)


async def test_a_reload_changes_the_data_source_and_loses_nothing(
    bench: Bench, lab: CloudLab
) -> None:
    store(bench, lab)
    (bench.folder / "web.log").write_bytes(data := records(50))
    lab.mcas.data_sources.clear()
    lab.mcas.data_sources.add("Ours")
    running = await bench.start(sections(lab, secs=1), state="state")
    await running.reported("upload_failed")
    text = sections(lab, secs=1).replace("[mcas]\n", '[mcas]\ndata_source = "Ours"\n')
    bench.write(text, state="state")
    running.send_signal(signal.SIGHUP)
    await running.reported("configuration_reloaded")
    await until(lambda: len(lab.mcas.uploads) == 1)
    running.send_signal(signal.SIGTERM)
    assert await running.ended() == 0
    assert [upload.data_source for upload in lab.mcas.uploads] == ["Ours"]
    assert uploaded(lab) == lines(data)


@pytest.mark.parametrize(
    "fault",
    [
        Fault("mcas", "upload_url", "hang", secs=30),
        Fault("blob", "put", "hang", secs=30),
        Fault("mcas", "done_upload", "hang", secs=30),
        Fault("mcas", "done_upload", "latency", secs=30),
    ],
    ids=lambda fault: f"{fault.path} {fault.kind}",
)
async def test_a_kill_in_any_step_loses_and_doubles_nothing(
    bench: Bench, lab: CloudLab, fault: Fault
) -> None:
    store(bench, lab)
    lab.faults.add(fault)
    (bench.folder / "web.log").write_bytes(data := records(300))
    text = sections(lab, secs=1)
    killed = await bench.start(text, state="state")
    await until(lambda: lab.faults.active == [])
    await killed.kill()
    running = await bench.start(text, state="state")
    with (bench.folder / "web.log").open("ab") as log:
        log.write(more := records(100, seed=2))
    await until(lambda: sum(uploaded(lab).values()) >= 400)
    running.send_signal(signal.SIGTERM)
    assert await running.ended() == 0
    assert uploaded(lab) == lines(data) + lines(more)


async def test_kills_at_random_moments_lose_and_double_nothing(bench: Bench, lab: CloudLab) -> None:
    store(bench, lab)
    text = sections(lab, records=100, secs=1)
    total: Counter[bytes] = Counter()
    for seed in range(1, 6):
        running = await bench.start(text, state="state")
        with (bench.folder / "web.log").open("ab") as log:
            for part in range(5):
                total += lines(block := records(200, seed=seed * 10 + part))
                log.write(block)
                log.flush()
                await asyncio.sleep(0.03 * seed)
        await running.kill()
    running = await bench.start(text, state="state")
    await until(lambda: sum(uploaded(lab).values()) >= sum(total.values()))
    running.send_signal(signal.SIGTERM)
    assert await running.ended() == 0
    assert uploaded(lab) == total


def asking(lab: CloudLab, feed_format: str = "JSON") -> str:
    """Return sections of a service that asks all the time what became of its files."""
    text = sections(lab, records=20, secs=1).replace('format = "MCAS"', f'format = "{feed_format}"')
    more = "parse_check_secs = 0.1\ncheck_source_type = false\n"
    return text.replace("[mcas]\n", f"[mcas]\n{more}")


async def test_a_file_that_mcas_could_not_parse_is_reported_until_a_later_one_is(
    bench: Bench, lab: CloudLab
) -> None:
    store(bench, lab)
    with (bench.folder / "web.log").open("wb") as log:
        log.write(records(10))
        log.flush()
        running = await bench.start(asking(lab), state="state")
        failed = await running.reported("upload_parse_failed", component="up")
        assert failed["file"] == lab.mcas.uploads[0].name
        assert "UNEXPECTED_FORMAT (dataSource: ZSCALER_QRADAR_SYSLOG)" in str(failed["why"])
        await until((bench.folder / "state" / "parse-results.json").exists)
        await running.kill()
        again = await bench.start(asking(lab, "MCAS"), state="state")
        log.write(records(10, seed=2))
        log.flush()
        await again.reported("upload_parse_recovered")
        again.send_signal(signal.SIGTERM)
        assert await again.ended() == 0
    assert [event for event in again.events if event["event"] == "upload_parse_failed"] == []
    asked = [request for request in lab.requests if "governance" in request.path]
    assert {request.status for request in asked} == {200}
    assert lab.complaints == []


async def test_results_that_may_not_be_read_stop_no_upload(bench: Bench, lab: CloudLab) -> None:
    store(bench, lab)
    lab.mcas.permits_governance = False
    (bench.folder / "web.log").write_bytes(records(10))
    running = await bench.start(asking(lab), state="state")
    unread = await running.reported("parse_results_unreadable", component="mcas")
    assert str(unread["why"]).startswith("MCAS does not permit it: HTTP 403")
    lab.mcas.permits_governance = True
    await running.reported("parse_results_readable")
    running.send_signal(signal.SIGTERM)
    assert await running.ended() == 0
    assert len(lab.mcas.uploads) == 1


async def test_nobody_asks_what_became_of_files_where_that_is_off(
    bench: Bench, lab: CloudLab
) -> None:
    store(bench, lab)
    (bench.folder / "web.log").write_bytes(records(10))
    text = asking(lab).replace("parse_check_secs = 0.1", "parse_check_secs = 0")
    running = await bench.start(text, state="state")
    await until(lambda: len(lab.mcas.uploads) == 1)
    bench.write(asking(lab), state="state")
    running.send_signal(signal.SIGHUP)
    await running.reported("configuration_reloaded")
    assert [request for request in lab.requests if "governance" in request.path] == []
    await running.reported("upload_parse_failed")
    running.send_signal(signal.SIGTERM)
    assert await running.ended() == 0
