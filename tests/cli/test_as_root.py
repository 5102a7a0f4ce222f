"""Commands that root runs in folders of the service's user, who puts traps there."""

import gzip
import io
import json
import os
import socket
import stat
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme
from typer.testing import CliRunner

from cli.app import app
from nss.errors import NssError
from tests.cli.conftest import Nss

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root acts for others"),
]

STRANGER = 12345
SECRET = "root's own and nobody else's"  # noqa: S105 - the contents of a file

Trap = Callable[[Path, Path], object]


@dataclass(frozen=True)
class Site:
    """A configuration of root's, a state folder of a stranger's, and what he would like to have."""

    config: Path
    state: Path
    file: Path
    folder: Path

    def is_untouched(self) -> bool:
        """Return whether nothing of root's was changed."""
        of_file, of_folder = self.file.stat(), self.folder.stat()
        return (
            self.file.read_text() == SECRET
            and (of_file.st_uid, stat.S_IMODE(of_file.st_mode)) == (0, 0o600)
            and (of_folder.st_uid, stat.S_IMODE(of_folder.st_mode)) == (0, 0o700)
            and list(self.folder.iterdir()) == []
        )


@pytest.fixture
def site(tmp_path: Path) -> Site:
    state, folder, file = tmp_path / "state", tmp_path / "roots", tmp_path / "shadow"
    state.mkdir(mode=0o700)
    os.chown(state, STRANGER, STRANGER)
    folder.mkdir(mode=0o700)
    file.write_text(SECRET)
    file.chmod(0o600)
    (tmp_path / "nss.toml").write_text(
        f"""
        [service]
        state_directory = "{state}"
        control_socket = "{state}/control.sock"
        [spool]
        path = "{state}/spool.db"
        [sources.web]
        kind = "file"
        path = "web.log"
        [feeds.out]
        format = "JSON"
        [feeds.out.sink]
        kind = "file"
        path = "out"
        """
    )
    return Site(tmp_path / "nss.toml", state, file, folder)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    made = trustme.CA().issue_cert("nss.example.com")
    made.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "own.pem"))
    return tmp_path / "own.pem"


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    (tmp_path / "client-secret").write_text("client~secret-0123456789-0123456789-abc")
    (tmp_path / "client-secret").chmod(0o600)
    return tmp_path / "client-secret"


def left_socket(path: Path) -> None:
    # Addresses have at most 107 bytes, which the path of a test may be beyond.
    with (
        tempfile.TemporaryDirectory() as short,
        socket.socket(socket.AF_UNIX) as listener,
    ):
        made = Path(short) / "s"
        listener.bind(str(made))
        made.rename(path)


TRAPS: dict[str, Trap] = {
    "link": lambda path, site: path.symlink_to(site),
    "dangling link": lambda path, site: path.symlink_to(site.with_name("made")),
    "hard link": lambda path, site: path.hardlink_to(site),
    "fifo": lambda path, _: os.mkfifo(path),
    "folder": lambda path, _: path.mkdir(),
    "socket": lambda path, _: left_socket(path),
    "zeros": lambda path, _: os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 5)),
}


@pytest.fixture(params=TRAPS)
def trap(request: pytest.FixtureRequest, site: Site) -> Iterator[Callable[[str], Path]]:
    """Put something in the place of a file in the stranger's folder."""

    def put(name: str) -> Path:
        path = site.state / name
        if not path.parent.exists():
            path.parent.mkdir(mode=0o700)
            os.chown(path.parent, STRANGER, STRANGER)
        TRAPS[request.param](path, site.file)
        return path

    yield put
    assert site.is_untouched()
    assert not site.file.with_name("made").exists()


def run(*arguments: str | Path) -> tuple[int, str]:
    """Run a command in this process, for speed; return its exit code and all that it prints."""
    ran = CliRunner().invoke(app, [*map(str, arguments)])
    printed = f"{ran.output}{ran.stderr}{ran.exception or ''}"
    assert SECRET not in printed
    if isinstance(ran.exception, NssError):
        return ran.exception.exit_code, printed
    assert isinstance(ran.exception, SystemExit | None), printed
    return ran.exit_code, printed


@pytest.mark.parametrize(
    "name", ["certificates", "certificates/server.key", "certificates/.server.key.new", "audit.log"]
)
def test_install_cert(
    site: Site, certificate: Path, trap: Callable[[str], Path], name: str
) -> None:
    trap(name)
    assert run("install-cert", certificate, "--config", site.config)[0] in {0, 78}


def test_a_certificate_is_stored_where_nothing_is_wrong(site: Site, certificate: Path) -> None:
    assert run("install-cert", certificate, "--config", site.config)[0] == 0
    found = {path.name: path.stat() for path in site.state.rglob("*")}
    assert {name: (at.st_uid, stat.S_IMODE(at.st_mode)) for name, at in found.items()} == {
        "certificates": (STRANGER, 0o700),
        "server.key": (STRANGER, 0o600),
        "server.pem": (STRANGER, 0o600),
        "audit.log": (STRANGER, 0o640),
    }


def test_a_folder_that_is_a_link_is_neither_entered_nor_given_away(
    nss: Nss, site: Site, certificate: Path
) -> None:
    (site.state / "certificates").symlink_to(site.folder)
    ran = nss("install-cert", certificate, "--config", site.config)
    assert ran.returncode == 78
    assert b"a symbolic link in a folder of user 12345" in ran.stderr
    assert site.is_untouched()


@pytest.mark.parametrize("name", ["mcas.json", ".mcas.json.new", "mcas-token", "audit.log"])
def test_configure_mcas2(
    site: Site, secret_file: Path, trap: Callable[[str], Path], name: str
) -> None:
    trap(name)
    options = {
        "--client-id": "11111111-2222-3333-4444-555555555555",
        "--client-secret-file": str(secret_file),
        "--authentication-url": "https://login.microsoftonline.com/"
        "11111111-2222-3333-4444-666666666666/oauth2/v2.0/token",
        "--api-url": "https://example.eu.portal.cloudappsecurity.com",
    }
    given = [text for option in options.items() for text in option]
    code, _ = run("configure-mcas2", "--skip-test", *given, "--config", site.config)
    assert code in {0, 78}
    if code == 0:
        stored = site.state / "mcas.json"
        assert (stored.stat().st_uid, stored.is_symlink()) == (STRANGER, False)
        assert json.loads(stored.read_bytes())["client_secret"].startswith("client~secret")


@pytest.mark.parametrize("name", ["mcas.json", "mcas-token"])
@pytest.mark.parametrize("command", ["show-mcas2", "clear-mcas2", "configure-mcas", "dump-config"])
def test_what_is_stored_is_shown_and_cleared(
    site: Site, trap: Callable[[str], Path], command: str, name: str
) -> None:
    trap(name)
    more = ["--yes"] if command == "clear-mcas2" else []
    assert run(command, *more, "--config", site.config)[0] in {0, 1, 64, 78}


@pytest.mark.parametrize("command", ["stop", "status", "reload", "replay", "check"])
@pytest.mark.parametrize("name", ["nss.lock", "control.sock", "spool.db"])
def test_the_service_is_asked_and_stopped(
    site: Site, trap: Callable[[str], Path], command: str, name: str
) -> None:
    trap(name)
    more = ["--feed", "out", "--since", "1m"] if command == "replay" else []
    code, printed = run(command, *more, "--config", site.config)
    assert code in {0, 1, 64, 69, 70, 78}, printed


HOLDS = """
import fcntl, sys
file = open(sys.argv[1], "ab")
fcntl.lockf(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("way", [Path.symlink_to, Path.hardlink_to])
def test_whoever_holds_the_lock_that_a_link_leads_to_lives_on(
    nss: Nss, site: Site, way: Callable[[Path, Path], None]
) -> None:
    way(site.state / "nss.lock", site.file)
    command = [sys.executable, "-c", HOLDS, str(site.file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:  # noqa: S603 - ours
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        ran = nss("stop", "--config", site.config)
        assert holder.poll() is None
    assert (ran.returncode, b"the lock can't be read" in ran.stderr) == (70, True)


def test_diagnostics_belong_to_whoever_called_sudo(nss: Nss, site: Site) -> None:
    archive = site.config.with_name("out.tar.gz")
    command = ("collect-diagnostics", "--output", archive, "--config", site.config)
    ran = nss(*command, SUDO_UID=str(STRANGER), SUDO_GID=str(STRANGER + 1))
    assert ran.returncode == 0, ran.stderr
    found = archive.stat()
    assert (found.st_uid, found.st_gid) == (STRANGER, STRANGER + 1)
    assert stat.S_IMODE(found.st_mode) == 0o600


@pytest.mark.parametrize("kind", ["link", "hard link", "fifo"])
def test_diagnostics_hold_nothing_that_only_root_may_read(nss: Nss, site: Site, kind: str) -> None:
    for name in ("audit.log", "spool.db", "mcas.json", "nss.log"):
        TRAPS[kind](site.state / name, site.file)
    archive = site.config.with_name("out.tar.gz")
    ran = nss("collect-diagnostics", "--output", archive, "--json", "--config", site.config)
    assert ran.returncode == 0, ran.stderr
    assert {"audit.log", "spool.json"} <= set(json.loads(ran.stdout)["missing"])
    data = gzip.decompress(archive.read_bytes())
    with tarfile.open(fileobj=io.BytesIO(data)) as packed:
        assert len(packed.getmembers()) > 5
    assert SECRET.encode() not in data
    assert site.is_untouched()
