"""The operator's end of the control socket, when the other end is not what it should be."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from nss.admin.control import client as module
from nss.admin.control.client import ControlClient, NoAnswer, ServiceUnavailable
from nss.errors import ServiceError

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
Serve = Callable[[Callable[[socket.socket, threading.Event], None]], ControlClient]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Return a client of a service that answers as a test says."""
    path, ended = tmp_path / "control.sock", threading.Event()
    listening = socket.socket(socket.AF_UNIX)
    made: list[tuple[threading.Thread, ControlClient]] = []

    def served(answer: Callable[[socket.socket, threading.Event], None]) -> ControlClient:
        listening.bind(str(path))
        listening.listen()

        def accept() -> None:
            while not ended.is_set():
                with suppress(OSError), listening.accept()[0] as connection:
                    if connection.recv(65536):
                        answer(connection, ended)

        thread = threading.Thread(target=accept)
        thread.start()
        made.append((thread, ControlClient(path, answer_secs=0.3)))
        return made[-1][1]

    yield served
    ended.set()
    for thread, client in made:
        client.close()
        with socket.socket(socket.AF_UNIX) as last, suppress(OSError):
            last.connect(str(path))
        thread.join()
    listening.close()


def drip(connection: socket.socket, ended: threading.Event) -> None:
    connection.sendall(HEAD)
    while not ended.wait(0.05):
        connection.sendall(b"1\r\n \r\n")


def flood(connection: socket.socket, ended: threading.Event) -> None:
    connection.sendall(HEAD)
    while not ended.is_set():
        connection.sendall(b"1000\r\n" + b"x" * 4096 + b"\r\n")


def test_an_answer_that_never_ends_is_given_up_in_time(serve: Serve) -> None:
    with pytest.raises(ServiceUnavailable, match="the service does not answer"):
        serve(drip).status()


def test_an_answer_without_bound_is_refused(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ANSWER_BYTES", 1 << 20)
    client = serve(flood)

    with pytest.raises(ServiceError, match="the answer is too long"):
        client.rejects(None, 10)


def test_a_tap_without_lines_is_refused(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LINE_BYTES", 1 << 20)

    shown = serve(flood).tap(None, "lines", "")
    with closing(shown), pytest.raises(ServiceError, match="the answer is too long"):
        next(shown)


def test_a_line_that_makes_no_sense_is_an_error_with_a_sentence(serve: Serve) -> None:
    def nonsense(connection: socket.socket, _: threading.Event) -> None:
        connection.sendall(HEAD + b"5\r\n[17]\n\r\n0\r\n\r\n")

    shown = serve(nonsense).tap(None, "lines", "")
    with closing(shown), pytest.raises(ServiceError, match="the answer makes no sense"):
        next(shown)


class MakesWay:
    """A service that closes the first connections unanswered, as one does that has no place."""

    def __init__(self, unanswered: int) -> None:
        self.unanswered = unanswered
        self.asked = 0

    def __call__(self, connection: socket.socket, _: threading.Event) -> None:
        self.asked += 1
        if self.asked > self.unanswered:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")


def test_what_changes_nothing_is_asked_for_again_when_the_connection_made_way(serve: Serve) -> None:
    service = MakesWay(2)
    assert serve(service).rejects(None, 10) == []
    assert service.asked == 3


def test_it_is_not_asked_for_without_end(serve: Serve) -> None:
    service = MakesWay(1000)
    with pytest.raises(NoAnswer, match="ended the connection before it had answered"):
        serve(service).rejects(None, 10)
    assert service.asked == 3


def test_what_changes_something_is_asked_for_once(serve: Serve) -> None:
    service = MakesWay(1)
    with pytest.raises(NoAnswer):
        serve(service).resume_uploads()
    assert service.asked == 1
