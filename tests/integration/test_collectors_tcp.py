"""Real collectors over TCP and TLS: what they write is what `nss render` prints, byte for byte."""

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
import trustme

import cli
from nss.lab.generator import RecordGenerator
from nss.lab.ports import free_port

ROOT = Path(__file__).parent.parent.parent
NSS = (sys.executable, "-P", "-m", "cli.main")
ENV = os.environ | {"PYTHONPATH": str(Path(cli.__file__).parent.parent)}

RECORDS = 20_000
MAX_BYTES = 16 * 1024

Start = Callable[[str, str], tuple[int, Path]]


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

    def launch(name: str, transport: str) -> tuple[int, Path]:
        try:
            found = unpacked.rsyslog() if name == "rsyslog" else unpacked.syslog_ng()
        except unpacked.NotUnpacked as error:
            pytest.skip(str(error))
        port, received = free_port(), tmp_path / "received"
        if name == "rsyslog":
            argv = rsyslog(tmp_path, port, received)
        else:
            argv = syslog_ng(tmp_path, port, received, unpacked.version(found), transport)
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
    """Configure a collector that tells octet counts from lines by itself."""
    config = folder / "rsyslog.conf"
    config.write_text(
        f"""\
global(workDirectory="{folder}" maxMessageSize="64k"
       parser.escapeControlCharactersOnReceive="off")
module(load="imtcp")
template(name="raw" type="string" string="%rawmsg%\\n")
ruleset(name="raw") {{ action(type="omfile" file="{received}" template="raw") }}
input(type="imtcp" address="127.0.0.1" port="{port}" ruleset="raw")
"""
    )
    return ["-n", "-i", "NONE", "-f", str(config)]


SYSLOG_NG_SOURCES = {
    "newline": 'network(ip("127.0.0.1") port({port}) transport("tcp") {options});',
    "octet": 'syslog(ip("127.0.0.1") port({port}) transport("tcp") {options});',
    "tls": """network(ip("127.0.0.1") port({port}) transport("tls") {options}
  tls(key-file("{folder}/collector.key") cert-file("{folder}/collector.pem")
      ca-file("{folder}/ca.pem") peer-verify(required-trusted)));""",
}


def syslog_ng(folder: Path, port: int, received: Path, version: str, transport: str) -> list[str]:
    source = SYSLOG_NG_SOURCES[transport].format(
        port=port, folder=folder, options="flags(no-parse) log-iw-size(20000)"
    )
    (folder / "syslog-ng.conf").write_text(
        f"""\
@version: {version}
options {{ log-msg-size(65536); use-dns(no); dns-cache(no); stats-freq(0); keep-hostname(yes); }};
source tcp {{ {source} }};
destination file {{
  file("{received}" template("$MESSAGE\\n") flush-lines(1) log-fifo-size(20000));
}};
log {{ source(tcp); destination(file); flags(flow-control); }};
"""
    )
    files = {"-f": "syslog-ng.conf", "-R": "persist", "-p": "pid", "-c": "control"}
    words = [word for flag, name in files.items() for word in (flag, str(folder / name))]
    return ["-F", "--no-caps", *words]


def listens(port: int) -> bool:
    rows = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    return any(row.split()[1].endswith(f":{port:04X}") and row.split()[3] == "0A" for row in rows)


def wait_for(condition: Callable[[], bool], complaint: str, log: Path) -> None:
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline, f"{complaint}\n{log.read_text(errors='replace')}"
        time.sleep(0.02)


def certificates(folder: Path) -> None:
    """Write what a collector and a sink show each other, and the authority of both."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    for name, host in (("collector", "127.0.0.1"), ("nss", "nss.example.com")):
        issued = authority.issue_cert(host)
        issued.private_key_pem.write_to_path(folder / f"{name}.key")
        (folder / f"{name}.key").chmod(0o600)
        chain = b"".join(pem.bytes() for pem in issued.cert_chain_pems)
        (folder / f"{name}.pem").write_bytes(chain)


def records() -> bytes:
    """Return ordinary, long and hostile records, and some whose lines must be shortened."""
    ordinary = RecordGenerator(4, hostile_share=0.1, long_share=0.1).batch(RECORDS - 20)
    long = []
    for number, line in enumerate(RecordGenerator(5, flat=True).lines(20)):
        record = orjson.loads(line)
        record[("eurl", "ereferer", "ua")[number % 3]] += "/näme" * (500 * number)
        long.append(orjson.dumps(record) + b"\n")
    return ordinary + b"".join(long)


TLS = """
tls = true
tls_ca = "ca.pem"
tls_certificate = "nss.pem"
tls_key = "nss.key"
"""


@pytest.mark.parametrize(
    ("name", "transport"),
    [
        ("rsyslog", "newline"),
        ("rsyslog", "octet"),
        ("syslog-ng", "newline"),
        ("syslog-ng", "octet"),
        ("syslog-ng", "tls"),
    ],
)
def test_what_a_collector_writes_is_what_render_prints(
    start: Start, tmp_path: Path, name: str, transport: str
) -> None:
    certificates(tmp_path)
    port, received = start(name, transport)
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
kind = "syslog_tcp"
destinations = ["127.0.0.1:{port}"]
framing = "{"octet" if transport == "octet" else "newline"}"
max_message_bytes = {MAX_BYTES}
{TLS if transport == "tls" else ""}
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
