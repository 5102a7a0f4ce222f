"""A small HTTP server in the service's own event loop, on a socket that is already bound."""

import json
import socket

import msgspec
import uvicorn
from starlette.applications import Starlette

from nss.https.serving import server_config

_CLOSE_SECS = 1


class LocalServer:
    """Serves an app. Signals, the choice of the loop and logging stay the service's own."""

    def __init__(self, app: Starlette, listener: socket.socket, *, max_connections: int) -> None:
        config = server_config(app, "h11", max_connections=max_connections, close_secs=_CLOSE_SECS)
        self._listener = listener
        self._server = uvicorn.Server(config)
        self._server.lifespan = config.lifespan_class(config)

    async def start(self) -> None:
        """Accept connections from now on."""
        # Not `serve`: it would take over the signals, and wake up ten times a second.
        await self._server.startup(sockets=[self._listener])

    async def close(self) -> None:
        """Stop accepting, let responses under way end within a second, close the socket."""
        await self._server.shutdown(sockets=[self._listener])


def encoded(value: object) -> bytes:
    """Return a value as JSON, even when text in it (a path, say) is not Unicode."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        plain = json.dumps(msgspec.to_builtins(value), ensure_ascii=False)
        return plain.encode("utf-8", "replace")
