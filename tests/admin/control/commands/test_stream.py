"""`nss tap`, `nss reload`, `nss replay` and `nss rejects`, as people and scripts run them."""

import asyncio
import os
from base64 import b64encode
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import orjson
import pytest

from cli.output import harmless_bytes
from cli.replaying import moment
from nss.admin.control.server import ControlServer
from nss.admin.operations import Reloaded, RetriedRejects
from nss.errors import ConfigError, ServiceError, UsageError
from nss.sources.watching import SeenHeader, SeenMessage
from nss.spool import ReasonCount, SpoolError
from nss.wording import harmless, size_text
from tests.admin.conftest import NOW, REJECT, FakeOperations
from tests.admin.control.commands.conftest import Nss, Terminal

HOSTILE = b"\x1b[2J\x00caf\xc3\xa9\xff\r"


RETRIED = """\
5 records went through again:
  2 delivered
  1 filtered out: the filter of the feed does not want them
  1 rejected again: no JSON: '\\x1b[2J'
  1 still pending: nss status shows why
"""


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


@dataclass
class Odd:
    """A message that somebody made for whoever looks at it."""

    key: bytes | None = b"\xc2\x9b2J"
    headers: tuple[SeenHeader, ...] | None = (
        SeenHeader(b'a"=\x1b', b"1", 1),
        SeenHeader(b"b", None, 0),
        SeenHeader(b"c", b"x" * 256, 300),
    )
    produced_ms: int | None = 1_700_000_000_123
    value: bytes | None = HOSTILE

    def holds(self, text: bytes) -> bool:
        return text in HOSTILE

    def seen(self, source: str, left_out: int) -> SeenMessage:
        size = len(self.value or b"")
        more = 0 if self.headers is None else 1234
        return SeenMessage(
            *(source, "web", 3, 7, self.produced_ms, self.key, 4, self.headers, more),
            *(self.value, size, left_out),
        )


async def tapped(operations: FakeOperations, nss: Nss, message: Odd, *arguments: str) -> bytes:
    """Return what a tap at a source prints of one message."""
    running = asyncio.create_task(nss("tap", "--source", "in", "--limit", "1", *arguments))
    await operations.tapped.wait()
    operations.message_taps[0].show("other", [message], 0)
    operations.message_taps[0].show("in", [message], 0)
    ran = await running
    assert (ran.code, ran.err) == (0, "")
    await operations.untapped.wait()
    return ran.out


@pytest.mark.usefixtures("control")
@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (
            Odd(),
            'web[3] 7 2023-11-14T22:13:20.123Z key "\\x9b2J" "a\\"=\\x1b"="1" "b"=null "c"="'
            + "x" * 256
            + '" (44 more bytes) 1,234 more headers: "\\x1b[2J\\x00café\\xff\\r"',
        ),
        (Odd(None, (), None, None), "web[3] 7 1,234 more headers: null"),
        (Odd(None, None, 2**62, b""), f'web[3] 7 {2**62} headers that can\'t be read: ""'),
        (Odd(None, (), -1, b""), 'web[3] 7 1969-12-31T23:59:59.999Z 1,234 more headers: ""'),
    ],
)
async def test_a_tap_at_a_source_shows_messages(
    operations: FakeOperations, nss: Nss, message: Odd, shown: str
) -> None:
    assert (await tapped(operations, nss, message)).decode() == f"{shown}\n"


@pytest.mark.usefixtures("control")
async def test_messages_as_json_have_all_bytes(operations: FakeOperations, nss: Nss) -> None:
    printed = await tapped(operations, nss, Odd(), "--json")
    assert printed.count(b"\n") == 1
    shown = orjson.loads(printed)
    assert shown["value"] == {
        "text": HOSTILE.decode(errors="backslashreplace"),
        "data": b64encode(HOSTILE).decode(),
        "full_bytes": len(HOSTILE),
    }
    assert shown["key"]["data"] == b64encode(b"\xc2\x9b2J").decode()
    assert shown["headers"][1] == {"name": "b", "value": None}
    assert shown["headers"][2]["value"]["full_bytes"] == 300
    assert (shown["source"], shown["kind"], shown["topic"]) == ("in", "messages", "web")
    assert (shown["partition"], shown["offset"], shown["left_out"]) == (3, 7, 0)
    assert (shown["produced_ms"], shown["more_headers"]) == (1_700_000_000_123, 1234)


@pytest.mark.usefixtures("control")
async def test_a_tap_at_a_source_without_messages_says_so(nss: Nss) -> None:
    ran = await nss("tap", "--source", "inn")
    assert (ran.code, ran.out, ran.err) == (64, b"", "nss: source 'inn' is not known\nTry: in\n")


@pytest.mark.usefixtures("control")
@pytest.mark.parametrize("more", [["--feed", "mcas"], ["--records"]])
async def test_a_tap_is_at_a_source_or_at_feeds(nss: Nss, more: list[str]) -> None:
    ran = await nss("tap", "--source", "in", *more)
    assert (ran.code, ran.out) == (64, b"")
    assert ran.err.startswith("nss: tap: --source shows what comes before any feed")


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
    assert (ran.code, ran.out) == (0, b"")
    assert ran.err == "nss: tap: the service ended it: it stops, or a reload took that away\n"


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
async def test_rejects_are_shown_by_reason_with_a_sample_of_each(
    operations: FakeOperations, nss: Nss
) -> None:
    operations.reasons.append(ReasonCount("siem", "too_long " * 30, 1, NOW - 20))
    ran = await nss("rejects", "--feed", "mcas")
    long = " ".join(["too_long"] * 17)
    assert ran.code == 0
    assert ran.out.decode() == (
        "feed mcas: 1,234 records, the newest 2026-09-21 14:13:10+00:00\n"
        "  no JSON: '\\x1b[2J'\n"
        "    \\x1b[2Jbad \\xffé record\n"
        "feed siem: 1 record, the newest 2026-09-21 14:13:00+00:00\n"
        f"  {long}\n"
        f"  {' '.join(['too_long'] * 13)}\n"
    )
    assert ran.err.startswith("nss rejects --records shows each; nss rejects retry")
    assert operations.asked == [("reasons", "mcas")]


@pytest.mark.usefixtures("control")
async def test_a_sample_is_cut_to_the_width(operations: FakeOperations, nss: Nss) -> None:
    reject = replace(REJECT, reject=replace(REJECT.reject, data=b"x" * 5000))
    operations.reasons = [ReasonCount("mcas", "no JSON", 2, NOW - 20, reject)]
    shown = (await nss("rejects")).out.decode().splitlines()
    assert shown[2] == f"    {'x' * 152} ..."


@pytest.mark.usefixtures("control")
async def test_single_rejects_are_shown_with_reason_and_harmless(
    operations: FakeOperations, nss: Nss
) -> None:
    for arguments in (("--records",), ("--limit", "100")):
        ran = await nss("rejects", "--feed", "mcas", *arguments)
        assert (ran.code, ran.err) == (0, "")
        assert ran.out.decode() == (
            "7 2026-09-21 14:13:10+00:00 feed mcas source web 192.0.2.1:999: "
            "no JSON: '\\x1b[2J'\n"
            "    \\x1b[2Jbad \\xffé record\n"
        )
    assert operations.asked == [("rejects", "mcas", 100)] * 2


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
    operations.kept, operations.reasons = [], []
    for arguments in ((), ("--records",)):
        ran = await nss("rejects", *arguments)
        assert (ran.code, ran.out, ran.err) == (0, b"", "No rejects are kept.\n")


@pytest.mark.parametrize("arguments", [["retry", "--feed", "mcas"], ["--feed", "mcas", "retry"]])
@pytest.mark.usefixtures("control")
async def test_a_retry_is_that_of_the_feed_and_says_what_became_of_the_records(
    operations: FakeOperations, nss: Nss, arguments: list[str]
) -> None:
    ran = await nss("rejects", *arguments)
    assert (ran.code, ran.out.decode()) == (
        1,
        RETRIED,
    )
    assert ran.err == (
        "2 could not, and stay rejected: they were too long to be kept whole, or still can't be "
        "read.\n"
    )
    assert operations.asked == [("retry", "mcas", 10.0)]


@pytest.mark.usefixtures("control")
async def test_only_a_retry_after_which_nothing_is_left_ends_with_0(
    operations: FakeOperations, nss: Nss
) -> None:
    operations.retried = RetriedRejects(1234, 0, 1233, 1, {}, 0, 0, 0)
    ran = await nss("rejects", "retry")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.decode().splitlines()[:2] == [
        "1,234 records went through again:",
        "  1,233 delivered",
    ]
    operations.retried = RetriedRejects(3, 0, 0, 0, {}, 0, 0, 3)
    ran = await nss("rejects", "retry", "--json")
    assert (ran.code, orjson.loads(ran.out)["unclear"]) == (1, 3)
    operations.retried = RetriedRejects(0, 0, 0, 0, {}, 0, 0, 0)
    ran = await nss("rejects", "retry")
    assert (ran.code, ran.out, ran.err) == (0, b"", "No rejects are kept.\n")


@pytest.mark.usefixtures("control")
async def test_rejects_are_discarded_with_yes_and_counted(
    operations: FakeOperations, nss: Nss
) -> None:
    ran = await nss("rejects", "discard", "--yes", "--feed", "mcas")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == b"1,234 rejected records are deleted; they stay counted as rejected.\n"
    assert operations.asked == [("reasons", "mcas"), ("discard", "mcas", None, 7)]
    ran = await nss("rejects", "discard", "--yes", "--json")
    assert orjson.loads(ran.out) == {"discarded": 1234}


@pytest.mark.usefixtures("control")
async def test_rejects_are_discarded_by_reason_those_that_were_shown_and_no_later_ones(
    operations: FakeOperations, nss: Nss
) -> None:
    later = replace(REJECT, number=9)
    operations.reasons.append(ReasonCount("siem", "also no JSON at all", 1, NOW - 20, later))
    operations.reasons.append(
        ReasonCount("siem", "too long", 1, NOW - 30, replace(REJECT, number=3))
    )
    ran = await nss("rejects", "discard", "-y", "--reason", "no JSON")
    assert (ran.code, ran.out[:5]) == (0, b"2,468")
    assert operations.asked == [
        ("reasons", None),
        ("discard", "mcas", "no JSON: '\x1b[2J'", 9),
        ("discard", "siem", "also no JSON at all", 9),
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["discard"], 64, "nss: rejects: nobody to ask\nTry: give --yes\n"),
        (["discard", "--yes", "--reason", "no such"], 1, "No such rejects are kept.\n"),
        (["--reason", "x"], 64, "nss: rejects: --reason goes with discard\n"),
    ],
)
@pytest.mark.usefixtures("control")
async def test_nothing_is_discarded_without_a_yes_or_without_a_reject(
    operations: FakeOperations, nss: Nss, arguments: list[str], code: int, said: str
) -> None:
    ran = await nss("rejects", *arguments)
    assert (ran.code, ran.out) == (code, b"")
    assert ran.err.startswith(said)
    assert not [each for each in operations.asked if each[0] == "discard"]


@pytest.mark.parametrize(("answer", "code"), [(b"n\n", 1), (b"\n", 1), (b"y\n", 0)])
@pytest.mark.usefixtures("control")
async def test_a_discard_on_a_terminal_shows_what_would_go_and_asks(
    operations: FakeOperations, config: Path, answer: bytes, code: int
) -> None:
    async with Terminal("rejects", "discard", "--config", str(config)) as terminal:
        shown = await terminal.shows(b"[y/N]:")
        assert b"Delete these 1,234 records for good?" in shown
        assert b"no JSON: '\\x1b[2J'" in shown
        terminal.type(answer)
        assert await terminal.ended() == code
    assert (("discard", None, None, 7) in operations.asked) == (code == 0)


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
async def test_reasons_as_json_have_a_sample(operations: FakeOperations, nss: Nss) -> None:
    ran = await nss("rejects", "--summary", "--feed", "mcas", "--json")
    (found,) = orjson.loads(ran.out)
    sample = found.pop("sample")
    assert found == {
        "feed": "mcas",
        "reason": "no JSON: '\x1b[2J'",
        "records": 1234,
        "newest_at": NOW - 10,
    }
    assert (sample["number"], sample["data"]) == (7, b64encode(REJECT.reject.data).decode())
    assert operations.asked == [("reasons", "mcas")]


@pytest.mark.usefixtures("control")
async def test_a_tap_as_json_is_an_object_a_line_with_every_byte(
    operations: FakeOperations, nss: Nss
) -> None:
    running = asyncio.create_task(nss("tap", "--json", "--limit", "2"))
    await operations.tapped.wait()
    pass_by(operations)
    ran = await running
    assert (ran.code, ran.err) == (0, "")
    assert b"\x1b" not in ran.out
    assert [orjson.loads(line) for line in ran.out.splitlines()] == [
        {
            "feed": feed,
            "kind": "lines",
            "text": line.decode(errors="backslashreplace"),
            "data": b64encode(line).decode(),
            "full_bytes": len(line),
            "left_out": 0,
        }
        for feed, line in (("siem", b"<one>"), ("mcas", b"<" + HOSTILE + b">"))
    ]


@pytest.mark.usefixtures("control")
async def test_a_reload_as_json_says_whether_it_is_in_force(
    operations: FakeOperations, nss: Nss
) -> None:
    ran = await nss("reload", "--json")
    assert (ran.code, orjson.loads(ran.out)) == (
        0,
        {
            "in_force": True,
            "ended": ["feed old"],
            "started": ["feed mcas", "source web"],
            "left_behind": [],
        },
    )
    operations.error = ConfigError("a changed [spool] needs a restart", tip="restart the service")
    ran = await nss("reload", "--json")
    assert (ran.code, orjson.loads(ran.out)) == (
        78,
        {
            "in_force": False,
            "reason": "a changed [spool] needs a restart",
            "tip": "restart the service",
        },
    )


@pytest.mark.parametrize("dry_run", [(), ("--dry-run",)])
@pytest.mark.usefixtures("control")
async def test_a_replay_as_json_has_the_number_and_the_times(
    nss: Nss, dry_run: tuple[str, ...]
) -> None:
    times = ("--since", "2026-09-21T10:00", "--until", "2026-09-21T10:30")
    ran = await nss("replay", "--feed", "mcas", "--json", *times, *dry_run)
    assert (ran.code, orjson.loads(ran.out)) == (
        0,
        {
            "feed": "mcas",
            "since": "2026-09-21T10:00:00+00:00",
            "until": "2026-09-21T10:30:00+00:00",
            "records": 12_345,
            "dry_run": bool(dry_run),
        },
    )
