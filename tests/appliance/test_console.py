"""What the console shows above its login prompt, as the real agetty prints it."""

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from nss.appliance.console import WIDTH, Facts, Setup, issue, next_step, state_of
from tests.cli.screen.statuses import DOWN, HEALTHY, HOSTILE

DONE = Setup(is_configured=True)
FACTS = Facts("1.2.3", "nss1", "ens3", ("10.0.0.4/24",), DONE, HEALTHY)
AGETTY = shutil.which("agetty") or "/sbin/agetty"


def printed(folder: Path, text: str) -> str:
    """What agetty makes of a text."""
    file = folder / "issue"
    file.write_text(text)
    command = [AGETTY, "--show-issue", "--issue-file", str(file)]
    keeper, terminal = os.openpty()
    try:
        ran = subprocess.run(  # noqa: S603 - the system's
            command, stdin=terminal, stdout=subprocess.PIPE, timeout=20, check=True
        )
    finally:
        os.close(keeper)
        os.close(terminal)
    return ran.stdout.decode()


needs_agetty = pytest.mark.skipif(not Path(AGETTY).exists(), reason="no agetty on this machine")


@needs_agetty
def test_it_has_version_host_address_state_and_the_next_step(tmp_path: Path) -> None:
    assert printed(tmp_path, issue(FACTS)).strip().splitlines() == [
        "NSS, an open Nanolog Streaming Service 1.2.3",
        "Host:    nss1",
        "Address: 10.0.0.4/24 (ens3)",
        f"State:   {HEALTHY.summary}",
        "Next:    nss status",
    ]


@needs_agetty
@pytest.mark.parametrize("text", [r"\e{red}\n\s", "\\", "\\\\", "\x1b[2J\r\x07\u202e", "a\nb"])
def test_agetty_and_the_terminal_obey_nothing_in_it(tmp_path: Path, text: str) -> None:
    setup = Setup(is_configured=True, problem=text)
    shown = printed(tmp_path, issue(replace(FACTS, host=text, setup=setup, status=None)))
    assert shown.replace("\n", "").isprintable()
    host = text.encode("unicode_escape").decode().replace("\\\\", "\\")
    assert f"\nHost:    {host}\n" in shown


def test_lines_fit_the_console() -> None:
    text = issue(replace(FACTS, status=HOSTILE, host="h" * 200))
    assert max(len(line.replace("\\\\", "\\")) for line in text.splitlines()) <= WIDTH
    assert len(text.splitlines()) < 25
    assert "\x1b" not in text


def test_the_state_has_the_first_reason_that_degrades() -> None:
    first = next(each for each in DOWN.health.reasons if each.degrades)
    assert state_of(DONE, DOWN) == f"degraded: {first}"
    assert state_of(DONE, None) == "not running"
    assert state_of(replace(DONE, problem="it is wrong"), None) == "not running: it is wrong"
    assert state_of(Setup(is_configured=False), None) == "not configured"


@pytest.mark.parametrize(
    ("setup", "is_running", "step"),
    [
        (Setup(is_configured=False), False, "sudo nss configure"),
        (replace(DONE, problem="wrong"), True, "sudo nss check"),
        (replace(DONE, needs_credentials=True), True, "sudo nss configure-mcas2"),
        (DONE, False, "sudo nss start"),
        (DONE, True, "nss status"),
    ],
)
def test_the_next_step_is_what_is_still_to_be_done(
    setup: Setup, *, is_running: bool, step: str
) -> None:
    assert next_step(setup, is_running=is_running) == step


def test_it_says_where_there_is_no_network_yet() -> None:
    assert "Address: no address yet (ens3)" in issue(replace(FACTS, addresses=()))
    assert "Address: no network interface" in issue(replace(FACTS, link="", addresses=()))
    text = issue(replace(FACTS, trial="10.0.0.7/24"))
    assert "Network: 10.0.0.7/24 is on trial" in text
