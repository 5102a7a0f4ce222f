"""`nss configure-mcas2` is ended while it stores credentials: no secret is left beside them."""

import json
import signal
import stat
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import COMMAND, ENV, Nss

pytestmark = pytest.mark.long

SECRET = "client~secret-0123456789-0123456789-abc"  # noqa: S105 - made up

HOOK = """
import os, sys

def end(event, arguments):
    if event == "os.rename" and arguments[0] == ".mcas.json.new":
        os.kill(os.getpid(), {number})

sys.addaudithook(end)
"""
"""As `sitecustomize` of the command: the new file has a name, and not yet the right one."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    state = tmp_path / "state"
    state.mkdir()
    (tmp_path / "client-secret").write_text(SECRET)
    (tmp_path / "client-secret").chmod(0o600)
    (tmp_path / "nss.toml").write_text(
        """
        [service]
        control_socket = "off"
        state_directory = "state"
        [spool]
        kind = "memory"
        [sources.web]
        kind = "file"
        path = "web.log"
        follow = false
        [feeds.out]
        format = "JSON"
        [feeds.out.sink]
        kind = "file"
        path = "out"
        """
    )
    (tmp_path / "web.log").touch()
    return tmp_path


def ended(folder: Path, number: signal.Signals) -> int:
    """Run the command, which a signal ends while it stores; return its exit code."""
    (folder / "site").mkdir()
    (folder / "site" / "sitecustomize.py").write_text(HOOK.format(number=int(number)))
    options = {
        "--client-id": "11111111-2222-3333-4444-555555555555",
        "--client-secret-file": "client-secret",
        "--authentication-url": "https://login.microsoftonline.com/"
        "11111111-2222-3333-4444-666666666666/oauth2/v2.0/token",
        "--api-url": "https://example.eu.portal.cloudappsecurity.com",
        "--config": "nss.toml",
    }
    given = [text for option in options.items() for text in option]
    return subprocess.run(  # noqa: S603 - ours
        [*COMMAND, "configure-mcas2", "--skip-test", *given],
        cwd=folder,
        env=ENV | {"PYTHONPATH": f"{folder / 'site'}:{ENV['PYTHONPATH']}"},
        capture_output=True,
        timeout=30,
        check=False,
    ).returncode


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "state").iterdir())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_that_can_wait_waits_until_all_is_stored(
    folder: Path, number: signal.Signals
) -> None:
    assert ended(folder, number) != 0
    assert "mcas.json" in names(folder)
    assert not [name for name in names(folder) if name.startswith(".")]
    assert json.loads((folder / "state" / "mcas.json").read_bytes())["client_secret"] == SECRET


@pytest.mark.parametrize(
    ("command", "code"), [("show-mcas2", 1), ("clear-mcas2", 0), ("dump-config", 0), ("run", 0)]
)
def test_what_a_kill_leaves_goes_with_the_next_command_or_start(
    nss: Nss, folder: Path, command: str, code: int
) -> None:
    assert ended(folder, signal.SIGKILL) == -signal.SIGKILL
    left = folder / "state" / ".mcas.json.new"
    assert names(folder) == [left.name]
    assert stat.S_IMODE(left.stat().st_mode) == 0o600
    # Of earlier versions, whose files had a name from the beginning.
    (folder / "state" / ".mcas.json.k3j_9xa2").write_text(SECRET)
    for name in ("certificates/.server.key.new", "uploads/.feed.json.new"):
        (folder / "state" / name).parent.mkdir()
        (folder / "state" / name).write_text(SECRET)
    more = ["--yes"] if command == "clear-mcas2" else []
    ran = nss(command, *more, "--config", "nss.toml")
    assert ran.returncode == code, ran.stderr
    assert [name for name in names(folder) if name.startswith(".")] == []
    if command == "run":
        found = [path.name for path in (folder / "state").rglob("*") if path.is_file()]
        assert [name for name in found if name.startswith(".")] == []
