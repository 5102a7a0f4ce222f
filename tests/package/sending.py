"""Senders at our end of the cable."""

import http.client
import socket
import threading
import time
from collections.abc import Iterable
from typing import Self

import orjson

from tests.package.machine import THERE

TOKEN = "a-token-of-the-gateway-0123456789"  # noqa: S105 - of the test
BATCH = 50


def record(user: str) -> bytes:
    """Return a record of a user, of this moment, with LF."""
    fields = {
        "time": time.strftime("%a %b %e %H:%M:%S %Y", time.gmtime()),
        "login": user,
        "eurl": "www.dropbox.com/",
        "appname": "Dropbox",
    }
    return orjson.dumps(fields) + b"\n"


def over_tcp(users: Iterable[str], port: int = 514) -> None:
    """Send a record of each user over one connection."""
    with socket.create_connection((THERE, port), timeout=10) as connection:
        connection.sendall(b"".join(map(record, users)))


def over_http(users: Iterable[str], token: str = TOKEN) -> int:
    """Push a record of each user; returns the status of the answer."""
    connection = http.client.HTTPConnection(THERE, 8088, timeout=10)
    try:
        body = b"".join(map(record, users))
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        connection.request("POST", "/", body, headers)
        return connection.getresponse().status
    finally:
        connection.close()


class Load:
    """Pushes records from a thread, used with `with`; what is refused is tried again, as a gateway
    does, so that `accepted` are users the machine has answered for. Between two pushes it waits
    `pause_secs`.
    """

    def __init__(self, pause_secs: float = 0.01) -> None:
        self.accepted: set[str] = set()
        self.refused = 0
        self._pause_secs = pause_secs
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._push, name="load")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stop.set()
        self._thread.join()

    def _push(self) -> None:
        number = 0
        while not self._stop.wait(self._pause_secs):
            users = [f"load{number}-{each}@example.com" for each in range(BATCH)]
            if self._taken(users):
                self.accepted.update(users)
                number += 1
            else:
                self.refused += 1

    @staticmethod
    def _taken(users: list[str]) -> bool:
        try:
            return over_http(users) == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
