"""The supervisor with small scripts as services: what it does when they end, hang and write."""

import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from nss.background.lock import Lock
from nss.background.supervisor import StartReport, Supervisor

TELL = """
import os, socket, sys, time
def notify(text):
    name = "\\0" + os.environ["NOTIFY_SOCKET"][1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
        out.sendto(text.encode(), name)
def times():
    with open("times", "a+") as file:
        file.write("x")
        file.seek(0)
        return len(file.read())
"""


@dataclass
class Supervised:
    """A supervisor, the end of the pipe it reports to, and its log."""

    supervisor: Supervisor
    reading: int
    log: Path

    @property
    def starts(self) -> str:
        return self.log.with_name("times").read_text()

    def report(self) -> StartReport:
        with open(self.reading, "rb", closefd=False) as file:
            return msgspec.json.decode(file.readline(), type=StartReport)


Supervise = Callable[..., Supervised]


@pytest.fixture
def supervise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervise]:
    monkeypatch.chdir(tmp_path)
    opened: list[int] = []

    def make(script: str, *, watchdog_secs: float = 30) -> Supervised:
        (tmp_path / "service.py").write_text(TELL + script)
        reading, writing = os.pipe()
        lock = Lock(tmp_path / "nss.lock")
        assert lock.take()
        assert lock._descriptor is not None
        opened.extend((reading, lock._descriptor))
        command = [sys.executable, str(tmp_path / "service.py")]
        log = tmp_path / "nss.log"
        return Supervised(
            Supervisor(
                command, lock, log, "nss.toml", writing, restart_secs=0, watchdog_secs=watchdog_secs
            ),
            reading,
            log,
        )

    yield make
    for number in opened:
        os.close(number)


async def test_a_service_that_ends_before_it_is_ready_is_told_and_not_tried_again(
    supervise: Supervise,
) -> None:
    made = supervise('print("port in use"); times(); sys.exit(74)')
    assert await made.supervisor.run() == 74
    assert made.report() == StartReport(os.getpid(), 74)
    assert made.log.read_text().splitlines()[0] == "port in use"
    assert made.starts == "x"


async def test_a_service_that_fails_later_is_started_again(supervise: Supervise) -> None:
    made = supervise('notify("READY=1"); sys.exit(1 if times() < 3 else 0)')
    assert await made.supervisor.run() == 0
    assert made.report() == StartReport(os.getpid(), None)
    assert made.starts == "xxx"


async def test_a_wrong_configuration_ends_the_restarts(supervise: Supervise) -> None:
    made = supervise('notify("READY=1"); sys.exit(1 if times() < 2 else 78)')
    assert await made.supervisor.run() == 78
    assert made.starts == "xx"


async def test_a_service_that_hangs_is_ended_and_started_again(supervise: Supervise) -> None:
    script = 'notify("READY=1")\nif times() < 2: time.sleep(60)\n'
    made = supervise(script, watchdog_secs=0.3)
    assert await asyncio.wait_for(made.supervisor.run(), 20) == 0
    assert "has not fed the watchdog" in made.log.read_text()


async def test_what_a_service_writes_is_kept_whole(supervise: Supervise) -> None:
    made = supervise('sys.stderr.write("a" * 200_000 + "\\nend"); sys.exit(0)')
    await made.supervisor.run()
    lines = made.log.read_text().splitlines()
    assert "".join(lines[:-2]) == "a" * 200_000
    assert lines[-2] == "end"


async def test_a_signal_reaches_the_service(supervise: Supervise) -> None:
    script = (
        "import signal\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(75))\n"
        'notify("READY=1")\ntime.sleep(60)\n'
    )
    made = supervise(script)
    running = asyncio.create_task(made.supervisor.run())
    assert await asyncio.to_thread(made.report) == StartReport(os.getpid(), None)
    os.kill(os.getpid(), 15)
    assert await asyncio.wait_for(running, 20) == 75
    note = Lock(Path("nss.lock")).read()
    assert note is not None
    assert note.exit_code == 75
