"""Reloads whose files are no ordinary ones: refused, bounded, and never in the way of records."""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.service.conftest import ENV, Bench, Running, file_feed, file_source, rendered
from tests.service.test_reload import Writer, drained, grown

HOOK = '''
import os, sys, time

FOLDER = os.path.dirname(os.path.abspath(__file__))


def watch(event, arguments):
    """Note what is opened, and be a file system that does not answer while `hold` is there."""
    name = os.path.basename(str(arguments[0])) if event == "open" else ""
    if name in {"nss.toml", "slow.fof"} and arguments[0] == name:
        number = os.open(os.path.join(FOLDER, "opened"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(number, name.encode() + b"\\n")
        os.close(number)
        while name == "slow.fof" and os.path.exists(os.path.join(FOLDER, "hold")):
            time.sleep(0.01)


sys.addaudithook(watch)
'''
"""As `sitecustomize` of the service."""


class SlowFiles:
    """A file system whose file `slow.fof` takes as long to read as the test wants."""

    def __init__(self, folder: Path) -> None:
        self._opened, self._hold = folder / "opened", folder / "hold"

    def hold(self) -> None:
        """Let nobody read it from now on."""
        self._hold.touch()

    def let_go(self) -> None:
        """Let it be read."""
        self._hold.unlink()

    def opened(self, name: str) -> int:
        """Return how often a file was opened."""
        return self._opened.read_text().split().count(name) if self._opened.exists() else 0


@pytest.fixture
def slow(tmp_path: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> SlowFiles:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(HOOK)
    monkeypatch.setitem(ENV, "PYTHONPATH", f"{folder}:{ENV['PYTHONPATH']}")
    (bench.folder / "slow.fof").write_text("%s{url}\\n")
    return SlowFiles(folder)


async def opened_again(slow: SlowFiles, name: str, before: int) -> None:
    """Wait until a file is opened once more."""

    def wait() -> None:
        deadline = time.monotonic() + 10
        while slow.opened(name) <= before:
            assert time.monotonic() < deadline, f"{name} is not opened"
            time.sleep(0.01)

    await asyncio.to_thread(wait)


async def started(bench: Bench, slow: SlowFiles) -> tuple[Writer, list[str], Running]:
    """Return a service in which a reload reads the slow file."""
    web = Writer(bench.folder / "web.log")
    sections = [
        file_source("web", follow=True),
        file_feed("out"),
        file_feed("more").replace('"QRADAR"', '"slow.fof"'),
    ]
    running = await bench.start(*sections)
    web.write(10)
    await grown(bench.folder / "out", 10)
    slow.hold()
    return web, sections, running


async def test_records_pass_while_a_reload_waits_for_a_slow_file_system(
    bench: Bench, slow: SlowFiles
) -> None:
    web, _, running = await started(bench, slow)
    before = slow.opened("slow.fof")
    running.send_signal(signal.SIGHUP)
    await opened_again(slow, "slow.fof", before)
    web.write(500)
    await grown(bench.folder / "out", 510)
    slow.let_go()
    await running.reported("configuration_reloaded", ended=[], started=[])
    await drained(running)
    assert bench.lines("out") == rendered(web.data, "QRADAR")


async def test_a_stop_does_not_wait_for_a_reload_that_can_not_read(
    bench: Bench, slow: SlowFiles
) -> None:
    web, _, running = await started(bench, slow)
    before = slow.opened("slow.fof")
    running.send_signal(signal.SIGHUP)
    await opened_again(slow, "slow.fof", before)
    web.write(500)
    await grown(bench.folder / "out", 510)
    await drained(running)  # the file system never answers
    assert bench.lines("out") == rendered(web.data, "QRADAR")


async def test_many_signals_during_a_reload_are_one_more_reload(
    bench: Bench, slow: SlowFiles
) -> None:
    _, sections, running = await started(bench, slow)
    before = slow.opened("slow.fof")
    running.send_signal(signal.SIGHUP)
    await opened_again(slow, "slow.fof", before)
    bench.write(*sections, file_feed("added"))
    for _ in range(200):
        running.send_signal(signal.SIGHUP)
    slow.let_go()
    await running.reported("configuration_reloaded", ended=[], started=[])
    await running.reported("configuration_reloaded", ended=[], started=["feed added"])
    await drained(running)
    assert slow.opened("nss.toml") == 3  # at the start, and for two reloads


def large_file(path: Path) -> None:
    path.touch(0o600)
    os.truncate(path, 1 << 34)


def peak_kib(pid: int) -> int:
    """Return how much memory a process had at most."""
    return int(Path(f"/proc/{pid}/status").read_text().partition("VmHWM:")[2].split()[0])


Trap = Callable[[Path], object]
TRAPS: dict[str, tuple[Trap, str]] = {
    "fifo": (os.mkfifo, "not a regular file"),
    "zeros": (lambda path: path.symlink_to("/dev/zero"), "not a regular file"),
    "folder": (Path.mkdir, "not a regular file"),
    "large": (large_file, "more than"),
}


def tls_source(**files: str) -> str:
    keys = "".join(f'{key} = "{name}"\n' for key, name in files.items())
    return f'[sources.tls]\nkind = "tcp"\nlisten = "127.0.0.1:0"\n{keys}'


NAMED = {
    "nss.toml": "",
    "own.fof": '[feeds.named]\nformat = "own.fof"\n[feeds.named.sink]\nkind = "file"\npath = "x"\n',
    "token": '[sources.push]\nkind = "http"\nlisten = "127.0.0.1:0"\ntoken_file = "token"\n',
    "basic": '[sources.push]\nkind = "http"\nlisten = "127.0.0.1:0"\nbasic_file = "basic"\n',
    "own.key": tls_source(tls_certificate="own.key", tls_key="own.key"),
    "ca.pem": '[feeds.named]\nformat = "CSV"\n[feeds.named.sink]\nkind = "syslog_tcp"\n'
    'destinations = ["127.0.0.1:9"]\ntls = true\ntls_ca = "ca.pem"\n',
    "obfuscation": '[feeds.named]\nformat = "CSV"\nobfuscation_key_file = "obfuscation"\n'
    '[feeds.named.sink]\nkind = "file"\npath = "x"\n',
}


@pytest.mark.parametrize("trap", TRAPS)
async def test_what_is_no_ordinary_file_is_refused_and_records_pass(
    bench: Bench, trap: str
) -> None:
    web = Writer(bench.folder / "web.log")
    sections = [file_source("web", follow=True), file_feed("out")]
    running = await bench.start(*sections)
    make, reason = TRAPS[trap]
    for name, section in NAMED.items():
        bench.write(*sections, section)
        path = bench.folder / name
        path.unlink(missing_ok=True)
        make(path)
        running.send_signal(signal.SIGHUP)
        refused = await running.reported("reload_refused")
        assert reason in str(refused["why"]), name
        path.rename(bench.folder / f"{name} was {trap}")
    web.write(100)
    await grown(bench.folder / "out", 100)
    assert peak_kib(running.process.pid) < 300_000  # of a file of 16 GiB
    await drained(running)
    assert bench.lines("out") == rendered(web.data, "QRADAR")
