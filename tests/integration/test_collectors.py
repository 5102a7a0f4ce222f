"""Real collectors: what rsyslog and syslog-ng write is what `nss render` prints, byte for byte."""

import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

import cli
from nss.lab.generator import RecordGenerator
from nss.lab.ports import free_port

ROOT = Path(__file__).parent.parent.parent
NSS = (sys.executable, "-P", "-m", "cli.main")
ENV = os.environ | {"PYTHONPATH": str(Path(cli.__file__).parent.parent)}

RECORDS = 10_000
MAX_BYTES = 8192
RECORDS_PER_SEC = 4000
"""A pace that a busy collector with a small receive buffer keeps up with: UDP has no other way."""

RCVBUF_BYTES = 32 << 20

Start = Callable[[str], tuple[int, Path]]


def peers() -> Any:  # noqa: ANN401 - a script of the benchmarks, which know where peers are
    spec = importlib.util.spec_from_file_location("unpacked", ROOT / "benchmarks" / "unpacked.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["unpacked"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a collector; returns the port it listens at and the file it writes."""
    started: list[subprocess.Popen[bytes]] = []
    unpacked = peers()

    def launch(name: str) -> tuple[int, Path]:
        try:
            found = unpacked.rsyslog() if name == "rsyslog" else unpacked.syslog_ng()
        except unpacked.NotUnpacked as error:
            pytest.skip(str(error))
        port, received = free_port(), tmp_path / "received"
        argv = (
            rsyslog(tmp_path, port, received)
            if name == "rsyslog"
            else syslog_ng(tmp_path, port, received, unpacked.version(found))
        )
        command = [str(found.program), *found.options, *argv]
        with (tmp_path / "collector.log").open("wb") as log:
            env = os.environ | found.env
            process = subprocess.Popen(command, env=env, stdout=log, stderr=log)  # noqa: S603 - ours
        started.append(process)
        wait_for(lambda: listens(port), f"{name} does not listen", tmp_path / "collector.log")
        return port, received

    yield launch
    for process in started:
        process.kill()
        process.wait()


def rsyslog(folder: Path, port: int, received: Path) -> list[str]:
    config = folder / "rsyslog.conf"
    config.write_text(
        f"""\
global(workDirectory="{folder}" maxMessageSize="64k"
       parser.escapeControlCharactersOnReceive="off")
module(load="imudp")
template(name="raw" type="string" string="%rawmsg%\\n")
ruleset(name="raw") {{ action(type="omfile" file="{received}" template="raw") }}
input(type="imudp" address="127.0.0.1" port="{port}" rcvbufSize="{RCVBUF_BYTES}" ruleset="raw")
"""
    )
    return ["-n", "-i", "NONE", "-f", str(config)]


def syslog_ng(folder: Path, port: int, received: Path, version: str) -> list[str]:
    (folder / "syslog-ng.conf").write_text(
        f"""\
@version: {version}
options {{ log-msg-size(65536); use-dns(no); dns-cache(no); stats-freq(0); keep-hostname(yes); }};
source udp {{
  network(ip("127.0.0.1") port({port}) transport("udp") flags(no-parse) so-rcvbuf({RCVBUF_BYTES})
          log-iw-size(20000));
}};
destination file {{
  file("{received}" template("$MESSAGE\\n") flush-lines(1) log-fifo-size(20000));
}};
log {{ source(udp); destination(file); }};
"""
    )
    files = {"-f": "syslog-ng.conf", "-R": "persist", "-p": "pid", "-c": "control"}
    words = [word for flag, name in files.items() for word in (flag, str(folder / name))]
    return ["-F", "--no-caps", *words]


def listens(port: int) -> bool:
    rows = Path("/proc/net/udp").read_text(encoding="ascii").splitlines()[1:]
    return any(row.split()[1].endswith(f":{port:04X}") for row in rows)


def wait_for(condition: Callable[[], bool], complaint: str, log: Path) -> None:
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline, f"{complaint}\n{log.read_text(errors='replace')}"
        time.sleep(0.02)


def records() -> bytes:
    """Return ordinary, long and hostile records, and some whose lines must be shortened."""
    ordinary = RecordGenerator(2, hostile_share=0.1, long_share=0.1).batch(RECORDS - 20)
    long = []
    for number, line in enumerate(RecordGenerator(3, flat=True).lines(20)):
        record = orjson.loads(line)
        record[("eurl", "ereferer", "ua")[number % 3]] += "/näme" * (500 * number)
        long.append(orjson.dumps(record) + b"\n")
    return ordinary + b"".join(long)


@pytest.mark.parametrize("name", ["rsyslog", "syslog-ng"])
def test_what_a_collector_writes_is_what_render_prints(
    start: Start, tmp_path: Path, name: str
) -> None:
    port, received = start(name)
    (tmp_path / "web.log").write_bytes(records())
    (tmp_path / "nss.toml").write_text(
        f"""\
[service]
control_socket = "off"

[spool]
kind = "memory"

[sources.web]
kind = "file"
path = "web.log"
follow = false

[feeds.qradar]
format = "QRADAR"

[feeds.qradar.sink]
kind = "syslog_udp"
destinations = ["127.0.0.1:{port}"]
max_message_bytes = {MAX_BYTES}
max_messages_per_sec = {RECORDS_PER_SEC}
"""
    )

    nss(tmp_path, "run", "--config", "nss.toml")
    expected = nss(tmp_path, "render", "--to", "QRADAR", "--max-bytes", str(MAX_BYTES), "web.log")

    assert expected.count(b"\n") == RECORDS
    assert max(map(len, expected.splitlines())) == MAX_BYTES
    wait_for(
        lambda: received.exists() and received.stat().st_size >= len(expected),
        f"{name} lacks records",
        tmp_path / "collector.log",
    )
    assert received.read_bytes() == expected


def nss(folder: Path, *arguments: str) -> bytes:
    return subprocess.run(  # noqa: S603 - ours
        [*NSS, *arguments], cwd=folder, env=ENV, stdout=subprocess.PIPE, timeout=40, check=True
    ).stdout
