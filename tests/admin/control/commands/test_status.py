"""`nss status` and `nss top`, as people and scripts run them."""

from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from nss.admin.control.server import ControlServer
from nss.status.readings import UploadReading
from nss.status.summary import ExpiryStatus
from nss.status.sync_readings import BlockingReading
from tests.admin.conftest import (
    DEGRADED,
    FEED,
    GAPS,
    NOW,
    OPENS,
    PARSE_FAILURE,
    PARSING,
    STATUS,
    SYNC,
    FakeOperations,
)
from tests.admin.control.commands.conftest import Nss, Terminal

SHEET = """\
source  kind        state     rate       data     last   records      bytes
web     tcp         reading  100/s  1.0 KiB/s  5 s ago     1,234    2.0 KiB

feed    kind        state     rate        lag  pending  accepted  delivered  filtered  rejected\
  dropped  shortened
mcas    syslog_udp  moving   100/s        1 s       10     1,234      1,200        20         3\
        1          2
  to collector.example.com:514, last sent 3 s ago
siem    file        moving   100/s        1 s       10     1,234      1,200        20         3\
        1          2
  to /srv/siem.log, nothing written since the start

spool    durable, 1.0 KiB of 4.0 KiB, 3 rejects kept
"""

SERVICE = """\
service  nss 1.2.3 (python), pid 77, up 1 h 1 min, at 2026-09-21 14:13:20+00:00, /etc/nss/nss.toml
"""


def facts(shown: bytes) -> list[str]:
    """Return the lines after the spool's, without the last one, which is the service's."""
    lines = shown.decode().splitlines()
    (spool,) = (index for index, line in enumerate(lines) if line.startswith("spool  "))
    assert lines[-1] + "\n" == SERVICE
    return lines[spool + 1 : -1]


def rewrite(config: Path, text: str | None) -> None:
    """Give a file another text, or remove it."""
    config.unlink()
    if text is not None:
        config.write_text(text)


@pytest.mark.usefixtures("control")
async def test_a_healthy_service_is_shown_aligned_and_ends_with_0(nss: Nss) -> None:
    ran = await nss("status")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.decode() == f"healthy  199/s, 20 pending\n\n{SHEET}{SERVICE}"


@pytest.mark.usefixtures("control")
async def test_uploads_are_shown_with_what_was_confirmed_is_due_and_holds_them(
    operations: FakeOperations, nss: Nss
) -> None:
    upload = UploadReading(
        state="collecting",
        last_confirmed_at=NOW - 65,
        next_due_at=NOW + 235,
        held_until=None,
        unconfirmed=0,
    )
    held = replace(
        upload, state="held", last_confirmed_at=None, next_due_at=None, held_until=NOW + 600
    )
    feeds = (replace(FEED, upload=upload), replace(FEED, name="other", upload=held), FEED)
    operations.current = replace(STATUS, feeds=feeds)
    out = (await nss("status")).out.decode()
    assert [line for line in out.splitlines() if line.startswith("  upload")] == [
        "  upload collecting, due in 3 min 55 s",
        "  upload held, nothing collected, held for 10 min",
    ]


@pytest.mark.usefixtures("control")
async def test_a_degraded_service_says_why_since_when_and_ends_with_1(
    operations: FakeOperations, nss: Nss
) -> None:
    operations.current = DEGRADED
    ran = await nss("status")
    assert (ran.code, ran.err) == (1, "")
    assert ran.out.decode() == (
        "degraded  since 14:12 (1 min), 199/s, 20 pending\n"
        "\n"
        "! feed mcas: 10 records wait\n"
        "  since 14:12 (1 min)\n"
        "- spool: in memory\n"
        f"\n{SHEET}{SERVICE}"
    )


@pytest.mark.usefixtures("control")
async def test_keys_that_are_not_used_are_named(operations: FakeOperations, nss: Nss) -> None:
    many = replace(GAPS, source="branch", unmapped={f"k{number}": 1 for number in range(64)})
    silent = replace(GAPS, unmapped={})
    operations.current = replace(STATUS, feeds=(replace(FEED, gaps=(GAPS, silent, many)),))
    first, second = facts((await nss("status")).out)
    assert first == (
        "keys not used  feed mcas, source web (json): colour (1,234), shape\\u202e (1), others (7)"
    )
    assert second.endswith(" k8 (1), k9 (1) and 54 more")
    shown = orjson.loads((await nss("status", "--json")).out)
    assert shown["feeds"][0]["gaps"][0] == {
        "source": "web",
        "form": "json",
        "unmapped": {"colour": 1234, "shape\u202e": 1, "...": 7},
        "missing": ["an address (cip, cintip)", "a user (login)"],
    }


UPLOADS = replace(STATUS, parsing=PARSING)


@pytest.mark.usefixtures("control")
async def test_what_became_of_uploads_is_shown(operations: FakeOperations, nss: Nss) -> None:
    operations.current = UPLOADS
    uploads, failure = facts((await nss("status")).out)
    assert uploads == (
        "uploads  data source NSS: parsed 12 (the last uploaded 2 h 30 min ago), failed 1, pending "
        "3; read 5 min ago"
    )
    at = "         last failure 2026-09-21 12:13:20+00:00"
    assert failure == f"{at} up-20260921T121320-5.log: Unsupported file type"
    bad = replace(PARSE_FAILURE, file=None, text="\x1b[2J")
    unread = replace(PARSING, unreadable="x", overdue=2, last_parsed_at=None, last_failure=bad)
    operations.current = replace(STATUS, parsing=unread)
    uploads, failure = facts((await nss("status")).out)
    assert uploads.endswith(": parsed 12, failed 1, pending 3, without a result 2; can't be read")
    assert failure == f"{at}: \\x1b[2J"
    new = replace(PARSING, read_at=None, last_failure=None)
    operations.current = replace(STATUS, parsing=new)
    assert facts((await nss("status")).out)[-1].endswith("; not read yet")


SYNCED = replace(STATUS, sync=replace(SYNC, blocking=OPENS))


@pytest.mark.usefixtures("control")
async def test_whether_unsanctioned_apps_are_blocked_is_shown(
    operations: FakeOperations, nss: Nss
) -> None:
    operations.current = SYNCED
    sync, *lines = facts((await nss("status")).out)
    assert sync.startswith("sync  ")
    assert lines == [
        "         blocked: no: no rule \\x1bblocks it (looked up 1 min ago)",
        "         Try: add one",
        "         Where: Policy",
        "         In the Experience Center: Policies",
    ]
    unread = BlockingReading(destination="X", at=NOW - 60, blocked=None, reason="no role")
    for found, text in (
        (replace(OPENS, blocked=True), "blocked: yes (looked up 1 min ago)"),
        (unread, "blocked: can't be said: no role (looked up 1 min ago)"),
    ):
        operations.current = replace(STATUS, sync=replace(SYNC, blocking=found))
        assert facts((await nss("status")).out)[-1].strip() == text
    operations.current = replace(STATUS, sync=SYNC)
    assert "blocked:" not in (await nss("status")).out.decode()


@pytest.mark.parametrize(
    ("expected", "code"), [(STATUS, 0), (DEGRADED, 1), (UPLOADS, 0), (SYNCED, 0)]
)
@pytest.mark.usefixtures("control")
async def test_json_is_the_whole_status(
    operations: FakeOperations, nss: Nss, expected: object, code: int
) -> None:
    operations.current = expected  # type: ignore[assignment]
    ran = await nss("status", "--json")
    assert (ran.code, ran.err) == (code, "")
    assert orjson.loads(ran.out) == orjson.loads(orjson.dumps(expected))


@pytest.mark.usefixtures("control")
async def test_what_others_name_can_not_steer_a_terminal(
    operations: FakeOperations, nss: Nss
) -> None:
    operations.current = replace(
        STATUS, config="/a\x1b[2J.toml", feeds=(replace(FEED, destination="\x07host\n:514"),)
    )
    out = (await nss("status")).out
    assert b"/a\\x1b[2J.toml" in out
    assert b"\\x07host\\n:514, last sent 3 s ago\n" in out
    assert out.decode().replace("\n", "").isprintable()


async def test_no_service_ends_with_69_and_says_what_to_do(nss: Nss, socket_path: Path) -> None:
    ran = await nss("status")
    assert (ran.code, ran.out) == (69, b"")
    assert ran.err == (
        f"nss: the service is not running: no such socket ({socket_path})\n"
        "Try: sudo nss start, or name its configuration file with --config\n"
    )


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ('[service]\ncontrol_socket = "off"', 78, 'service.control_socket is "off"'),
        ("[service]\ncontrol_socket = 3", 78, "service.control_socket = 3"),
        ("service = 3", 78, "service = 3: must be a table"),
        ("[service", 78, "not TOML"),
        (f'[service]\ncontrol_socket = "{"x" * 200}"', 78, "a unix socket's at most 107"),
        (None, 66, "no such file or directory"),
    ],
)
async def test_a_configuration_that_names_no_socket_is_reported(
    nss: Nss, config: Path, text: str | None, code: int, said: str
) -> None:
    rewrite(config, text)
    ran = await nss("status")
    assert (ran.code, ran.out) == (code, b"")
    assert said in ran.err
    assert "\nTry: " in ran.err


@pytest.mark.usefixtures("control")
async def test_the_rest_of_the_file_may_be_wrong_meanwhile(nss: Nss, config: Path) -> None:
    with config.open("a") as file:
        file.write('nonsense = 1\nlog_level = "loud"\n[sources.web]\nkind = "nope"\n')
    assert (await nss("status")).code == 0


@pytest.mark.usefixtures("control")
async def test_a_terminal_sees_a_table(config: Path, operations: FakeOperations) -> None:
    operations.current = UPLOADS
    async with Terminal("status", "--config", str(config)) as terminal:
        assert await terminal.ended() == 0
        assert b"collector.example.com:514" in terminal.shown
        assert b"\x1b[1;32mhealthy" in terminal.shown
    assert b"data source NSS: parsed 12" in terminal.shown


async def test_top_follows_the_service_across_a_restart_and_ends_with_ctrl_c(
    socket_path: Path, operations: FakeOperations, config: Path
) -> None:
    first = ControlServer(socket_path, operations)
    await first.start()
    async with Terminal("top", "--config", str(config)) as terminal:
        await terminal.shows(b"healthy")
        await first.close()
        await terminal.shows(b"the service is not running")
        operations.current = DEGRADED
        second = ControlServer(socket_path, operations)
        await second.start()
        await terminal.shows(b"degraded")
        assert await terminal.end() == 0
        assert b"Traceback" not in terminal.shown
        assert b"Aborted" not in terminal.shown
        await second.close()


@pytest.mark.usefixtures("control")
async def test_top_without_a_terminal_is_refused(nss: Nss) -> None:
    ran = await nss("top")
    assert (ran.code, ran.out) == (64, b"")
    assert ran.err == "nss: top: needs a terminal\nTry: nss status, or nss status --json\n"


EXPIRING = replace(
    STATUS,
    expiries=(
        ExpiryStatus(component="MCAS", credential="client_secret", ends_at=1_790_380_800.0, days=4),
        ExpiryStatus(
            component="feed siem",
            credential="collector",
            place="siem:6514",
            ends_at=1_890_380_800.0,
            seen_at=1_790_000_000.0,
            days=1161,
        ),
    ),
)


@pytest.mark.usefixtures("control")
async def test_what_ends_has_a_line_each(operations: FakeOperations, nss: Nss) -> None:
    operations.current = EXPIRING
    ran = await nss("status")
    assert (ran.code, ran.err) == (0, "")
    assert facts(ran.out) == [
        "expires  MCAS, client secret: 4 days left, last day 2026-09-25",
        "         feed siem, collector (siem:6514): 1,161 days left, last day 2029-11-26",
    ]


@pytest.mark.usefixtures("control")
async def test_what_ends_is_in_the_json(operations: FakeOperations, nss: Nss) -> None:
    operations.current = EXPIRING
    shown = orjson.loads((await nss("status", "--json")).out)
    assert shown["expiries"] == [
        {
            "component": "MCAS",
            "credential": "client_secret",
            "place": "",
            "ends_at": 1_790_380_800.0,
            "seen_at": None,
            "days": 4,
        },
        {
            "component": "feed siem",
            "credential": "collector",
            "place": "siem:6514",
            "ends_at": 1_890_380_800.0,
            "seen_at": 1_790_000_000.0,
            "days": 1161,
        },
    ]
