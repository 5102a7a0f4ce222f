"""Sends a file of records to one program over several connections; prints a JSON line when done.

`tcp`: lines as they are. Each connection sends its share of the file `--copies` times, says that it
has ended and waits until the program closes too, which it does once it has taken in everything.

`http`: POST requests with bodies of about 1 MB of whole lines, one after the other on each
connection, which is kept alive. Every answer must be 200.
"""

import argparse
import http.client
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_BODY_BYTES = 1_000_000
_SEND_BYTES = 256 << 10


def parts_of(data: bytes, size_bytes: int) -> list[memoryview]:
    """Cut records into parts of whole lines."""
    view, at, found = memoryview(data), 0, []
    while at < len(data):
        end = data.find(b"\n", min(at + size_bytes, len(data)) - 1) + 1 or len(data)
        found.append(view[at:end])
        at = end
    return found


def push_tcp(port: int, parts: list[memoryview], copies: int) -> None:
    """Send parts of the file, and wait until all of it was taken in."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for part in parts * copies:
            connection.sendall(part)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(1 << 16):
            pass


def push_http(port: int, bodies: list[memoryview], copies: int) -> None:
    """Send bodies, each when the one before was answered. Raises `RuntimeError`."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for body in bodies * copies:
        connection.request("POST", "/", body, {"Content-Length": str(len(body))})
        with connection.getresponse() as answer:
            told = answer.read()
            if answer.status != http.HTTPStatus.OK:
                raise RuntimeError(f"answered with {answer.status}: {told!r}")
    connection.close()


def main() -> None:
    """Send, and say how long it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("way", choices=["tcp", "http"])
    parser.add_argument("port", type=int)
    parser.add_argument("records", type=Path)
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--copies", type=int, default=1)
    chosen = parser.parse_args()
    data = chosen.records.read_bytes()
    number = chosen.connections
    push = push_tcp if chosen.way == "tcp" else push_http
    size_bytes = _SEND_BYTES if chosen.way == "tcp" else _BODY_BYTES
    parts = parts_of(data, size_bytes)
    with ThreadPoolExecutor(number) as threads:
        started = time.monotonic()
        work = [
            threads.submit(push, chosen.port, parts[first::number], chosen.copies)
            for first in range(number)
        ]
        for done in work:
            done.result()
        took_secs = time.monotonic() - started
    print(json.dumps({"secs": took_secs, "bytes": len(data) * chosen.copies}))


if __name__ == "__main__":
    main()
