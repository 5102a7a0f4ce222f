"""What uvicorn leaves to us: no log of its own, no header of its own."""

import logging
from typing import Any

from nss.https.serving import server_config


async def app(scope: dict[str, Any], receive: object, send: object) -> None:
    del scope, receive, send


def test_uvicorn_says_nothing_of_itself() -> None:
    config = server_config(app, "h11", max_connections=5, close_secs=7)
    assert dict(config.encoded_headers) == {}
    assert (config.date_header, config.server_header, config.access_log) == (False, False, False)
    assert logging.getLogger("uvicorn.error").level > logging.CRITICAL
    assert config.ws_protocol_class is None
    assert (config.limit_concurrency, config.timeout_graceful_shutdown) == (5, 7)
    assert (config.lifespan, config.loop, config.proxy_headers) == ("off", "none", False)
    assert config.timeout_keep_alive == 5
