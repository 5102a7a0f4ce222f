"""A service with three sources and three feeds that is killed while everything goes on."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from nss.lab.ports import free_ports
from tests.crash.collectors import FileCollector, TcpCollector, UdpCollector
from tests.crash.ledger import Ledger
from tests.crash.oracle import Oracle
from tests.crash.records import PRESETS, Records
from tests.crash.senders import FileSender, Pusher, TcpSender, keep_sending
from tests.service.conftest import ENV, Running

VICTIM = Path(__file__).with_name("victim.py")

SERVICE = """
[service]
log_format = "json"
control_socket = "off"
drain_secs = 20

[spool]
path = "spool.db"
min_free_bytes = 0

[sources.web]
kind = "file"
path = "web.log"
format = "json"
poll_secs = 0.02

[sources.tcp]
kind = "tcp"
listen = "127.0.0.1:{tcp_in}"
format = "json"

[sources.push]
kind = "http"
listen = "127.0.0.1:{http_in}"
format = "json"

[feeds.file]
format = "{file}"
[feeds.file.sink]
kind = "file"
path = "lines"

[feeds.udp]
format = "{udp}"
[feeds.udp.sink]
kind = "syslog_udp"
destinations = ["127.0.0.1:{udp_out}"]

[feeds.tcp]
format = "{tcp}"
[feeds.tcp.sink]
kind = "syslog_tcp"
destinations = ["127.0.0.1:{tcp_out}"]
"""

ARRIVE_SECS = 15.0


class Ground:
    """The folder, the senders and the collectors; they outlive every process."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.config = folder / "nss.toml"
        self.kills = 0
        self.records = Records(seed)
        self.file = FileCollector(folder / "lines")
        self.udp = UdpCollector()
        self.tcp = TcpCollector()
        ledger = Ledger(folder / "spool.db")
        self.oracle = Oracle(
            ledger, self.records, {"file": self.file, "udp": self.udp, "tcp": self.tcp}
        )
        tcp_in, http_in = free_ports(2)
        self.web = FileSender(folder / "web.log", self.records)
        self.stream = TcpSender(tcp_in, self.records)
        self.push = Pusher(http_in, self.records)
        self._ports = {"tcp_in": tcp_in, "http_in": http_in}
        self._sending: list[asyncio.Task[None]] = []
        self._started: list[Running] = []

    async def open(self) -> None:
        """Have the collectors listen, and write the configuration."""
        await self.udp.open()
        await self.tcp.open()
        ports = self._ports | {"udp_out": self.udp.port, "tcp_out": self.tcp.port}
        self.config.write_text(SERVICE.format(**PRESETS, **ports))

    async def close(self) -> None:
        """End everything."""
        await self.stop_sending()
        for running in self._started:
            await running.kill()
        await self.stream.close()
        await self.push.close()
        await self.tcp.close()
        self.udp.close()

    async def spawn(self, *fate: object) -> Running:
        """Start the service; `fate` is where it dies, as `victim.py` takes it."""
        command = (sys.executable, "-P", str(VICTIM), str(self.config), *map(str, fate))
        process = await asyncio.create_subprocess_exec(
            *command,
            env=ENV,
            cwd=self.folder,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        self._started.append(Running(process))
        return self._started[-1]

    def start_sending(self) -> None:
        """Have all senders send until `stop_sending`."""
        senders = (self.web, self.stream, self.push)
        self._sending = [asyncio.create_task(keep_sending(sender)) for sender in senders]

    async def stop_sending(self) -> None:
        """Let the senders rest."""
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)

    async def bury(self, running: Running) -> None:
        """Wait until a victim has died of its kill, and judge what it leaves."""
        assert await running.ended() == -signal.SIGKILL, running.raw_log.decode()
        await self.judge()

    async def judge(self) -> None:
        """The service is dead: judge what it leaves."""
        self.kills += 1
        await self._settle()
        self.oracle.judge()

    async def live_on(self) -> None:
        """Start the service once more, see that records make the way, and stop it in order."""
        running = await self.spawn()
        for _ in (self.stream, self.push):
            await running.reported("listening")
        await self.stop_sending()
        await self.stream.close()  # a connection to a dead process takes records all the same
        await self._see_fresh_records_arrive()
        await self.stream.close()
        running.send_signal(signal.SIGTERM)
        assert await running.ended() == 0, running.raw_log.decode()
        await self._settle()
        self.oracle.judge_end()

    async def _see_fresh_records_arrive(self) -> None:
        """Records sent now, and everything before them, reach every collector."""
        before = len(self.push.told)
        for sender in (self.web, self.stream, self.push):
            await sender.step()
        assert len(self.push.told) > before, "the fresh push was not accepted"
        stem = f"tcp-{len(self.stream.sent) - 1}"
        last = {self.web.names[-1], self.stream.sent[stem][-1], self.push.told[-1]}
        async with asyncio.timeout(ARRIVE_SECS):
            for name, collector in (("file", self.file), ("udp", self.udp), ("tcp", self.tcp)):
                named = self.records.named[name]
                while not last <= {named.get(line, "") for line in collector.lines[-20_000:]}:
                    await asyncio.sleep(0.02)
                    collector.look()

    async def _settle(self) -> None:
        for collector in (self.file, self.udp, self.tcp):
            await collector.settle()

    def judge_sources(self) -> None:
        """What the senders are owed is in the spool, and nothing of it twice."""
        ledger = self.oracle.ledger
        assert ledger.of("web") == self.web.names, "the file is not in the spool exactly once"
        assert ledger.sources["web"] == len(self.web.names) + self.web.broken
        pushed = ledger.of("push")
        assert sorted(set(pushed)) == sorted(pushed), "a push was accepted twice"
        assert set(self.push.told) <= set(pushed), "what was answered with 200 is gone"
        streamed = ledger.of("tcp")
        for stem, sent in self.stream.sent.items():
            committed = [name for name in streamed if name.startswith(f"{stem}-")]
            assert committed == sent[: len(committed)], "a connection has gaps"

    def figures(self) -> dict[str, int]:
        """Return how much was at stake."""
        feeds = self.oracle.feeds.values()
        return {
            "kills": self.kills,
            "records_owed": len(self.web.names) + len(self.push.told),
            "records_accepted": len(self.oracle.feeds["file"].times),
            "lines_delivered": sum(feed.times.total() for feed in feeds),
            "duplicates": sum(feed.duplicates for feed in feeds),
            "most_in_flight": max(feed.most_in_flight for feed in feeds),
            "lines_torn": self.file.torn,
        }


@pytest.fixture
async def ground(tmp_path: Path) -> AsyncIterator[Ground]:
    """A ground in a folder of its own, with collectors that listen."""
    made = Ground(tmp_path, seed=1)
    await made.open()
    yield made
    await made.close()
