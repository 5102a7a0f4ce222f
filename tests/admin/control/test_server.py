"""The control socket: questions, answers and errors travel whole, and nothing of it hurts."""

import asyncio
import socket
import stat
from dataclasses import replace
from math import inf, nan
from pathlib import Path

import orjson
import pytest

from formats.errors import Problem
from nss.admin.control.client import ControlClient, ServiceUnavailable
from nss.admin.control.server import ControlServer
from nss.admin.operations import Reloaded, UploadedNow, unknown_feed
from nss.config.load import ConfigProblems
from nss.errors import (
    ConfigError,
    DataError,
    InputMissing,
    NssError,
    ServiceError,
    SinkError,
    SourceError,
    UsageError,
)
from nss.feeds.tap import Seen, TapKind
from nss.spool import ReasonCount, SpoolError
from nss.telemetry import events
from tests.admin.conftest import DEGRADED, REJECT, STATUS, FakeOperations

KINDS = (
    *(UsageError, DataError, InputMissing, SourceError, SinkError, SpoolError),
    *(ServiceError, ConfigError),
)


async def failure(client: ControlClient) -> NssError:
    with pytest.raises(NssError) as raised:
        await asyncio.to_thread(client.reload)
    return raised.value


def mode_of(path: Path) -> int | None:
    return stat.S_IMODE(path.stat().st_mode) if path.exists() else None


def raw(path: Path, request: bytes) -> bytes:
    """Send bytes and return all that comes back."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(str(path))
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def test_a_status_can_be_dumped_by_orjson() -> None:
    dumped = orjson.loads(orjson.dumps(DEGRADED))
    assert dumped["feeds"][0]["pending"] == 10
    assert dumped["health"]["reasons"][1] == {
        "component": "spool",
        "why": "in memory",
        "since": None,
        "degrades": False,
        "next_try_at": None,
        "meaning": "",
        "remedy": "",
    }


async def test_a_status_arrives_as_it_was_given(
    client: ControlClient, operations: FakeOperations
) -> None:
    assert await asyncio.to_thread(client.status) == STATUS
    operations.current = DEGRADED
    assert await asyncio.to_thread(client.status) == DEGRADED


async def test_a_path_that_is_not_unicode_does_not_hide_the_status(
    client: ControlClient, operations: FakeOperations
) -> None:
    operations.current = replace(STATUS, config="/etc/nss/\udcff.toml")
    assert (await asyncio.to_thread(client.status)).config == "/etc/nss/?.toml"


async def test_a_reload_says_what_it_did(client: ControlClient, operations: FakeOperations) -> None:
    done = await asyncio.to_thread(client.reload)
    assert done == Reloaded(ended=["feed old"], started=["feed mcas", "source web"])
    assert operations.asked == [("reload",)]


async def test_a_replay_is_asked_for_exactly(
    client: ControlClient, operations: FakeOperations
) -> None:
    records = await asyncio.to_thread(client.replay, "mcas", 1_790_000_000.25, 1_790_000_600.5)
    assert records == 12_345
    assert operations.asked == [("replay", "mcas", 1_790_000_000.25, 1_790_000_600.5)]


async def test_what_a_replay_would_deliver_is_asked_for_exactly(
    client: ControlClient, operations: FakeOperations
) -> None:
    assert await asyncio.to_thread(client.replayable, "mcas", 1.25, 2.5) == 12_345
    assert operations.asked == [("replayable", "mcas", 1.25, 2.5)]


async def test_reasons_of_rejects_arrive_as_they_are(
    client: ControlClient, operations: FakeOperations
) -> None:
    operations.reasons = [ReasonCount("é", "no JSON: '\x1b'", 5, 1.5), ReasonCount("b", "", 1, 0.0)]
    assert await asyncio.to_thread(client.reject_reasons, None) == operations.reasons
    assert await asyncio.to_thread(client.reject_reasons, "mcas") == operations.reasons
    assert operations.asked == [("reasons", None), ("reasons", "mcas")]


@pytest.mark.parametrize(("since", "until"), [(2.0, 1.0), (nan, 1.0), (0.0, inf)])
async def test_a_replay_between_times_that_make_no_sense_is_refused(
    client: ControlClient, operations: FakeOperations, since: float, until: float
) -> None:
    with pytest.raises(UsageError):
        await asyncio.to_thread(client.replay, "mcas", since, until)
    with pytest.raises(UsageError):
        await asyncio.to_thread(client.replayable, "mcas", since, until)
    assert operations.asked == []


async def test_rejects_arrive_with_every_byte(
    client: ControlClient, operations: FakeOperations
) -> None:
    everything = replace(REJECT, reject=replace(REJECT.reject, data=bytes(range(256))))
    operations.kept = [everything, REJECT]
    assert await asyncio.to_thread(client.rejects, "mcas", 10) == [everything, REJECT]
    assert await asyncio.to_thread(client.rejects, None, 100) == [everything, REJECT]
    assert operations.asked == [("rejects", "mcas", 10), ("rejects", None, 100)]


async def test_a_retry_says_what_became_of_the_records(
    client: ControlClient, operations: FakeOperations
) -> None:
    assert await asyncio.to_thread(client.retry_rejects, None) == operations.retried
    assert await asyncio.to_thread(client.retry_rejects, "mcas", 2.5) == operations.retried
    assert operations.asked == [("retry", None, 0.0), ("retry", "mcas", 2.5)]


async def test_rejects_are_discarded_up_to_a_number(
    client: ControlClient, operations: FakeOperations
) -> None:
    reason = "no JSON: '\x1b[2J' & more=1"
    assert await asyncio.to_thread(client.discard_rejects, None, None, 7) == 1234
    assert await asyncio.to_thread(client.discard_rejects, "mcas", reason, 0) == 1234
    assert operations.asked == [("discard", None, None, 7), ("discard", "mcas", reason, 0)]


async def test_feeds_upload_now_all_of_them_or_those_that_are_named(
    client: ControlClient, operations: FakeOperations
) -> None:
    operations.uploaded = [UploadedNow("mcas", 5, 0, None), UploadedNow("é&x", 0, 7, "down")]
    assert await asyncio.to_thread(client.upload_now, []) == operations.uploaded
    assert await asyncio.to_thread(client.upload_now, ["mcas", "é&x"]) == operations.uploaded
    assert operations.asked == [("upload now",), ("upload now", "mcas", "é&x")]


async def test_uploads_are_resumed(client: ControlClient, operations: FakeOperations) -> None:
    assert await asyncio.to_thread(client.resume_uploads) == ["mcas"]
    assert operations.asked == [("resume uploads",)]


async def test_a_feed_that_is_not_unicode_is_refused_before_anything_is_asked(
    client: ControlClient, operations: FakeOperations
) -> None:
    with pytest.raises(UsageError):
        await asyncio.to_thread(client.upload_now, ["mcas", "\udcff"])
    assert operations.asked == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tip", [None, "do it otherwise"])
async def test_an_error_is_raised_again_as_it_was(
    client: ControlClient, operations: FakeOperations, kind: type[NssError], tip: str | None
) -> None:
    operations.error = kind("what failed: why (where) é\n  more", tip=tip)
    error = await failure(client)
    assert (type(error), str(error), error.tip) == (kind, str(operations.error), tip)


async def test_an_error_of_a_special_kind_arrives_as_its_general_one(
    client: ControlClient, operations: FakeOperations
) -> None:
    problem = Problem("feeds.mcas.format", "MCASS", "unknown")
    operations.error = ConfigProblems([problem], "/etc/nss/nss.toml")
    error = await failure(client)
    assert (type(error), str(error)) == (ConfigError, str(operations.error))


async def test_a_fault_that_nobody_planned_is_reported_without_its_text(
    client: ControlClient, operations: FakeOperations
) -> None:
    operations.error = ValueError("secret record")
    error = await failure(client)
    assert type(error) is ServiceError
    assert "ValueError" in str(error)
    assert "secret" not in str(error)
    assert events.counters["requests_failed", "control"] == 1


@pytest.mark.parametrize(
    "request_line",
    [
        *(b"GET /nope", b"GET /reload", b"POST /status", b"GET /rejects?limit=0"),
        *(b"POST /rejects/discard", b"POST /rejects/discard?upto=-1"),
        *(b"POST /rejects/retry?within_secs=61", b"POST /rejects/retry?within_secs=nan"),
        *(b"GET /rejects?limit=x", b"GET /rejects?limit=1000000", b"POST /replay?feed=a"),
        *(
            b"GET /tap?kind=bytes",
            b"GET /tap?text=%0A",
            b"GET /messages",
            b"GET /messages?source=nope",
            b"GET /tap?feed=nope",
            b"\xff\xfe\x00",
        ),
    ],
)
@pytest.mark.usefixtures("control")
async def test_a_question_that_makes_no_sense_is_answered_with_4xx(
    operations: FakeOperations, socket_path: Path, request_line: bytes
) -> None:
    asked = request_line + b" HTTP/1.1\r\nHost: nss\r\nConnection: close\r\n\r\n"
    answer = await asyncio.to_thread(raw, socket_path, asked)
    assert answer.startswith(b"HTTP/1.1 4")
    assert (operations.asked, operations.taps) == ([], [])


def test_an_unknown_feed_is_reported_with_the_nearest_one() -> None:
    assert str(unknown_feed("mcsa", ["siem", "mcas"])) == "feed 'mcsa' is not known\nTry: mcas"
    assert str(unknown_feed("x", ["siem", "mcas"])) == (
        "feed 'x' is not known\nTry: one of mcas, siem"
    )


@pytest.mark.parametrize(("kind", "data"), [("lines", b"<\xff>"), ("records", b"\xff")])
async def test_a_tap_shows_what_passes_and_is_gone_when_nobody_looks(
    client: ControlClient, operations: FakeOperations, kind: TapKind, data: bytes
) -> None:
    passing = client.tap("mcas", kind, "")
    first = asyncio.create_task(asyncio.to_thread(next, passing))
    await operations.tapped.wait()
    operations.taps[0].show("siem", b"other\n", [b"other"])
    operations.taps[0].show("mcas", b"\xff\n", [b"<\xff>"])
    assert await first == Seen("mcas", data, len(data), 0)
    await asyncio.to_thread(passing.close)
    await operations.untapped.wait()
    assert operations.taps == []


async def test_a_tap_at_a_feed_that_is_not_there_is_refused(client: ControlClient) -> None:
    with pytest.raises(UsageError) as raised:
        await asyncio.to_thread(next, client.tap("mcsa", "lines", ""))
    assert str(raised.value) == "feed 'mcsa' is not known\nTry: mcas"


async def test_an_end_of_the_service_ends_taps_and_removes_the_file(
    control: ControlServer, client: ControlClient, operations: FakeOperations, socket_path: Path
) -> None:
    viewing = asyncio.create_task(asyncio.to_thread(list, client.tap(None, "lines", "")))
    await operations.tapped.wait()
    operations.taps[0].show("mcas", b"one\n", [b"one"])
    await control.close()
    assert await viewing == [Seen("mcas", b"one", 3, 0)]
    assert (operations.taps, mode_of(socket_path)) == ([], None)


@pytest.mark.usefixtures("control")
async def test_the_socket_is_for_its_owner_and_group(socket_path: Path) -> None:
    assert mode_of(socket_path) == 0o660


@pytest.mark.usefixtures("control")
async def test_a_second_service_at_the_same_socket_is_refused_and_closes_cleanly(
    client: ControlClient, socket_path: Path
) -> None:
    second = ControlServer(socket_path, FakeOperations())
    with pytest.raises(ServiceError):
        await second.start()
    await second.close()
    assert await asyncio.to_thread(client.status) == STATUS


async def test_no_service_is_reported_with_what_to_do(socket_path: Path) -> None:
    client = ControlClient(socket_path)
    with pytest.raises(ServiceUnavailable) as raised:
        client.status()
    client.close()
    assert raised.value.exit_code == 69
    assert str(raised.value) == (
        f"the service is not running: no such socket ({socket_path})\n"
        "Try: sudo nss start, or name its configuration file with --config"
    )


async def test_a_dead_service_is_reported_as_such(socket_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(socket_path))
    client = ControlClient(socket_path)
    with pytest.raises(ServiceUnavailable, match="nobody listens"):
        client.status()
    client.close()


async def test_a_service_that_hangs_is_reported_as_such(socket_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as hanging:
        hanging.bind(str(socket_path))
        hanging.listen()
        client = ControlClient(socket_path, answer_secs=0.1)
        with pytest.raises(ServiceUnavailable, match="does not answer"):
            await asyncio.to_thread(client.status)
        client.close()


async def test_one_that_many_connect_to_is_waited_for(socket_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as before:
        busy.bind(str(socket_path))
        busy.listen(0)
        before.connect(str(socket_path))
        client = ControlClient(socket_path)
        asking = asyncio.create_task(asyncio.to_thread(client.status))
        await asyncio.sleep(0.2)  # the backlog is full: whoever does not wait has failed by now
        assert not asking.done()
        busy.listen(16)
        for _ in range(1 + 2 * 3):
            connection, _ = await asyncio.to_thread(busy.accept)
            connection.close()
        with pytest.raises(ServiceUnavailable, match="ended the connection before"):
            await asking
        client.close()


async def test_a_service_that_ends_meanwhile_is_reported_as_such(socket_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as ending:
        ending.bind(str(socket_path))
        ending.listen()
        client = ControlClient(socket_path)
        asking = asyncio.create_task(asyncio.to_thread(client.status))
        for _ in range(3):
            for _ in ("the trial", "the question"):
                connection, _ = await asyncio.to_thread(ending.accept)
                connection.close()
        with pytest.raises(ServiceUnavailable, match="ended the connection before it had answered"):
            await asking
        client.close()


@pytest.mark.parametrize("body", [b"nonsense", b'{"pid": "x"}', b"[]"])
async def test_an_answer_of_another_version_is_reported_as_such(
    socket_path: Path, body: bytes
) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
        writer.close()

    server = await asyncio.start_unix_server(answer, socket_path)
    client = ControlClient(socket_path)
    with pytest.raises(ServiceError, match="makes no sense"):
        await asyncio.to_thread(client.status)
    client.close()
    server.close()
    await server.wait_closed()


async def test_a_proxy_of_the_environment_has_no_say(
    client: ControlClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert await asyncio.to_thread(client.status) == STATUS


@pytest.mark.parametrize("feed", ["\udcff"])
async def test_a_name_that_is_not_unicode_is_refused_before_it_is_asked(
    client: ControlClient, operations: FakeOperations, feed: str
) -> None:
    with pytest.raises(UsageError):
        await asyncio.to_thread(client.retry_rejects, feed)
    assert operations.asked == []
