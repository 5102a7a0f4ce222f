"""What a configuration does not ask for is not imported; what it does is, before the start."""

import subprocess
import sys
from pathlib import Path

import pytest

PLAIN = """\
[service]
control_socket = "off"
[spool]
kind = "memory"
[sources.web]
kind = "file"
path = "web.log"
follow = false
[feeds.out]
format = "QRADAR"
[feeds.out.sink]
kind = "syslog_udp"
destinations = ["127.0.0.1:9"]
[sync]
target = "off"
"""

ALL = """\
[service]
control_socket = "control.sock"
metrics_listen = "127.0.0.1:0"
[spool]
kind = "durable"
path = "spool.db"
[sources.file]
kind = "file"
path = "web.log"
[sources.stdin]
kind = "stdin"
[sources.tcp]
kind = "tcp"
listen = "127.0.0.1:0"
[sources.http]
kind = "http"
listen = "127.0.0.1:0"
[feeds.udp]
format = "QRADAR"
[feeds.udp.sink]
kind = "syslog_udp"
destinations = ["127.0.0.1:9"]
[feeds.tcp]
format = "QRADAR"
[feeds.tcp.sink]
kind = "syslog_tcp"
destinations = ["127.0.0.1:9"]
[feeds.file]
format = "QRADAR"
[feeds.file.sink]
kind = "file"
path = "lines"
"""

NOT_NEEDED = (
    *("typer", "pydantic", "rich"),
    *("starlette", "uvicorn", "httptools", "h11", "httpx", "prometheus_client"),
    *("msal", "requests", "cryptography", "jinja2", "argon2", "zstandard", "sqlite3"),
    *("nss.sources.stdin", "nss.sources.tcp", "nss.sources.http"),
    *("nss.sinks.file", "nss.sinks.syslog.tcp", "nss.sinks.cloud_discovery"),
    *("nss.spool.durable", "nss.feeds.collecting", "nss.sync.run", "nss.zia"),
    *("nss.admin.control.server", "nss.admin.metrics", "nss.admin.portal"),
)

BUILDING = """
import asyncio, sys
from functools import partial
from pathlib import Path
from nss.config import load
from nss.mcas.access import McasAccess
from nss.service import build, imports, service

async def build_all(config):
    for settings in config.sources:
        files = build.read_source_files(settings)
        build.build_source(settings, files, None, lambda: False, lambda: None)
    for feed in config.feeds:
        build.build_delivery(build.build_sink(feed, config, McasAccess()), lambda: False)
        build.build_origins(feed, config.sources)
    spool = await build.open_spool(config.spool, lambda point: None)
    await spool.close()

config = load.load(Path("nss.toml"))
imports.import_parts(config)
before = set(sys.modules)
asyncio.run(build_all(config))
print(*sorted(name for name in set(sys.modules) - before if name.startswith("nss")))
"""

MISSING = """
import sys
sys.modules["uvicorn"] = None
sys.argv = ["nss", *sys.argv[1:]]
from cli.main import main
main()
"""


DAMAGED = """
import importlib.util, sys
from importlib.machinery import PathFinder
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "nss.sinks.syslog.udp":
            return importlib.util.spec_from_file_location(name, "damaged.py")
sys.meta_path.insert(0, Finder())
sys.argv = ["nss", *sys.argv[1:]]
from cli.main import main
main()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "web.log").write_bytes(b"")
    return tmp_path


def ran(folder: Path, config: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    (folder / "nss.toml").write_text(config)
    return subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-P", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )


@pytest.mark.parametrize(
    "command", [("-m", "nss", "nss.toml"), ("-m", "cli.main", "run", "-c", "nss.toml")]
)
def test_a_plain_service_imports_only_what_it_needs(folder: Path, command: tuple[str, ...]) -> None:
    done = ran(folder, PLAIN, "-X", "importtime", *command)

    imported = {row.rpartition("|")[2].strip() for row in done.stderr.splitlines()}
    assert done.returncode == 0
    assert "nss.sinks.syslog.sink" in imported
    assert imported.isdisjoint(NOT_NEEDED)


def test_what_is_built_was_imported_before(folder: Path) -> None:
    done = ran(folder, ALL, "-c", BUILDING)

    assert (done.returncode, done.stderr, done.stdout) == (0, "", "\n")


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_part_that_cannot_be_imported_is_found_before_the_start(
    folder: Path, command: str
) -> None:
    done = ran(folder, ALL, "-c", MISSING, command, "-c", "nss.toml")

    assert done.returncode == 70
    reported = done.stderr.splitlines()
    assert reported[0].startswith("nss: the installation is damaged: nss.sources.http.source can't")
    assert reported[1] == "Try: install NSS again"


@pytest.mark.parametrize("damage", ["", "raise EOFError('marshal data too short')"])
def test_a_damaged_file_is_found_before_the_start(folder: Path, damage: str) -> None:
    (folder / "damaged.py").write_text(damage)
    done = ran(folder, PLAIN, "-c", DAMAGED, "check", "-c", "nss.toml")

    assert done.returncode == 70
    assert "installation is damaged: nss.sinks.syslog.udp can't be imported" in done.stderr


def test_what_a_sync_imports_later_is_checked_too(folder: Path) -> None:
    script = MISSING.replace("uvicorn", "nss.mcas.unsanctioned")
    config = PLAIN.replace('target = "off"', 'target = "file"')
    done = ran(folder, config, "-c", script, "check", "-c", "nss.toml")

    assert done.returncode == 70
    assert "installation is damaged: nss.mcas.unsanctioned can't be imported" in done.stderr


def test_a_part_that_nobody_asked_for_may_be_missing(folder: Path) -> None:
    done = ran(folder, PLAIN, "-c", MISSING, "check", "-c", "nss.toml")

    assert (done.returncode, done.stderr) == (0, "")
