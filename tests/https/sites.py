"""An HTTPS server that greets, with a certificate of a test's authority."""

import contextlib
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import trustme


class TlsSite:
    """Greets whoever trusts it; use it with `with`. Further options are those of trustme."""

    def __init__(self, authority: trustme.CA, *, name: str = "localhost", **options: Any) -> None:  # noqa: ANN401 - trustme's own
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert(name, **options).configure_cert(context)
        self._server = _Server(("127.0.0.1", 0), _Greeting)
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self.url = f"https://localhost:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Greeting(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_arguments: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_arguments: object) -> None:
        """Say nothing: clients that hang up are what is tested."""

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401 - a socket
        with contextlib.suppress(OSError):
            super().shutdown_request(request)
