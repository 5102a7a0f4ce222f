"""One measurement: launch a sender, wait for its last datagram, read what it used."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import orjson

_START_SECS = 20.0
_IDLE_SECS = 5.0
_END_SECS = 10.0
_RECEIVER = Path(__file__).with_name("receiver.py")


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start a sender. One that `runs_on` never ends by itself and is sent SIGTERM."""

    argv: list[str]
    env: Mapping[str, str] = field(default_factory=dict)
    runs_on: bool = False


@dataclass(slots=True)
class Run:
    """What one run took, from launch to the last datagram received."""

    records: int
    messages: int
    received_bytes: int
    started_ns: int
    wall_secs: float
    flow_secs: float
    """From the first datagram to the last."""
    cpu_secs: float
    peak_bytes: int
    kept: list[str]
    """Every so many-th line received."""
    output: str
    exit_code: int

    @property
    def records_per_sec(self) -> float:
        """Records received a second."""
        return self.records / self.wall_secs

    @property
    def cpu_us_per_record(self) -> float:
        """User and system time of the sender's process tree, in microseconds a record."""
        return self.cpu_secs * 1e6 / self.records


def run(
    launch: Callable[[int, Path], Launch],
    records: int,
    folder: Path,
    limit_secs: float,
    copies: int = 1,
) -> Run:
    """Start what `launch(port, folder)` says and measure it.

    The receiver's own CPU is not counted. A sender that is not done after `limit_secs` is ended.
    With `copies`, each of so many records comes so often.
    """
    with _receiver(records, copies) as (receiver, port):
        sender = launch(port, folder)
        log = folder / "output.txt"
        started_ns = time.monotonic_ns()
        with log.open("wb") as output:
            process = subprocess.Popen(
                sender.argv,
                cwd=folder,
                env={**os.environ, **sender.env},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            result = orjson.loads(_result(receiver, limit_secs))
        finally:
            peak_bytes = peak_bytes_of(process.pid) if sender.runs_on else 0
            exit_code, cpu_secs, tree_peak_bytes = _end(process, at_once=sender.runs_on)
    return Run(
        records=result["records"] if copies == 1 else result["messages"],
        messages=result["messages"],
        received_bytes=result["bytes"],
        started_ns=started_ns,
        wall_secs=(result["last_ns"] - started_ns) / 1e9,
        flow_secs=(result["last_ns"] - result["first_ns"]) / 1e9,
        cpu_secs=cpu_secs,
        peak_bytes=peak_bytes or tree_peak_bytes,
        kept=result["kept"],
        output=log.read_text(encoding="utf-8", errors="replace"),
        exit_code=exit_code,
    )


@contextlib.contextmanager
def _receiver(records: int, copies: int) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run a receiver in a process of its own; yields it and its port."""
    options = {
        "--records": records,
        "--copies": copies,
        "--start-secs": _START_SECS,
        "--idle-secs": _IDLE_SECS,
    }
    words = [str(word) for option in options.items() for word in option]
    with subprocess.Popen([sys.executable, str(_RECEIVER), *words], stdout=subprocess.PIPE) as one:
        try:
            assert one.stdout is not None  # noqa: S101 - it is a pipe
            yield one, orjson.loads(one.stdout.readline())["port"]
        finally:
            one.kill()


def _result(receiver: subprocess.Popen[bytes], limit_secs: float) -> bytes:
    """Return the receiver's result; it is asked for what it has when the time is over."""
    try:
        return receiver.communicate(timeout=limit_secs)[0]
    except subprocess.TimeoutExpired:
        receiver.send_signal(signal.SIGINT)
        return receiver.communicate(timeout=_END_SECS)[0]


def _end(process: subprocess.Popen[bytes], *, at_once: bool) -> tuple[int, float, int]:
    """Wait for the process or end it; return exit code, CPU seconds and peak bytes of its tree."""
    ladder = [signal.SIGTERM, signal.SIGKILL]
    deadline = time.monotonic() + (0 if at_once else _END_SECS)
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        if time.monotonic() >= deadline:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, ladder.pop(0))
            deadline = time.monotonic() + _END_SECS
        time.sleep(0.01)
    process.returncode = os.waitstatus_to_exitcode(status)  # Popen need not wait any more
    return process.returncode, usage.ru_utime + usage.ru_stime, usage.ru_maxrss << 10


def peak_bytes_of(pid: int) -> int:
    """Return the peak memory of a process that still runs, 0 if it doesn't.

    More exact than what `wait4` tells, which starts at the size of the process that forked it.
    """
    with contextlib.suppress(OSError):
        for row in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
            if row.startswith("VmHWM:"):
                return int(row.split()[1]) << 10
    return 0
