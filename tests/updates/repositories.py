"""What the tests of updates need: tiny packages, a repository of them, and a site."""

import functools
import http.server
import os
import shutil
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import trustme

ROOT = Path(__file__).parents[2]
_CONTROL = """\
Package: {name}
Version: {version}
Architecture: {architecture}
Maintainer: Nobody <nobody@example.com>
Spool-Form: 7
{more}Description: for tests
"""


def tiny(
    folder: Path,
    version: str,
    more: str = "",
    name: str = "nss-streamer",
    architecture: str = "amd64",
) -> Path:
    """Build a package with nothing in it."""
    tree = folder / f"tree-{version}"
    (tree / "DEBIAN").mkdir(parents=True)
    control = _CONTROL.format(name=name, version=version, architecture=architecture, more=more)
    (tree / "DEBIAN/control").write_text(control)
    made = folder / f"{name}_{version}.deb"
    run("dpkg-deb", "--root-owner-group", "--build", str(tree), str(made))
    shutil.rmtree(tree)
    return made


def run(*command: str, is_good: bool = True, **env: str) -> "subprocess.CompletedProcess[str]":
    """Run a program to its end."""
    ran = subprocess.run(  # noqa: S603 - Debian's, and ours
        command,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode == 0) == is_good, f"{command}: {ran.stdout}{ran.stderr}"
    return ran


class Trial:
    """A repository that `packaging/repository.py` makes, with a key for trial."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "repository"

    def publish(self, *packages: Path, valid_days: float = 1) -> "subprocess.CompletedProcess[str]":
        """Add packages."""
        return build("--into", str(self.folder), f"--valid-days={valid_days}", *map(str, packages))

    @property
    def key(self) -> bytes:
        """Its public key."""
        return (self.folder / "key.asc").read_bytes()

    def copy(self, into: Path) -> "Trial":
        """Return another one, with the same key."""
        shutil.copytree(self.folder.parent, into)
        return Trial(into)


def build(*arguments: str, is_good: bool = True, **env: str) -> "subprocess.CompletedProcess[str]":
    """Call the builder of repositories as the Makefile does."""
    script = str(ROOT / "packaging/repository.py")
    return run(sys.executable, script, *arguments, is_good=is_good, **env)


class Site:
    """A folder behind a web server at a free port of this machine."""

    def __init__(self, folder: Path, context: ssl.SSLContext | None, status: int) -> None:
        class Handler(http.server.SimpleHTTPRequestHandler):
            def log_message(self, *_args: object) -> None:
                pass

            def do_GET(self) -> None:
                if status:
                    self.send_error(status)
                else:
                    super().do_GET()

        handler = functools.partial(Handler, directory=str(folder))
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self._thread = threading.Thread(target=self._server.serve_forever, name="site")
        self._thread.start()
        scheme = "http" if context is None else "https"
        self.url = f"{scheme}://localhost:{self._server.server_address[1]}"

    def end(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def wanting_clients(authority: trustme.CA, version: ssl.TLSVersion) -> ssl.SSLContext:
    """Return the TLS of a server that wants a certificate of the same authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = context.maximum_version = version
    authority.issue_cert("localhost").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def pair(issued: trustme.LeafCert) -> dict[str, bytes]:
    """Return certificate and key, as an `Access` takes them."""
    chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
    return {"client_certificate": chain, "client_key": issued.private_key_pem.bytes()}


def pictured(*places: str) -> dict[str, tuple[int, int, int]]:
    """Return what files below some folders look like."""
    found = {}
    for place in places:
        for base, _, names in os.walk(place):
            for name in (*names, "."):
                status = os.lstat(os.path.join(base, name))  # noqa: PTH118 - of os.walk
                found[f"{base}/{name}"] = (status.st_mtime_ns, status.st_size, status.st_ino)
    return found
