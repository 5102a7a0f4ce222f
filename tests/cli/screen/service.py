"""A service that answers at its control socket with a status made up."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer

import msgspec

from nss.status.summary import Status


class Service(ThreadingUnixStreamServer):
    """Answers whoever asks with `status`, which may change."""

    status: Status


class _Answers(BaseHTTPRequestHandler):
    server: Service

    def do_GET(self) -> None:
        data = msgspec.json.encode(self.server.status)
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def address_string(self) -> str:
        return ""

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def answering(folder: Path, status: Status) -> Iterator[Service]:
    """Have a service answer for the configuration file `nss.toml` of a folder."""
    (folder / "nss.toml").write_text('[service]\ncontrol_socket = "control.sock"\n')
    socket = folder / "control.sock"
    with Service(str(socket), _Answers) as service:
        service.status = status
        thread = threading.Thread(target=service.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield service
        finally:
            service.shutdown()
            thread.join()
            socket.unlink()
