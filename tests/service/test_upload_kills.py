"""The whole service is killed around uploads of many small batches, and of batches of many files.

The batches are in the spool before the service starts: tens of thousands of pushes would take long.
"""

import asyncio
import signal
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from nss.batch import Batch
from nss.lab.cloud import CloudLab, Fault
from tests.parts import durable_spool
from tests.service.conftest import Bench, Running
from tests.service.test_upload import lines, records, store, uploaded

pytestmark = pytest.mark.long

SERVICE = """\
[mcas]
ca_file = "{ca_file}"
requests_per_minute = 1000
timeout_secs = 10

[spool]
path = "spool.db"

[sources.push]
kind = "http"
listen = "127.0.0.1:0"
format = "json"

[feeds.up]
format = "MCAS"
[feeds.up.sink]
kind = "cloud_discovery"
max_records = {max_records}
max_secs = 1
"""

LOST = Fault("mcas", "done_upload", "after")
HANGS = Fault("mcas", "done_upload", "hang", secs=60)

LONG_SECS = 120.0
"""For a machine that has other things to do."""


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[CloudLab]:
    folder = tmp_path / "lab"
    folder.mkdir()
    with CloudLab(folder, requests_per_minute=100_000) as lab:
        yield lab


async def fill(folder: Path, batches: Sequence[bytes]) -> None:
    """Have the spool accept batches for the feed."""
    spool = await durable_spool(folder / "spool.db", min_free_bytes=0)
    await spool.cursor("up", ["push"])
    for at in range(0, len(batches), 1000):
        some = [Batch("push", data, data.count(b"\n")) for data in batches[at : at + 1000]]
        await asyncio.gather(*(spool.append(batch) for batch in some))
    await spool.close()


async def service(bench: Bench, lab: CloudLab, max_records: int) -> Running:
    text = SERVICE.format(ca_file=lab.ca_file, max_records=max_records)
    return await bench.start(text, state="state", drain_secs=100)


async def met(lab: CloudLab) -> None:
    """Wait until every fault has happened."""
    async with asyncio.timeout(LONG_SECS):
        while lab.faults.active:  # noqa: ASYNC110 - the lab runs in another thread
            await asyncio.sleep(0.01)


async def finished(running: Running) -> dict[str, object]:
    """Stop the service once all is delivered, and return the totals of the feed."""
    running.send_signal(signal.SIGTERM)
    async with asyncio.timeout(LONG_SECS):
        await running.process.wait()
    assert await running.ended() == 0
    return running.totals()["up"]


@pytest.mark.timeout(300)
async def test_a_lost_answer_and_a_kill_repeat_nothing_of_50000_small_batches(
    bench: Bench, lab: CloudLab
) -> None:
    batches = records(50_000).splitlines(keepends=True)
    await fill(bench.folder, batches)
    store(bench, lab)
    lab.faults.add(LOST, HANGS)
    killed = await service(bench, lab, 100_000)
    await met(lab)
    await killed.kill()
    journal_bytes = (bench.folder / "state" / "uploads" / "up.json").stat().st_size
    totals = await finished(await service(bench, lab, 100_000))
    assert (totals["delivered"], totals["pending"]) == (50_000, 0)
    assert uploaded(lab) == lines(b"".join(batches))
    assert journal_bytes < 10_000


@pytest.mark.parametrize(
    "faults",
    [
        [Fault("mcas", "upload_url", "hang", secs=60, skip=1)],
        [Fault("blob", "put", "hang", secs=60, skip=1)],
        [replace(HANGS, skip=1)],
        *([replace(LOST, skip=skip), replace(HANGS, skip=skip)] for skip in (0, 1, 4)),
    ],
    ids=lambda faults: f"{faults[0].path} {faults[0].kind} {faults[0].skip}",
)
async def test_a_kill_between_the_parts_of_a_batch_loses_and_repeats_nothing(
    bench: Bench, lab: CloudLab, faults: list[Fault]
) -> None:
    await fill(bench.folder, [data := records(470)])
    store(bench, lab)
    lab.faults.add(*faults)
    killed = await service(bench, lab, 100)
    await met(lab)
    await killed.kill()
    totals = await finished(await service(bench, lab, 100))
    assert (totals["delivered"], totals["pending"]) == (470, 0)
    assert uploaded(lab) == lines(data)
    sizes = [upload.path.read_bytes().count(b"\n") for upload in lab.mcas.uploads]
    assert max(sizes) == 100


async def test_kills_at_random_moments_between_parts_lose_and_repeat_nothing(
    bench: Bench, lab: CloudLab
) -> None:
    batches = [records(230, seed=seed) for seed in range(1, 9)]
    await fill(bench.folder, batches)
    store(bench, lab)
    for life in range(1, 7):
        killed = await service(bench, lab, 50)
        await asyncio.sleep(0.05 * life)
        await killed.kill()
    totals = await finished(await service(bench, lab, 50))
    assert (totals["delivered"], totals["pending"]) == (8 * 230, 0)
    assert uploaded(lab) == lines(b"".join(batches))
    assert max(upload.path.read_bytes().count(b"\n") for upload in lab.mcas.uploads) <= 50
