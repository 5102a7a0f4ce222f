"""What answers at the control socket may be anything: nothing of it reaches a terminal as it is."""

import io
import os
import threading
import types
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest
from rich.console import Console

from cli.status import picture
from nss.admin.control.faults import Fault
from nss.admin.operations import Reloaded, RetriedRejects
from nss.spool import KeptReject, ReasonCount
from nss.status.summary import Status
from tests.cli.conftest import Nss

pytestmark = pytest.mark.long

HOSTILE = "\x1b[2J\x1b]0;owned\x07\r\x08\u202e\x9b31m"


def filled(kind: Any) -> Any:  # noqa: ANN401 - any type of an answer
    """Return a value of a type, with hostile text wherever there is text."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return arguments[0]
    if origin in {Union, types.UnionType}:
        return filled(next(each for each in arguments if each is not type(None)))
    if origin in {tuple, list}:
        return origin([filled(arguments[0])])
    if origin is dict:
        return {filled(arguments[0]): filled(arguments[1])}
    if is_dataclass(kind) or issubclass(kind, msgspec.Struct):
        hints = get_type_hints(kind)
        named = fields(kind) if is_dataclass(kind) else msgspec.structs.fields(kind)
        return kind(**{field.name: filled(hints[field.name]) for field in named})
    return {str: HOSTILE, bytes: HOSTILE.encode(), bool: False, int: 1, float: 1.5}[kind]


ANSWERS: dict[str, Any] = {
    "/status": filled(Status),
    "/reload": filled(Reloaded),
    "/rejects": [filled(KeptReject)],
    "/rejects/reasons": [filled(ReasonCount)],
    "/rejects/retry": filled(RetriedRejects),
    "/rejects/discard": 1,
    "/replay": 1,
}


class Answers(BaseHTTPRequestHandler):
    """Answers what is asked, or every request with an error."""

    faulty = False

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        data = msgspec.json.encode(
            Fault("ConfigError", HOSTILE, HOSTILE) if self.faulty else ANSWERS[path]
        )
        self.send_response(500 if self.faulty else 200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_POST = do_GET  # noqa: N815 - the name that http.server calls

    def address_string(self) -> str:
        return ""

    def log_message(self, *_: object) -> None:
        pass


class Faults(Answers):
    faulty = True


@pytest.fixture(params=[Answers, Faults])
def config(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A configuration whose service is a hostile one."""
    (tmp_path / "web.log").touch()
    path = tmp_path / "nss.toml"
    path.write_text(
        """
        [service]
        control_socket = "control.sock"
        state_directory = "."
        [spool]
        kind = "memory"
        [sources.web]
        kind = "file"
        path = "web.log"
        [feeds.out]
        format = "JSON"
        [feeds.out.sink]
        kind = "file"
        path = "out"
        """
    )
    with ThreadingUnixStreamServer(str(tmp_path / "control.sock"), request.param) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield path
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "command",
    [
        ("status",),
        ("status", "--json"),
        ("reload",),
        ("rejects",),
        ("rejects", "--json"),
        ("rejects", "--summary"),
        ("rejects", "--records"),
        ("rejects", "retry"),
        ("rejects", "retry", "--json"),
        ("rejects", "discard", "--yes"),
        ("reload", "--json"),
        ("replay", "--feed", "out", "--since", "1m"),
        ("replay", "--feed", "out", "--since", "1m", "--dry-run"),
        ("troubleshoot", "feeds"),
        ("troubleshoot", "netstat"),
        ("checkversion",),
        ("start",),
        ("stop",),
    ],
    ids=" ".join,
)
def test_its_answers_are_shown_as_harmless_text(
    nss: Nss, config: Path, command: tuple[str, ...]
) -> None:
    ran = nss(*command, "--config", config)
    printed = (ran.stdout + ran.stderr).decode()
    assert "Traceback" not in printed
    assert ran.returncode in {0, 1, 69, 70, 77, 78}
    assert [letter for letter in printed if not (letter.isprintable() or letter == "\n")] == []


def test_a_terminal_is_not_its_to_command() -> None:
    shown = io.StringIO()
    Console(file=shown, force_terminal=True, width=200, color_system=None).print(
        picture(ANSWERS["/status"], 200)
    )
    assert [letter for letter in shown.getvalue() if not letter.isprintable()] == [
        "\n"
    ] * shown.getvalue().count("\n")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may signal others")
@pytest.mark.parametrize("config", [Answers], indirect=True)
@pytest.mark.parametrize("command", [("stop",), ("start",), ("troubleshoot", "netstat")])
def test_root_is_not_told_to_end_the_process_that_it_names(
    nss: Nss, config: Path, command: tuple[str, ...]
) -> None:
    os.chown(config.with_name("control.sock"), 12345, 12345)
    ran = nss(*command, "--config", config)
    assert ran.returncode == 70
    assert b"it is process 1, which is not one of its user's" in ran.stderr
    assert b"kill" not in ran.stderr
