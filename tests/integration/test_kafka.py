"""A whole service whose feed goes to a real broker, while either is killed, stopped or hangs."""

import asyncio
import json
import os
import random
import signal
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from tests.kafka.brokers import Tansu, read_all
from tests.service.conftest import COMMAND, ENV, Running

pytestmark = pytest.mark.long

KILLS = int(os.environ.get("NSS_KAFKA_KILLS", "12"))
PARTITIONS = 4
USERS = 9

LINES_OF_TWO = "format_string = '%s{elogin} %s{eurl}'"

SERVICE = """
[service]
log_format = "json"
control_socket = "off"
drain_secs = 4

[spool]
path = "spool.db"
min_free_bytes = 0

[sources.web]
kind = "file"
path = "web.log"
format = "json"
poll_secs = 0.02

[feeds.centre]
{what}
[feeds.centre.sink]
kind = "kafka"
brokers = ["{broker}"]
topic = "web"
confirm_secs = 3
{more}
"""


class Writer:
    """Appends records to the file that the service reads; each has a number of its own."""

    def __init__(self, path: Path) -> None:
        self.written = 0
        self._path = path
        self._path.touch()

    async def write_until(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self.write(200)
            await asyncio.sleep(0.01)

    def write(self, count: int) -> None:
        numbers = range(self.written, self.written + count)
        with self._path.open("a") as file:
            file.writelines(
                f'{{"epochtime": "1767322984", "login": "user{n % USERS}@example.com", '
                f'"url": "example.com/{n}"}}\n'
                for n in numbers
            )
        self.written += count


class Ground:
    def __init__(
        self, folder: Path, broker: Tansu, more: str = "", what: str = LINES_OF_TWO
    ) -> None:
        self.folder = folder
        self.broker = broker
        self.writer = Writer(folder / "web.log")
        (folder / "nss.toml").write_text(
            SERVICE.format(broker=broker.address, more=more, what=what)
        )

    async def start(self) -> Running:
        process = await asyncio.create_subprocess_exec(
            *(*COMMAND, "run", "--config", str(self.folder / "nss.toml")),
            env=ENV,
            cwd=self.folder,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        return Running(process)

    async def finish(self) -> list[tuple[int, str, int]]:
        """Have everything delivered; returns partition, user and number of each message."""
        running = await self.start()
        try:
            found = await asyncio.to_thread(self._until_all_came)
            running.send_signal(signal.SIGTERM)
            assert await running.ended() == 0, running.raw_log.decode()
        finally:
            await running.kill()
        return found

    def _until_all_came(self) -> list[tuple[int, str, int]]:
        for _ in range(20):
            messages = read_all(self.broker.address, "web", self.writer.written, PARTITIONS, 3)
            found = []
            for each in messages:
                for line in each.value().decode().split("\n"):
                    user, _, url = line.partition(" ")
                    found.append((each.partition(), user, int(url.rpartition("/")[2])))
            if len({number for _, _, number in found}) == self.writer.written:
                return found
        return found


@pytest.mark.timeout(270 + 12 * KILLS)
async def test_kills_of_the_service_lose_nothing_and_repeat_little(
    tmp_path: Path, tansu: Tansu
) -> None:
    tansu.create("web", PARTITIONS)
    ground = Ground(tmp_path, tansu, 'key = "user"')
    moments = random.Random(os.environ.get("NSS_CRASH_SEED"))
    stop = asyncio.Event()
    writing = asyncio.create_task(ground.writer.write_until(stop))
    try:
        for number in range(KILLS):
            running = await ground.start()
            try:
                await asyncio.sleep(moments.uniform(0.3, 1.5))
                if number % 3 == 2:  # what is on its way then is written once the broker goes on
                    tansu.pause()
                    await asyncio.sleep(0.2)
            finally:
                await running.kill()
                tansu.resume()
    finally:
        stop.set()
        await writing
    found = await ground.finish()
    times = Counter(number for _, _, number in found)
    wrong = set(times).symmetric_difference(range(ground.writer.written))
    assert not wrong, "lost, or never written"
    repeated = sum(times.values()) - len(times)
    # A batch, of 1 MiB at most, is on its way at a kill; these have about 70 bytes a record.
    assert repeated <= KILLS * 16_000
    _judge_order(found)
    sys.stdout.write(f"\n{KILLS} kills, {len(times)} records, {repeated} came again\n")


async def test_a_broker_that_hangs_holds_records_back_and_gets_each_once(
    tmp_path: Path, tansu: Tansu
) -> None:
    tansu.create("web", PARTITIONS)
    ground = Ground(tmp_path, tansu, 'key = "user"')
    running = await ground.start()
    try:
        ground.writer.write(5000)
        await asyncio.to_thread(read_all, tansu.address, "web", 5000, PARTITIONS)
        tansu.pause()
        ground.writer.write(5000)
        failed = await running.reported("sink_failed", component="centre")
        assert "confirm" in str(failed["why"])
        tansu.resume()
        await running.reported("sink_recovered", component="centre")
        running.send_signal(signal.SIGTERM)
        assert await running.ended() == 0, running.raw_log.decode()
    finally:
        tansu.resume()
        await running.kill()
    found = read_all(tansu.address, "web", 10_000, PARTITIONS)
    assert len(found) == 10_000
    assert len({each.value() for each in found}) == 10_000


async def test_records_of_a_branch_come_to_the_centre_as_they_were(
    tmp_path: Path, tansu: Tansu
) -> None:
    tansu.create("web", PARTITIONS)
    ground = Ground(tmp_path, tansu, 'key = "user"', what='format = "unchanged"')
    ground.writer.write(5000)
    running = await ground.start()
    try:
        found = await asyncio.to_thread(read_all, tansu.address, "web", 5000, PARTITIONS)
        running.send_signal(signal.SIGTERM)
        assert await running.ended() == 0, running.raw_log.decode()
    finally:
        await running.kill()
    sent = (tmp_path / "web.log").read_bytes().splitlines()
    assert sorted(each.value() for each in found) == sorted(sent)
    users = {(each.partition(), json.loads(each.value())["login"]) for each in found}
    assert len(users) == USERS, "records of one user are in one partition"


async def test_the_service_stops_within_its_time_while_the_broker_hangs(
    tmp_path: Path, tansu: Tansu
) -> None:
    tansu.create("web", PARTITIONS)
    ground = Ground(tmp_path, tansu, "pack_bytes = 4096")
    ground.writer.write(1000)
    running = await ground.start()
    try:
        await asyncio.to_thread(read_all, tansu.address, "web", 5, PARTITIONS)
        tansu.pause()
        ground.writer.write(1000)
        await running.reported("sink_failed", component="centre")
        running.send_signal(signal.SIGTERM)
        assert await running.ended() == 75, running.raw_log.decode()  # the spool has the rest
    finally:
        tansu.resume()
        await running.kill()
    found = await ground.finish()
    assert {number for _, _, number in found} == set(range(2000))


def _judge_order(found: list[tuple[int, str, int]]) -> None:
    """The records of a user are in one partition, and come first in their order."""
    partitions: dict[str, set[int]] = defaultdict(set)
    seen: dict[str, list[int]] = defaultdict(list)
    for partition, user, number in found:
        partitions[user].add(partition)
        seen[user].append(number)
    for user, numbers in seen.items():
        assert len(partitions[user]) == 1, user
        first = list(dict.fromkeys(numbers))
        assert first == sorted(first), user
