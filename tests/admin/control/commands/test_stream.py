"""`nss tap`, `nss reload`, `nss replay` and `nss rejects`, as people and scripts run them."""

import asyncio
import os
from base64 import b64encode
from datetime import datetime
from pathlib import Path

import orjson
import pytest

from cli.output import harmless_bytes
from cli.replaying import moment
from nss.admin.control.server import ControlServer
from nss.admin.operations import Reloaded
from nss.errors import ConfigError, ServiceError, UsageError
from nss.spool import ReasonCount, SpoolError
from nss.wording import harmless, size_text
from tests.admin.conftest import NOW, REJECT, FakeOperations
from tests.admin.control.commands.conftest import Nss, Terminal

HOSTILE = b"\x1b[2J\x00caf\xc3\xa9\xff\r"


def pass_by(operations: FakeOperations) -> None:
    """Let a slice of two feeds pass."""
    operations.taps[0].show("siem", b"one\n", [b"<one>"])
    operations.taps[0].show("mcas", HOSTILE + b"\n", [b"<" + HOSTILE + b">"])


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["--limit", "2"], b"<one>\n<" + HOSTILE + b">\n"),
        (["--limit", "2", "--records"], b"one\n" + HOSTILE + b"\n"),
        (["--limit", "1", "--feed", "mcas"], b"<" + HOSTILE + b">\n"),
        (["--limit", "1", "--lines", "--filter", "é"], b"<" + HOSTILE + b">\n"),
    ],
)
@pytest.mark.usefixtures("control")
async def test_a_tap_into_a_pipe_shows_bytes_as_they_are(
    operations: FakeOperations,
    nss: Nss,
    arguments: list[str],
    shown: bytes,
) -> None:
    running = asyncio.create_task(nss("tap", *arguments))
    await operations.tapped.wait()
    pass_by(operations)
    ran = await running
    assert (ran.code, ran.out, ran.err) == (0, shown, "")
    await operations.untapped.wait()


@pytest.mark.usefixtures("control")
async def test_a_tap_on_a_terminal_is_harmless_and_ends_with_ctrl_c(
    operations: FakeOperations, config: Path
) -> None:
    async with Terminal("tap", "--config", str(config)) as terminal:
        await operations.tapped.wait()
        pass_by(operations)
        operations.taps[0].show("mcas", b"", [b"x" * 20_000])
        shown = await terminal.shows(b"more bytes")
        assert await terminal.end() == 0
        assert shown.startswith(
            b"siem: <one>\r\nmcas: <\\x1b[2J\\x00caf\xc3\xa9\\xff\\r>\r\nmcas: xxx"
        )
        assert shown.endswith(b"x ... 3,616 more bytes\r\n")
        assert b"Aborted" not in terminal.shown
    await operations.untapped.wait()


@pytest.mark.usefixtures("control")
async def test_a_tap_says_how_many_it_did_not_show(operations: FakeOperations, nss: Nss) -> None:
    running = asyncio.create_task(nss("tap", "--limit", "101"))
    await operations.tapped.wait()
    operations.taps[0].show("mcas", b"", [b"x"] * 2100)
    await asyncio.sleep(0.05)  # the allowance grows with time
    operations.taps[0].show("mcas", b"", [b"y"])
    ran = await running
    assert (ran.code, ran.out) == (0, b"x\n" * 100 + b"y\n")
    assert ran.err == "nss: tap: 2,000 more passed and were not shown\n"


async def test_a_tap_ends_with_the_service(
    control: ControlServer, operations: FakeOperations, nss: Nss
) -> None:
    running = asyncio.create_task(nss("tap"))
    await operations.tapped.wait()
    await control.close()
    ran = await running
    assert (ran.code, ran.out, ran.err) == (0, b"", "")


@pytest.mark.usefixtures("control")
async def test_a_tap_at_a_feed_that_is_not_there_names_the_nearest(nss: Nss) -> None:
    ran = await nss("tap", "--feed", "mcsa")
    assert (ran.code, ran.out) == (64, b"")
    assert ran.err == "nss: feed 'mcsa' is not known\nTry: mcas\n"


@pytest.mark.usefixtures("control")
async def test_a_filter_that_is_not_unicode_is_refused(nss: Nss) -> None:
    ran = await nss("tap", "--filter", os.fsdecode(b"\xff"))
    assert (ran.code, ran.out) == (64, b"")
    assert ran.err == "nss: text is not UTF-8: '\\udcff'\n"


@pytest.mark.usefixtures("control")
async def test_a_reload_says_what_ended_and_started(operations: FakeOperations, nss: Nss) -> None:
    ran = await nss("reload")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == b"ended feed old\nstarted feed mcas, source web\n"
    operations.reloaded = Reloaded([], [])
    ran = await nss("reload")
    assert ran.out == b"The configuration is in force; no part of it needed a restart.\n"


@pytest.mark.parametrize("kind", [ConfigError, ServiceError])
@pytest.mark.usefixtures("control")
async def test_a_refused_reload_says_why_and_ends_with_78(
    operations: FakeOperations,
    nss: Nss,
    kind: type[ConfigError | ServiceError],
) -> None:
    operations.error = kind("a changed [spool] needs a restart", tip="restart the service")
    ran = await nss("reload")
    assert (ran.code, ran.out) == (78, b"")
    assert ran.err == (
        "nss: reload: refused, the old configuration stays in force: "
        "a changed [spool] needs a restart\nTry: restart the service\n"
    )


async def test_a_reload_without_a_service_is_not_called_refused(nss: Nss) -> None:
    ran = await nss("reload")
    assert ran.code == 69
    assert "refused" not in ran.err


@pytest.mark.usefixtures("control")
async def test_a_replay_says_what_it_will_do(operations: FakeOperations, nss: Nss) -> None:
    ran = await nss(
        *("replay", "--feed", "mcas"),
        *("--since", "2026-09-21T10:00", "--until", "2026-09-21T12:30:00+02:00"),
    )
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.decode() == (
        "12,345 records accepted from 2026-09-21 10:00:00+00:00 to 2026-09-21 10:30:00+00:00: "
        "feed mcas delivers them again.\n"
    )
    at = datetime.fromisoformat("2026-09-21T10:00+00:00").timestamp()
    assert operations.asked == [("replay", "mcas", at, at + 1800)]


@pytest.mark.usefixtures("control")
async def test_a_dry_run_of_a_replay_says_what_it_would_do(
    operations: FakeOperations, nss: Nss
) -> None:
    times = ("--since", "2026-09-21T10:00", "--until", "2026-09-21T10:30")
    ran = await nss("replay", "--feed", "mcas", "--dry-run", *times)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.decode() == (
        "12,345 records accepted from 2026-09-21 10:00:00+00:00 to 2026-09-21 10:30:00+00:00: "
        "feed mcas would deliver them again. Nothing was sent.\n"
    )
    at = datetime.fromisoformat("2026-09-21T10:00+00:00").timestamp()
    assert operations.asked == [("replayable", "mcas", at, at + 1800)]


@pytest.mark.usefixtures("control")
async def test_a_replay_of_the_last_half_hour_ends_now(
    operations: FakeOperations, nss: Nss
) -> None:
    before = datetime.now().astimezone().timestamp()
    assert (await nss("replay", "--feed", "mcas", "--since", "30m")).code == 0
    (_, feed, since, until), *more = operations.asked
    assert (feed, more) == ("mcas", [])
    assert isinstance(until, float)
    assert before <= until <= datetime.now().astimezone().timestamp()
    assert since == until - 1800


@pytest.mark.parametrize(
    ("error", "code"), [(UsageError("feed 'x' is not known"), 64), (SpoolError("keeps none"), 74)]
)
@pytest.mark.usefixtures("control")
async def test_a_replay_that_can_not_be_is_reported(
    operations: FakeOperations, nss: Nss, error: Exception, code: int
) -> None:
    operations.error = error
    ran = await nss("replay", "--feed", "x", "--since", "1h")
    assert (ran.code, ran.out, ran.err) == (code, b"", f"nss: {error}\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--since", "yesterday"),
        ("--since", "30"),
        ("--since", "-5m"),
        ("--since", "٣m"),
        ("--since", "1h", "--until", "2h"),
        ("--since", "9999-01-01"),
        ("--since", "0001-01-01"),
        ("--since", "999999999d", "--until", "x"),
    ],
)
@pytest.mark.usefixtures("control")
async def test_a_replay_at_times_that_make_no_sense_is_refused(
    operations: FakeOperations, nss: Nss, arguments: tuple[str, ...]
) -> None:
    ran = await nss("replay", "--feed", "mcas", *arguments)
    assert (ran.code, ran.out, operations.asked) == (64, b"", [])
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("90s", NOW - 90),
        ("30m", NOW - 1800),
        ("2h", NOW - 7200),
        ("1d", NOW - 86_400),
        ("2026-11-23T10:00Z", 1_795_428_000.0),
        ("2026-11-23 10:00:00.5+01:00", 1_795_424_400.5),
    ],
)
def test_a_moment_is_a_duration_back_or_a_time(text: str, at: float) -> None:
    assert moment(text, NOW, "--since") == at


@pytest.mark.usefixtures("control")
async def test_rejects_are_shown_with_reason_and_harmless(
    operations: FakeOperations, nss: Nss
) -> None:
    ran = await nss("rejects", "--feed", "mcas", "--limit", "5")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.decode() == (
        "7 2026-09-21 14:13:10+00:00 feed mcas source web 192.0.2.1:999: no JSON: '\\x1b[2J'\n"
        "    \\x1b[2Jbad \\xffé record\n"
    )
    assert operations.asked == [("rejects", "mcas", 5)]


@pytest.mark.usefixtures("control")
async def test_rejects_as_json_have_every_byte(operations: FakeOperations, nss: Nss) -> None:
    ran = await nss("rejects", "--json")
    assert (ran.code, ran.err) == (0, "")
    assert orjson.loads(ran.out) == [
        {
            "number": 7,
            "feed": "mcas",
            "source": "web",
            "connection": "192.0.2.1:999",
            "rejected_at": NOW - 10,
            "reason": REJECT.reject.reason,
            "record_bytes": 70_000,
            "records": 1,
            "text": "\x1b[2Jbad \\xffé record",
            "data": b64encode(REJECT.reject.data).decode(),
        }
    ]
    assert operations.asked == [("rejects", None, 100)]


@pytest.mark.usefixtures("control")
async def test_that_there_are_no_rejects_or_more_than_shown_is_reported(
    operations: FakeOperations, nss: Nss
) -> None:
    assert (await nss("rejects", "--limit", "1")).err == (
        "Shown: the newest 1. --limit N shows more.\n"
    )
    operations.kept = []
    ran = await nss("rejects")
    assert (ran.code, ran.out, ran.err) == (0, b"", "No rejects are kept.\n")


@pytest.mark.parametrize("arguments", [["retry", "--feed", "mcas"], ["--feed", "mcas", "retry"]])
@pytest.mark.usefixtures("control")
async def test_a_retry_is_that_of_the_feed_wherever_it_is_named(
    operations: FakeOperations, nss: Nss, arguments: list[str]
) -> None:
    ran = await nss("rejects", *arguments)
    assert (ran.code, ran.out) == (0, b"5 records go through again.\n")
    assert ran.err == (
        "2 could not, and stay rejected: they were too long to be kept whole, or still can't be "
        "read.\n"
    )
    assert operations.asked == [("retry", "mcas")]


@pytest.mark.parametrize("arguments", [["retyr"], ["--limit", "0"], ["--limit", "501"]])
@pytest.mark.usefixtures("control")
async def test_what_rejects_does_not_know_ends_with_64(
    operations: FakeOperations, nss: Nss, arguments: list[str]
) -> None:
    ran = await nss("rejects", *arguments)
    assert (ran.code, ran.out, operations.asked) == (64, b"", [])


def test_numbers_are_reported_for_people() -> None:
    assert [size_text(n) for n in (0, 1023, 1024, 1536 * 1024, 8 << 30)] == [
        *("0 B", "1023 B", "1.0 KiB", "1.5 MiB", "8.0 GiB")
    ]


@pytest.mark.parametrize("data", [bytes(range(256)), b"\xe2\x80\xae\xc2\x9b\xef\xbb\xbf"])
def test_no_byte_gets_to_a_terminal_that_it_might_obey(data: bytes) -> None:
    assert harmless_bytes(data).isprintable()
    assert harmless("\udcff\n\x1b").isprintable()


@pytest.mark.usefixtures("control")
async def test_rejects_are_counted_by_reason(operations: FakeOperations, nss: Nss) -> None:
    operations.reasons.append(ReasonCount("siem", "too long", 1, NOW - 20))
    ran = await nss("rejects", "--summary")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.decode() == (
        "records  newest                     feed  reason\n"
        "  1,234  2026-09-21 14:13:10+00:00  mcas  no JSON: '\\x1b[2J'\n"
        "      1  2026-09-21 14:13:00+00:00  siem  too long\n"
    )
    ran = await nss("rejects", "--summary", "--feed", "mcas", "--json")
    assert orjson.loads(ran.out)[0] == {
        "feed": "mcas",
        "reason": "no JSON: '\x1b[2J'",
        "records": 1234,
        "newest_at": NOW - 10,
    }
    assert operations.asked == [("reasons", None), ("reasons", "mcas")]
    operations.reasons = []
    ran = await nss("rejects", "--summary")
    assert (ran.code, ran.out, ran.err) == (0, b"", "No rejects are kept.\n")
