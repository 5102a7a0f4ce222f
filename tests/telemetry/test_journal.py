"""The log in the journal: what arrives at a socket as journald has it, in its own protocol."""

import logging
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nss.feeds import events as feed_events
from nss.service import events as service_events
from nss.telemetry import events as telemetry
from nss.telemetry.journal import JournalHandler
from nss.telemetry.logs import _MessageFormatter
from nss.telemetry.values import quoted

_MAX_DATAGRAM_BYTES = 1 << 20

Entry = dict[str, str]


@pytest.fixture(autouse=True)
def _log_as_it_was() -> Iterator[None]:
    telemetry.clear()
    log = logging.getLogger("nss")
    before = log.handlers[:], log.level, log.propagate
    yield
    log.handlers[:], log.level, log.propagate = before
    telemetry.clear()


@pytest.fixture
def journald(tmp_path: Path) -> Iterator[socket.socket]:
    """A socket that the log is sent to from now on."""
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(path))
        listening.settimeout(10)
        handler = JournalHandler(path)
        handler.setFormatter(_MessageFormatter())
        log = logging.getLogger("nss")
        log.handlers[:] = [handler]
        log.setLevel(logging.INFO)
        log.propagate = False
        yield listening
        handler.close()


def entry(journald: socket.socket) -> Entry:
    """Return the next entry; each field of it comes once."""
    data, descriptors, _, _ = socket.recv_fds(journald, _MAX_DATAGRAM_BYTES, 1)
    for descriptor in descriptors:
        with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor
            file.seek(0)
            data += file.read()
    fields = list(parsed(data))
    assert len({name for name, _ in fields}) == len(fields)
    return dict(fields)


def parsed(data: bytes) -> Iterator[tuple[str, str]]:
    """Yield the fields of an entry: `NAME=value` LF, or NAME LF length value LF."""
    while data:
        line, _, rest = data.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            (length,) = struct.unpack_from("<Q", rest)
            value, rest = rest[8 : 8 + length], rest[8 + length :]
            assert rest.startswith(b"\n")
            rest = rest[1:]
        yield name.decode(), value.decode()
        data = rest


def test_an_event_arrives_with_its_level_its_part_and_its_facts(journald: socket.socket) -> None:
    feed_events.record_rejected("mcas", "web", "JSON is truncated", 0, 10)

    assert entry(journald) == {
        "MESSAGE": "mcas: A record was rejected. "
        'source=web reason="JSON is truncated" offset=0 bytes=10',
        "PRIORITY": "3",
        "SYSLOG_FACILITY": "3",
        "SYSLOG_IDENTIFIER": "nss",
        "NSS_EVENT": "record_rejected",
        "NSS_COMPONENT": "mcas",
        "NSS_FEED": "mcas",
        "NSS_SOURCE": "web",
        "NSS_REASON": "JSON is truncated",
        "NSS_OFFSET": "0",
        "NSS_BYTES": "10",
    }


def test_levels_are_priorities(journald: socket.socket) -> None:
    service_events.service_started(1, 1)
    service_events.reload_refused("/etc/nss/nss.toml", "no")
    service_events.service_stopped(3, durable=False)
    found = [entry(journald) for _ in range(3)]

    assert [each["PRIORITY"] for each in found] == ["6", "4", "3"]


HOSTILE = "a\nPRIORITY=0\nNSS_FEED=forged\x1b[31m\udcff \x7f"


def test_hostile_facts_make_no_field_and_no_line(journald: socket.socket) -> None:
    service_events.reload_refused("/etc/nss/nss.toml", HOSTILE)

    found = entry(journald)
    assert (found["PRIORITY"], found["NSS_WHY"]) == ("4", HOSTILE.replace("\udcff", r"\udcff"))
    assert "NSS_FEED" not in found
    assert found["MESSAGE"].isprintable()


def test_lists_are_written_with_commas(journald: socket.socket) -> None:
    service_events.configuration_reloaded("/x", ended=["feed a", "feed b"], started=["feed c"])

    found = entry(journald)
    assert (found["NSS_ENDED"], found["NSS_STARTED"]) == ("feed a, feed b", "feed c")
    assert found["MESSAGE"].endswith('ended="feed a, feed b" started="feed c"')


def test_what_is_too_large_for_a_datagram_arrives_whole(journald: socket.socket) -> None:
    service_events.reload_refused("/x", "y" * (4 << 20))

    assert len(entry(journald)["NSS_WHY"]) == 4 << 20


def test_a_journal_that_is_gone_leaves_stderr_and_one_that_is_back_gets_the_next(
    journald: socket.socket, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journald.close()
    (tmp_path / "socket").unlink()
    service_events.reload_refused("/x", "first")

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as again:
        again.bind(str(tmp_path / "socket"))
        again.settimeout(10)
        service_events.reload_refused("/x", "second")
        assert entry(again)["NSS_WHY"] == "second"

    line = capsys.readouterr().err
    assert line.startswith("<4>service: ")
    assert line.endswith("why=first\n")


_ASKING = (
    "from nss.telemetry.journal import is_read_by_journal; print(is_read_by_journal(), flush=True)"
)


@pytest.mark.parametrize(
    ("of_stderr", "closed", "answer"),
    [(True, False, "True"), (False, False, "False"), (True, True, "False")],
)
def test_the_journal_is_used_exactly_when_it_reads_stderr(
    tmp_path: Path, *, of_stderr: bool, closed: bool, answer: str
) -> None:
    (tmp_path / "other").touch()
    with (tmp_path / "stderr").open("wb") as stderr:
        found = (tmp_path / ("stderr" if of_stderr else "other")).stat()
        ran = subprocess.run(  # noqa: S603 - ours
            [sys.executable, "-c", ("import os; os.close(2); " if closed else "") + _ASKING],
            env=os.environ | {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"},
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            timeout=30,
            check=False,
        )

    assert ran.stdout.strip() == answer


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("plain", "plain"),
        ("", '""'),
        ("two words", '"two words"'),
        ('a"b', r'"a\"b"'),
        ("größer", "größer"),
        (True, "true"),
        (None, "none"),
        (["a", "b"], '"a, b"'),
        (7, "7"),
        ("\x1b[31m\x7f\x9b", '"\\u001b[31m\\u007f\\u009b"'),
    ],
)
def test_facts_are_quoted_only_where_they_must_be(value: object, written: str) -> None:
    assert quoted(value) == written
