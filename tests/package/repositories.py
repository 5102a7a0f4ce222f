"""Repositories for machines under test: packages of other versions, keys, and a server of HTTP."""

import contextlib
import functools
import http.server
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from tests.package.machine import HERE

ROOT = Path(__file__).parents[2]


class Repository:
    """A folder that `make repository` would make, signed by a key of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "repository"
        self._key = folder / "secret.asc"
        home = folder / "gpg"
        home.mkdir(parents=True, mode=0o700)
        gpg = ("gpg", "--homedir", str(home), "--batch", "--pinentry-mode", "loopback")
        self._run(*gpg, "--passphrase", "", "--quick-generate-key", "Test", "ed25519", "sign", "1d")
        self._key.write_text(self._run(*gpg, "--armor", "--export-secret-keys").stdout)
        self._run("gpgconf", "--homedir", str(home), "--kill", "all")

    def publish(self, *packages: Path, valid_days: float = 1) -> None:
        """Add packages."""
        options = ("--into", str(self.folder), "--key", str(self._key))
        self._run(
            *(sys.executable, str(ROOT / "packaging/repository.py"), *options),
            *(f"--valid-days={valid_days}", *map(str, packages)),
        )

    @property
    def public_key(self) -> str:
        """The key that machines trust."""
        return (self.folder / "key.asc").read_text()

    @staticmethod
    def _run(*command: str) -> "subprocess.CompletedProcess[str]":
        ran = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        assert ran.returncode == 0, f"{command}: {ran.stderr}"
        return ran


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_args: object) -> None:
        pass


@contextlib.contextmanager
def served(folder: Path, context: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serve a folder at our end of the cable; yields its URL."""
    handler = functools.partial(_Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("0.0.0.0", 0), handler)  # noqa: S104 - of the test
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    thread = threading.Thread(target=server.serve_forever, name="repository")
    thread.start()
    try:
        scheme = "http" if context is None else "https"
        yield f"{scheme}://{HERE}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
