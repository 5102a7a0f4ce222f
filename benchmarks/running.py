"""A program that runs while something is done to it, and what it has used by then."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from measure import Launch, peak_bytes_of

from nss.errors import InputMissing
from nss.spool.durable.inspect import read_totals

_END_SECS = 30.0
_LOOK_SECS = 0.02
_TICKS = os.sysconf("SC_CLK_TCK")


class Running:
    """A process that was started, with its log in `output.txt` of its folder."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log

    @property
    def cpu_secs(self) -> float:
        """User and system time so far."""
        stat = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="utf-8")
        user, system = stat.rpartition(")")[2].split()[11:13]  # fields 14 and 15, see proc(5)
        return (int(user) + int(system)) / _TICKS

    @property
    def peak_bytes(self) -> int:
        """The most memory it had so far."""
        return peak_bytes_of(self._process.pid)

    def wait_for_port(self, port: int, limit_secs: float = 20.0) -> None:
        """Wait until it listens. Raises `RuntimeError`."""
        deadline = time.monotonic() + limit_secs
        while True:
            with contextlib.suppress(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port)).close()
                return
            self._wait(deadline, f"listens at port {port}")

    def wait_for_records(self, spool: Path, records: int, limit_secs: float) -> None:
        """Wait until a spool has so many records committed. Raises `RuntimeError`."""
        deadline = time.monotonic() + limit_secs
        while accepted_records(spool) < records:
            self._wait(deadline, f"has {records} records in its spool")

    def _wait(self, deadline: float, what: str) -> None:
        if time.monotonic() > deadline or self._process.poll() is not None:
            told = self._log.read_text(encoding="utf-8", errors="replace")[-500:]
            raise RuntimeError(f"the program never {what}: {told}")
        time.sleep(_LOOK_SECS)


@contextlib.contextmanager
def running(launch: Launch, folder: Path) -> Iterator[Running]:
    """Start a program; it is sent SIGTERM at the end, and waited for."""
    log = folder / "output.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(
            launch.argv,
            cwd=folder,
            env={**os.environ, **launch.env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield Running(process, log)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(_END_SECS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def accepted_records(spool: Path) -> int:
    """Return how many records a spool has ever accepted, by its file."""
    with contextlib.suppress(InputMissing):  # not there yet
        return read_totals(spool).accepted
    return 0


@contextlib.contextmanager
def refusing_port() -> Iterator[int]:
    """Yield a port that refuses connections: a destination that is down."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def free_port() -> int:
    """Return a port that nobody listens at now."""
    with refusing_port() as port:
        return port
