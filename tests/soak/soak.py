"""A long run under load with faults: `python tests/soak/soak.py --minutes 10`.

A sender pushes numbered records over HTTP at a steady rate, and owes each until it got 200 for it.
NSS keeps them in a durable spool and delivers them to a TCP collector (newline-framed QRADAR) and
a UDP collector (MCAS). Meanwhile, at random moments: the TCP collector goes away and comes back,
sometimes for so long that the spool is full, NSS is killed with SIGKILL and started again, is
paused, and reloads. In the end every record owed must have come at both, the accounts must add up,
and memory and descriptors must be where they were. Prints a table; the exit code is 1 if anything
is wrong.
"""

import argparse
import asyncio
import contextlib
import os
import random
import re
import signal
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx

import nss
from nss.admin.control.client import ControlClient
from nss.errors import NssError
from nss.lab.generator import RecordGenerator
from nss.status.summary import Status

HOST = "127.0.0.1"
BODY_RECORDS = 1000
POOL_RECORDS = 5000
SAMPLE_SECS = 1.0
DRAIN_SECS = 180.0
SPOOL_BYTES = 24 << 20
MAX_GROWTH = 1.25
"""How much more memory the last third of the run may take than the second."""

_SO_RCVBUFFORCE = 33  # asm-generic/socket.h
_ID = re.compile(rb"soak-(\d{10})")
_PLACE = b"soak-0000000000"

_CONFIG = """\
[service]
log_format = "json"
log_level = "{level}"
control_socket = "{folder}/c"
drain_secs = 60
[spool]
path = "{folder}/spool.db"
max_bytes = {spool_bytes}
replay_minutes = 1
[sources.push]
kind = "http"
listen = "{host}:{http}"
format = "json"
[feeds.tcp]
format = "QRADAR"
[feeds.tcp.sink]
kind = "syslog_tcp"
destinations = ["{host}:{tcp}"]
resend_secs = 2
[feeds.udp]
format = "MCAS"
[feeds.udp.sink]
kind = "syslog_udp"
destinations = ["{host}:{udp}"]
max_message_bytes = 65000
"""


class Seen:
    """How often each record came."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.times = bytearray()
        self.lines = 0

    def take(self, line: bytes) -> None:
        """Take one line."""
        found = _ID.search(line)
        if found is None:
            return
        number = int(found[1])
        if number >= len(self.times):
            self.times.extend(bytes(number + 1_000_000 - len(self.times)))
        self.times[number] = min(255, self.times[number] + 1)
        self.lines += 1

    def missing(self, owed: int) -> int:
        """Return how many of the first `owed` records never came."""
        return owed - len(self.times[:owed]) + self.times[:owed].count(0)

    @property
    def duplicates(self) -> int:
        """Lines beyond one a record."""
        return self.lines - (len(self.times) - self.times.count(0))


class UdpCollector(asyncio.DatagramProtocol):
    """Always there, with a large receive buffer: what UDP loses by itself is not the matter."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen

    def datagram_received(self, data: bytes, _address: object) -> None:
        """Take one message."""
        self._seen.take(data)


class TcpCollector:
    """Reads lines; can be away."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def come(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(
            self._serve, HOST, self._seen.port, limit=1 << 20, reuse_address=True
        )

    async def go(self) -> None:
        """Read no further, close everything; what was read whole counts."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while line := await reader.readline():
                if line.endswith(b"\n"):
                    self._seen.take(line)
        except OSError:
            pass
        finally:
            self._writers.discard(writer)
            writer.close()


class Sender:
    """Pushes bodies of records one after the other; each is owed once it was answered with 200."""

    def __init__(self, url: str, records_per_sec: int) -> None:
        self.owed = 0
        self.refused = 0
        """Answers other than 200, and connections that failed."""
        self.stopping = False
        self._url = url
        self._pace_secs = BODY_RECORDS / records_per_sec
        self._pool = _pool()

    async def run(self) -> None:
        """Send until `stopping`."""
        limits = httpx.Limits(max_connections=1)
        async with httpx.AsyncClient(timeout=30, limits=limits, trust_env=False) as client:
            due = time.monotonic()
            while not self.stopping:
                await self._push(client, self._body())
                self.owed += BODY_RECORDS
                due = max(due + self._pace_secs, time.monotonic() - 1.0)
                await asyncio.sleep(max(0.0, due - time.monotonic()))

    def _body(self) -> bytes:
        numbers = range(self.owed, self.owed + BODY_RECORDS)
        pool = self._pool
        return b"".join(
            b"soak-%010d".join((head, tail)) % number
            for number, (head, tail) in ((n, pool[n % POOL_RECORDS]) for n in numbers)
        )

    async def _push(self, client: httpx.AsyncClient, body: bytes) -> None:
        while True:
            with contextlib.suppress(httpx.HTTPError):
                answer = await client.post(self._url, content=body)
                if answer.status_code == httpx.codes.OK:
                    return
            self.refused += 1
            await asyncio.sleep(0.25)


def _pool() -> list[tuple[bytes, bytes]]:
    """Return records cut at the place of their number, ready for `%`."""
    pool = []
    for line in RecordGenerator(1, flat=True).lines(POOL_RECORDS):
        cut = re.sub(rb'"login":"[^"]*"', b'"login":"' + _PLACE + b'"', line, count=1)
        head, _, tail = cut.replace(b"%", b"%%").partition(_PLACE)
        pool.append((head, tail + b"\n"))
    return pool


@dataclass
class Tally:
    """What happened in the run."""

    kills: int = 0
    outages: int = 0
    pauses: int = 0
    reloads: int = 0
    degraded: int = 0
    """Looks at a status that was not healthy."""
    looks: int = 0
    full: int = 0
    unbalanced: int = 0
    rss: list[tuple[float, int]] = field(default_factory=list)
    descriptors: list[tuple[float, int]] = field(default_factory=list)
    largest_lag_secs: float = 0.0


class Soak:
    """The parts of one run."""

    def __init__(self, folder: Path, minutes: float, records_per_sec: int, seed: int) -> None:
        self.tally = Tally()
        self.tcp, self.udp = Seen(_free_port()), Seen(_free_port())
        self.http_port = _free_port()
        self.sender = Sender(f"http://{HOST}:{self.http_port}/", records_per_sec)
        self._folder = folder
        self._secs = minutes * 60
        self._random = random.Random(seed)
        self._collector = TcpCollector(self.tcp)
        self._process: asyncio.subprocess.Process
        self._log = (folder / "log").open("ab")

    async def run(self) -> int:
        """Run it all; return the exit code of NSS's last stop."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: UdpCollector(self.udp), (HOST, self.udp.port)
        )
        listening = transport.get_extra_info("socket")
        for option in (socket.SO_RCVBUF, _SO_RCVBUFFORCE):
            with contextlib.suppress(PermissionError):
                listening.setsockopt(socket.SOL_SOCKET, option, 256 << 20)
        await self._collector.come()
        self._configure("info")
        await self._start()
        sampling = asyncio.create_task(self._sample())
        sending = asyncio.create_task(self.sender.run())
        await self._faults(time.monotonic() + self._secs)
        self.sender.stopping = True
        await sending
        await self._drained()
        sampling.cancel()
        self._process.send_signal(signal.SIGTERM)
        code = await self._process.wait()
        await asyncio.sleep(1)
        transport.close()
        await self._collector.go()
        return code

    def _configure(self, level: str) -> None:
        text = _CONFIG.format(
            level=level,
            folder=self._folder,
            host=HOST,
            http=self.http_port,
            tcp=self.tcp.port,
            udp=self.udp.port,
            spool_bytes=SPOOL_BYTES,
        )
        (self._folder / "nss.toml").write_text(text)

    async def _start(self) -> None:
        env = os.environ | {"PYTHONPATH": str(Path(nss.__file__).parent.parent)}
        command = (sys.executable, "-P", "-m", "cli.main", "run", "-c", "nss.toml")
        self._process = await asyncio.create_subprocess_exec(
            *command, cwd=self._folder, env=env, stderr=self._log
        )

    async def _faults(self, end: float) -> None:
        """Do something bad every few seconds; the last minute or so is left in peace."""
        faults: list[Callable[[], object]] = [self._kill, self._outage, self._pause, self._reload]
        quiet_secs = min(60.0, self._secs / 4)
        while time.monotonic() < end - quiet_secs:
            await asyncio.sleep(self._random.uniform(3, 12))
            fault = self._random.choice(faults)()
            if asyncio.iscoroutine(fault):
                await fault
        await asyncio.sleep(max(0.0, end - time.monotonic()))

    async def _kill(self) -> None:
        self.tally.kills += 1
        self._process.kill()
        await self._process.wait()
        await self._start()

    async def _outage(self) -> None:
        self.tally.outages += 1
        await self._collector.go()
        await asyncio.sleep(self._random.choice([2, 5, 20]))
        await self._collector.come()

    async def _pause(self) -> None:
        self.tally.pauses += 1
        self._process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(2)
        self._process.send_signal(signal.SIGCONT)

    def _reload(self) -> None:
        self.tally.reloads += 1
        self._configure("info" if self.tally.reloads % 2 else "warning")
        self._process.send_signal(signal.SIGHUP)

    async def _sample(self) -> None:
        while True:
            await asyncio.sleep(SAMPLE_SECS)
            status = await self._status()
            at, proc = time.monotonic(), Path(f"/proc/{self._process.pid}")
            with contextlib.suppress(OSError, StopIteration):
                rows = (proc / "status").read_text().splitlines()
                rss = next(int(row.split()[1]) for row in rows if row.startswith("VmRSS"))
                self.tally.rss.append((at, rss))
                self.tally.descriptors.append((at, len(list((proc / "fd").iterdir()))))
            if status is not None:
                self._look(status)

    async def _status(self) -> Status | None:
        def ask() -> Status:
            with contextlib.closing(ControlClient(self._folder / "c", answer_secs=3)) as client:
                return client.status()

        with contextlib.suppress(NssError):
            return await asyncio.to_thread(ask)
        return None

    def _look(self, status: Status) -> None:
        tally = self.tally
        tally.looks += 1
        tally.degraded += not status.health.ok
        tally.full += status.spool.full
        for feed in status.feeds:
            done = feed.delivered + feed.filtered + feed.rejected + feed.dropped
            tally.unbalanced += feed.accepted != done + feed.pending
            tally.largest_lag_secs = max(tally.largest_lag_secs, feed.lag_secs)

    async def _drained(self) -> None:
        deadline = time.monotonic() + DRAIN_SECS
        while time.monotonic() < deadline:
            status = await self._status()
            if status is not None and not any(feed.pending for feed in status.feeds):
                return
            await asyncio.sleep(0.5)


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def thirds(samples: list[tuple[float, int]]) -> tuple[float, float]:
    """Return the medians of the second and the last third."""
    values = [value for _, value in samples]
    third = max(1, len(values) // 3)
    return statistics.median(values[third : 2 * third] or [0]), statistics.median(values[-third:])


def verdict(soak: Soak, code: int) -> list[tuple[str, str, bool]]:
    """Return what is to be told: what, how much, and whether it is as it should be."""
    tally, owed = soak.tally, soak.sender.owed
    rss_before, rss_after = thirds(tally.rss)
    largest = max(value for _, value in tally.rss)
    fds_before, fds_after = thirds(tally.descriptors)
    lost = {name: seen.missing(owed) for name, seen in (("TCP", soak.tcp), ("UDP", soak.udp))}
    faults = f"{tally.kills} SIGKILL, {tally.outages} outages, {tally.pauses} pauses"
    return [
        ("faults", f"{faults}, {tally.reloads} reloads", True),
        ("records owed (answered with 200)", f"{owed:,}", owed > 0),
        ("pushes answered otherwise, or cut off, and repeated", f"{soak.sender.refused}", True),
        *((f"lost at the {name} collector", f"{n:,}", n == 0) for name, n in lost.items()),
        ("duplicates at the TCP collector", f"{soak.tcp.duplicates:,}", True),
        ("duplicates at the UDP collector", f"{soak.udp.duplicates:,}", True),
        ("accounts that did not add up", f"{tally.unbalanced}", tally.unbalanced == 0),
        (
            "looks at the status: all, degraded, spool full",
            f"{tally.looks}, {tally.degraded}, {tally.full}",
            tally.looks > 0,
        ),
        ("largest lag", f"{tally.largest_lag_secs:.0f} s", True),
        (
            "memory: largest; median of the second and last third",
            f"{largest >> 10} MiB; {rss_before / 1024:.0f}, {rss_after / 1024:.0f} MiB",
            rss_after <= MAX_GROWTH * rss_before,
        ),
        (
            "descriptors: second and last third",
            f"{fds_before:.0f}, {fds_after:.0f}",
            fds_after <= fds_before + 5,
        ),
        ("exit code of the last stop", f"{code}", code == 0),
    ]


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--rate", type=int, default=20_000, help="records a second")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nss-soak-") as folder:
        soak = Soak(Path(folder), chosen.minutes, chosen.rate, chosen.seed)
        began = time.monotonic()
        code = asyncio.run(soak.run())
        rows = verdict(soak, code)
        rate = soak.sender.owed / (time.monotonic() - began)
        if not all(good for *_, good in rows):
            sys.stderr.write((Path(folder) / "log").read_text()[-4000:])
    sys.stdout.write(f"{chosen.minutes:g} minutes at {chosen.rate:,} records/s ({rate:,.0f} had)\n")
    sys.stdout.write("\n| what | how much | |\n| --- | --- | --- |\n")
    for what, how_much, good in rows:
        sys.stdout.write(f"| {what} | {how_much} | {'' if good else '**wrong**'} |\n")
    return 0 if all(good for *_, good in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
