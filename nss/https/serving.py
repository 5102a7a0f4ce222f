"""What the HTTP servers of this project share: uvicorn without its own loop, log and headers."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import uvicorn

App = Callable[..., Any]
"""An ASGI application."""

_NO_LOG = logging.CRITICAL + 1
_KEEP_ALIVE_SECS = 5


def server_config(
    app: App,
    protocol: type[asyncio.Protocol] | str,
    *,
    max_connections: int | None = None,
    keep_alive_secs: int = _KEEP_ALIVE_SECS,
    close_secs: int | None = None,
    max_head_bytes: int | None = None,
) -> uvicorn.Config:
    """Return a loaded configuration that serves an ASGI app and leaves the rest to us.

    Above `max_connections` uvicorn itself answers 503. `close_secs` is how long a server that
    closes waits for answers under way; `None`: until they end. `max_head_bytes` is the most that is
    kept of a head which is not there entirely.
    """
    config = uvicorn.Config(
        app,
        http=protocol,
        interface="asgi3",
        # None of these is wanted: another loop, logging, addresses as headers claim them.
        loop="none",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level=_NO_LOG,
        access_log=False,
        workers=1,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        limit_concurrency=max_connections,
        timeout_keep_alive=keep_alive_secs,
        timeout_graceful_shutdown=close_secs,
        h11_max_incomplete_event_size=max_head_bytes,
    )
    config.load()
    return config
