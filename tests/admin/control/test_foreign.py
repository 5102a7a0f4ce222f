"""Another version, or another program, at the other end of the control socket."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nss.admin.control.client import ControlClient
from nss.admin.control.server import ControlServer
from nss.errors import NssError
from tests import foreign
from tests.admin.conftest import DEGRADED, REJECT, FakeOperations

pytestmark = pytest.mark.long

STATUS = msgspec.to_builtins(DEGRADED)
ANSWERS = foreign.answers(
    STATUS,
    {"ended": ["feed old"], "started": ["feed mcas"]},
    {"kind": "ConfigError", "message": "no such file", "tip": "name another"},
    {"feed": "mcas", "text": "line"},
) | foreign.answers({"list": [msgspec.to_builtins(REJECT)]}).map(
    lambda data: data.removeprefix(b'{"list":').removesuffix(b"}")
)
CALLS: dict[str, Callable[[ControlClient], object]] = {
    "status": lambda client: client.status(),
    "reload": lambda client: client.reload(),
    "replay": lambda client: client.replay("mcas", 0, 1),
    "replayable": lambda client: client.replayable("mcas", 0, 1),
    "reasons": lambda client: client.reject_reasons(None),
    "rejects": lambda client: client.rejects("mcas", 5),
    "retry": lambda client: client.retry_rejects(None),
    "upload": lambda client: client.upload_now(["mcas"]),
    "resume": lambda client: client.resume_uploads(),
    "tap": lambda client: list(client.tap(None, "lines", "")),
    "messages": lambda client: list(client.messages("in", "")),
}


class Other:
    """Answers each request with what it has, and closes the connection."""

    def __init__(self, path: Path) -> None:
        self.status = 200
        self.body = b""
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                connection.settimeout(5)
                if connection.recv(65_536):  # a trial only connects
                    head = f"HTTP/1.1 {self.status} X\r\nContent-Length: {len(self.body)}\r\n"
                    connection.sendall(head.encode() + b"Connection: close\r\n\r\n" + self.body)


@pytest.fixture
def other(socket_path: Path) -> Iterator[Other]:
    found = Other(socket_path)
    yield found
    found.close()


def ask(other: Other, path: Path, call: str, body: bytes, status: int) -> object:
    """Return what the client makes of an answer: a value, or an error with a sentence."""
    other.body, other.status = body, status
    with contextlib.closing(ControlClient(path)) as client:
        found = foreign.result_of(lambda: CALLS[call](client), NssError)
    assert not isinstance(found, NssError) or found.args[0]
    return found


def is_known_to_msgspec(body: bytes) -> bool:
    """Return whether msgspec raises its own error for what is wrong, if anything."""
    return (
        body.decode(errors="ignore").encode() == body and body.count(b"[") + body.count(b"{") < 99
    )


@pytest.mark.parametrize("call", [call for call in CALLS if call not in {"tap", "messages"}])
@settings(suppress_health_check=foreign.MANY.suppress_health_check)
@given(body=ANSWERS.filter(is_known_to_msgspec), status=st.sampled_from([200, 200, 400, 500]))
def test_an_answer_is_of_its_form_or_an_error(
    other: Other, socket_path: Path, call: str, body: bytes, status: int
) -> None:
    ask(other, socket_path, call, body, status)


@pytest.mark.parametrize(
    ("call", "body", "status"),
    [
        *((call, b'{"kind":"ConfigError","message":"\xff"}', 400) for call in CALLS),
        *((call, foreign.deep_beside({"kind": "x"}).encode(), 400) for call in CALLS),
        ("status", b'{"version":"\xff"}', 200),
        ("tap", b'{"a":5}\n', 200),
        ("tap", b"<html>", 200),
        ("messages", b'{"feed":"mcas","data":"","full_bytes":0,"left_out":0}\n', 200),
        ("messages", b"3", 200),
    ],
)
def test_an_answer_that_is_no_utf8_or_too_deep_is_an_error(
    other: Other, socket_path: Path, call: str, body: bytes, status: int
) -> None:
    assert isinstance(ask(other, socket_path, call, body, status), NssError)


WORDS = foreign.ANY.map(lambda data: quote(data[:2000])) | st.sampled_from(
    ["", "mcas", "1", "-1", "1e400", "nan", "inf", "%00", "%ff", "%0a", "9" * 400, "null", "true"]
)


@settings(suppress_health_check=foreign.MANY.suppress_health_check)
@given(
    route=st.sampled_from(
        [
            *(
                "GET /status",
                "GET /rejects",
                "GET /rejects/reasons",
                "GET /replay",
                "GET /tap",
                "GET /messages",
                "GET /",
                "DELETE /status",
            ),
            *("POST /reload", "POST /replay", "POST /rejects/retry"),
            *("POST /uploads/now", "POST /uploads/resume"),
        ]
    ),
    query=st.lists(
        st.tuples(
            st.sampled_from(
                ["feed", "since", "until", "limit", "kind", "text", "max_per_sec", "x"]
            ),
            WORDS,
        ),
        max_size=5,
    ),
    body=foreign.ANY,
)
def test_a_question_is_answered_with_a_value_or_a_fault(
    socket_path: Path, route: str, query: list[tuple[str, str]], body: bytes
) -> None:
    method, _, path = route.partition(" ")
    text = "&".join(f"{name}={value}" for name, value in query)

    async def first_line() -> bytes:
        operations = FakeOperations()
        server = ControlServer(socket_path, operations)
        await server.start()
        try:
            reader, writer = await asyncio.open_unix_connection(str(socket_path))
            head = (
                f"{method} {path}?{text} HTTP/1.1\r\nHost: nss\r\nContent-Length: {len(body)}\r\n"
            )
            writer.write(head.encode() + b"Connection: close\r\n\r\n" + body)
            line = await asyncio.wait_for(reader.readline(), 10)
            writer.close()
            return line
        finally:
            await server.close()

    status = asyncio.run(first_line()).split(b" ")[1]
    assert status in {b"200", b"400", b"404", b"405", b"409", b"414"}, status
