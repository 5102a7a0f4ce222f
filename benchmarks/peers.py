"""The programs measured: each reads the same file, renders the QRADAR string and sends UDP.

All peers get the configuration that was fastest of those tried (queue types and sizes, worker
threads, fetch limits, parallelism), and render all 52 slots. None but NSS encodes control
characters: a hostile record is one datagram of theirs, but its line may be broken.

What the cases with a queue on disk promise of a record that is in the queue when the program is
killed (or, last, when the machine loses power):

- `nss-durable`: it is delivered, also after a loss of power; every commit is synced before the
  batch counts as accepted.
- `syslog-ng-disk` (`reliable(yes)`): it is delivered; there is no option to sync the queue, so a
  loss of power takes what the kernel has not written yet.
- `rsyslog-disk` (LinkedList with a file name, `syncQueueFiles`): it is lost unless it has been
  moved to disk, which begins at the high watermark. imfile never fills the queue so far: in this
  job all of it stays in memory. With a lower watermark this build delivered nothing.
"""

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import ceiling
import corpus
import fluent_bit
import unpacked
from measure import Launch

_MAX_BYTES = 65_000
_QUEUE_BYTES = 4 << 30
_MEMORY_BYTES = 64 << 20
"""So much of its queue syslog-ng also keeps in memory, so that it need not read it back."""


class Unavailable(Exception):  # noqa: N818 - the benchmark skips the case and prints the text
    """A peer is not on this machine; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Programs:
    """Paths given on the command line; `None` looks for the program in its usual place."""

    nss: str | None = None
    tenzir: str | None = None
    fluent_bit: str | None = None


Peer = Callable[[Path, Programs], Callable[[int, Path], Launch]]
"""Takes the corpus folder, finds its program and returns what launches it (see `measure.run`)."""


def nss_program(programs: Programs) -> str:
    """Return the path of `nss`, by default of the environment this script runs in."""
    return _found(programs.nss or str(Path(sys.executable).with_name("nss")))


def nss(
    data: Path, programs: Programs, *, durable: bool = False, pure: bool = False
) -> Callable[[int, Path], Launch]:
    """Return the launcher of `nss run`; `pure` leaves alone what is compiled."""
    program = nss_program(programs)
    env = {"NSS_PURE": "1"} if pure else {}

    def launch(port: int, folder: Path) -> Launch:
        spool = f'path = "{folder}/spool.db"' if durable else 'kind = "memory"'
        (folder / "nss.toml").write_text(
            f"""\
[service]
control_socket = "off"

[spool]
{spool}

[sources.web]
kind = "file"
path = "{data / corpus.RECORDS_FILE}"
follow = false

[feeds.bench]
format = "QRADAR"

[feeds.bench.sink]
kind = "syslog_udp"
destinations = ["127.0.0.1:{port}"]
max_message_bytes = {_MAX_BYTES}
"""
        )
        return Launch([program, "run", "-c", str(folder / "nss.toml")], env)

    return launch


def rsyslog(
    data: Path, _programs: Programs, *, durable: bool = False
) -> Callable[[int, Path], Launch]:
    """Return the launcher of rsyslog: imfile, mmjsonparse, a string template, omfwd.

    `durable` puts a disk-assisted queue between imfile and the rest.
    """
    found = unpacked_or_unavailable(unpacked.rsyslog)
    line = template("%$!{}%")
    queue = (
        ' queue.type="LinkedList" queue.fileName="bench" queue.syncQueueFiles="on"'
        f' queue.maxDiskSpace="{_QUEUE_BYTES}" queue.saveOnShutdown="on"'
    )

    def launch(port: int, folder: Path) -> Launch:
        (folder / "rsyslog.conf").write_text(
            f"""\
global(workDirectory="{folder}" maxMessageSize="64k"
       parser.escapeControlCharactersOnReceive="off")
module(load="imfile")
module(load="mmjsonparse")
template(name="qradar" type="string" string="{line}")
ruleset(name="bench"{queue if durable else ""}) {{
  action(type="mmjsonparse" cookie="")
  action(type="omfwd" target="127.0.0.1" port="{port}" protocol="udp" template="qradar")
}}
input(type="imfile" file="{data / corpus.RECORDS_FILE}" tag="bench" ruleset="bench")
"""
        )
        argv = [str(found.program), *found.options, "-n", "-i", "NONE"]
        return Launch([*argv, "-f", str(folder / "rsyslog.conf")], found.env, runs_on=True)

    return launch


def syslog_ng_peer(
    data: Path, _programs: Programs, *, durable: bool = False
) -> Callable[[int, Path], Launch]:
    """Return the launcher of syslog-ng: file source, json-parser, a template, network.

    `durable` gives the destination a reliable disk-buffer.
    """
    found = unpacked_or_unavailable(unpacked.syslog_ng)
    line = template("${{.r.{}}}")

    def launch(port: int, folder: Path) -> Launch:
        queue = "log-fifo-size(10000)"
        if durable:
            queue = (
                f'disk-buffer(reliable(yes) dir("{folder}") disk-buf-size({_QUEUE_BYTES})'
                f" mem-buf-size({_MEMORY_BYTES}))"
            )
        (folder / "syslog-ng.conf").write_text(
            f"""\
@version: {unpacked.version(found)}
options {{ log-msg-size(65536); use-dns(no); dns-cache(no); stats-freq(0); }};
source records {{
  file("{data / corpus.RECORDS_FILE}" flags(no-parse) log-fetch-limit(100) log-iw-size(1000));
}};
parser json {{ json-parser(prefix(".r.")); }};
destination out {{
  network("127.0.0.1" port({port}) transport("udp") {queue} template("{line}"));
}};
log {{ source(records); parser(json); destination(out); flags(flow-control); }};
"""
        )
        return syslog_ng_launch(found, folder)

    return launch


def syslog_ng_launch(found: unpacked.Unpacked, folder: Path) -> Launch:
    """Return how to start syslog-ng with the `syslog-ng.conf` of a folder."""
    files = {"-f": "syslog-ng.conf", "-R": "persist", "-p": "pid", "-c": "control"}
    words = [word for flag, name in files.items() for word in (flag, str(folder / name))]
    argv = [str(found.program), *found.options, "-F", "--no-caps", *words]
    return Launch(argv, found.env, runs_on=True)


def tenzir(data: Path, programs: Programs) -> Callable[[int, Path], Launch]:
    """Return the launcher of Tenzir: read_ndjson, one format string, to_udp.

    `raw=true` keeps the values as they are written, as the other programs do.
    """
    named = programs.tenzir or os.environ.get("NSS_BENCH_TENZIR")
    program = _found(named or "tenzir")
    line = template("{{{}}}")

    def launch(port: int, folder: Path) -> Launch:
        (folder / "bench.tql").write_text(
            f"""\
from_file "{data / corpus.RECORDS_FILE}" {{ read_ndjson raw=true }}
to_udp "127.0.0.1:{port}", message=f"{line}"
"""
        )
        argv = [program, "--parallelism=max", "-f", str(folder / "bench.tql")]
        return Launch(argv, {"HOME": str(folder)})

    return launch


def fluent_bit_peer(data: Path, programs: Programs) -> Callable[[int, Path], Launch]:
    """Return the launcher of Fluent Bit."""
    named = programs.fluent_bit or os.environ.get("NSS_BENCH_FLUENT_BIT")
    return fluent_bit.launcher(_found(named or "fluent-bit"), data)


def bare_send(data: Path, _programs: Programs) -> Callable[[int, Path], Launch]:
    """Return the launcher of the ceiling."""
    script = str(Path(ceiling.__file__))

    def launch(port: int, _folder: Path) -> Launch:
        return Launch([sys.executable, script, str(data / corpus.LINES_FILE), str(port)])

    return launch


PEERS: dict[str, Peer] = {
    "nss": nss,
    "nss-durable": partial(nss, durable=True),
    "nss-pure": partial(nss, pure=True),
    "rsyslog": rsyslog,
    "rsyslog-disk": partial(rsyslog, durable=True),
    "syslog-ng": syslog_ng_peer,
    "syslog-ng-disk": partial(syslog_ng_peer, durable=True),
    "tenzir": tenzir,
    "fluent-bit": fluent_bit_peer,
    "ceiling": bare_send,
}


def unpacked_or_unavailable(find: Callable[[], unpacked.Unpacked]) -> unpacked.Unpacked:
    """Return what `find` finds. Raises `Unavailable`."""
    try:
        return find()
    except unpacked.NotUnpacked as error:
        raise Unavailable(str(error)) from error


def _found(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        raise Unavailable(f"{program} is not installed")
    return str(Path(path).absolute())  # it is started in a folder of its own


def template(slot: str) -> str:
    """Return the QRADAR string with each field written as `slot` and each TAB escaped."""
    parts = corpus.qradar()
    fields = range(1, len(parts), 2)
    for at in fields:
        parts[at] = slot.format(parts[at])
    return "".join(parts).replace("\t", "\\t")
