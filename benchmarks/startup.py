"""Start to first record, memory at rest, and how long the command line takes to answer.

    python benchmarks/startup.py [--nss PROGRAM] [--tries 5]

The service is started as the unit starts it (`python -m nss`), with a TCP source, a durable spool
and a syslog feed; the clock runs from the start of the process until the first line is at the
collector. Memory is what the process itself has resident after 5 s without records.
"""

import argparse
import contextlib
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

RECORD = b'{"time":"Fri Oct  6 09:05:08 2023","login":"ana@example.com","eurl":"example.com/"}\n'
REST_SECS = 5
LIMIT_SECS = 30


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description="Start to first record, memory at rest.")
    parser.add_argument("--nss", default=str(Path(sys.executable).with_name("nss")))
    parser.add_argument("--tries", type=int, default=5)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            ("start to first record", measure(lambda: first_record(Path(folder)), chosen.tries)),
            ("nss --help", measure(lambda: answered([chosen.nss, "--help"]), chosen.tries)),
            ("nss --version", measure(lambda: answered([chosen.nss, "--version"]), chosen.tries)),
            ("completion of nss sta", measure(lambda: completed(chosen.nss), chosen.tries)),
        ]
        resident = at_rest(Path(folder))
    for name, seconds in rows:
        low, high = min(seconds), max(seconds)
        print(f"{name:24} {statistics.median(seconds):.3f} s ({low:.3f} to {high:.3f})")
    print(f"{'resident at rest':24} {resident / 1e6:.1f} MB")


def measure(work: Callable[[], float], tries: int) -> list[float]:
    """Return the seconds of each try, after one that does not count."""
    work()
    return [work() for _ in range(tries)]


def answered(command: list[str], **environ: str) -> float:
    """Return how long a command takes, in seconds."""
    start = time.perf_counter()
    subprocess.run(
        command, env=os.environ | environ, capture_output=True, check=True, timeout=LIMIT_SECS
    )
    return time.perf_counter() - start


def completed(program: str) -> float:
    """Return how long bash waits for a completion."""
    return answered([program], _NSS_COMPLETE="complete_bash", COMP_WORDS="nss sta", COMP_CWORD="1")


def first_record(folder: Path) -> float:
    """Return how long it takes from the start of the process to the first line delivered."""
    with contextlib.ExitStack() as stack:
        collector = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        collector.bind(("127.0.0.1", 0))
        collector.settimeout(LIMIT_SECS)
        port = _free_port()
        config = _configuration(folder, port, collector.getsockname()[1])
        start = time.perf_counter()
        process = _service(config)
        stack.callback(_end, process)
        with _connected(port) as sender:
            sender.sendall(RECORD)
            collector.recv(65536)
        return time.perf_counter() - start


def at_rest(folder: Path) -> int:
    """Return the bytes resident in a service that has nothing to do."""
    port = _free_port()
    process = _service(_configuration(folder, port, 9))
    try:
        _connected(port).close()
        time.sleep(REST_SECS)
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
        kib = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
        return int(kib) * 1024
    finally:
        _end(process)


def _service(config: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "nss", str(config)], stderr=subprocess.DEVNULL
    )


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    process.wait(LIMIT_SECS)


def _configuration(folder: Path, listen: int, send: int) -> Path:
    for old in folder.iterdir():
        old.unlink()
    path = folder / "nss.toml"
    path.write_text(
        f"""
        [service]
        control_socket = "control.sock"
        state_directory = "{folder}"
        [spool]
        path = "spool.db"
        [sources.tcp]
        kind = "tcp"
        listen = "127.0.0.1:{listen}"
        [feeds.mcas]
        format = "MCAS"
        [feeds.mcas.sink]
        kind = "syslog_udp"
        destinations = ["127.0.0.1:{send}"]
        """,
        encoding="utf-8",
    )
    return path


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _connected(port: int) -> socket.socket:
    """Return a connection as soon as somebody listens."""
    deadline = time.monotonic() + LIMIT_SECS
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.002)


if __name__ == "__main__":
    main()
