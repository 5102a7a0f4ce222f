"""`nss status` and `nss top` on real pseudo-terminals of several sizes, and without one."""

import signal
import subprocess
from pathlib import Path

import pytest

from cli.top import View
from tests.cli.conftest import COMMAND, ENV
from tests.cli.screen.golden import FOLDER, SIZES, STATUSES, WIDTHS
from tests.cli.screen.service import answering
from tests.cli.screen.statuses import CROWDED, DOWN, HEALTHY, HOSTILE, NOW
from tests.cli.screen.terminal import Terminal

pytestmark = pytest.mark.long

TOP = ("top", "--config", "nss.toml")


def golden(name: str) -> str:
    """Return what was kept, as a terminal of any height would have it."""
    return FOLDER.joinpath(name).read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def _at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("columns", "rows"), SIZES)
@pytest.mark.parametrize("name", ["down", "crowded"])
def test_top_fits_its_terminal_and_q_gives_it_back(
    tmp_path: Path, name: str, columns: int, rows: int
) -> None:
    expected = golden(f"top-{name}-{columns}x{rows}.txt")
    with answering(tmp_path, STATUSES[name]), Terminal(TOP, columns, rows) as terminal:
        terminal.shows(expected)
        assert terminal.screen.is_alternate
        assert not terminal.screen.shows_cursor
        terminal.press("q")
        assert terminal.ended() == 0
        assert terminal.settings_now == terminal.settings
        after = terminal.screen
    assert (after.is_alternate, after.shows_cursor) == (False, True)


def test_top_follows_another_size_of_its_terminal(tmp_path: Path) -> None:
    with answering(tmp_path, CROWDED), Terminal(TOP, 80, 24) as terminal:
        terminal.shows(golden("top-crowded-80x24.txt"))
        terminal.resize(132, 43)
        terminal.shows(golden("top-crowded-132x43.txt"))
        terminal.resize(40, 15)
        terminal.shows(golden("top-crowded-40x15.txt"))
        terminal.press("q")
        assert terminal.ended() == 0


def test_top_is_scrolled_by_keys(tmp_path: Path) -> None:
    keys = [("j", "k"), ("\x1b[B", "\x1b[A"), ("\x1bOB", "\x1bOA"), (" ", "b"), ("G", "g")]
    with answering(tmp_path, CROWDED), Terminal(TOP, 80, 24) as terminal:
        terminal.shows(first := golden("top-crowded-80x24.txt"))
        for down, up in keys:
            terminal.press(down)
            terminal.until_not("degraded")
            terminal.press(up)
            terminal.shows(first)
        terminal.press("q")
        assert terminal.ended() == 0


def test_top_says_since_when_the_service_is_gone_and_goes_on_when_it_is_back(
    tmp_path: Path,
) -> None:
    with answering(tmp_path, HEALTHY):
        terminal = Terminal(TOP, 80, 24)
        terminal.until("healthy")
    with terminal:
        shown = terminal.until("14:13:20.")  # the end of the sentence: no other time has that dot
        assert "! the service is not running: no such socket" in joined(shown)
        assert " tried again every second. Below is its status of 14:13:20." in joined(shown)
        assert "healthy" in shown
        with answering(tmp_path, DOWN):
            terminal.shows(golden("top-down-80x24.txt"))
            terminal.press("\x03")
            assert terminal.ended() == 0
        assert "Traceback" not in terminal.written


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_top_and_the_terminal_is_as_it_was(
    tmp_path: Path, number: signal.Signals
) -> None:
    with answering(tmp_path, HEALTHY), Terminal(TOP, 80, 24) as terminal:
        terminal.until("q quits")
        terminal.process.send_signal(number)
        assert terminal.ended() == 128 + number
        assert terminal.settings_now == terminal.settings
        assert not terminal.screen.is_alternate
        assert terminal.screen.shows_cursor


def test_ctrl_z_gives_the_terminal_back_until_top_continues(tmp_path: Path) -> None:
    # The kernel does not stop what no shell could continue: here it continues at once.
    with answering(tmp_path, DOWN), Terminal(TOP, 80, 24) as terminal:
        terminal.shows(golden("top-down-80x24.txt"))
        terminal.press("\x1a")
        terminal.until_written("\x1b[?1049l", "\x1b[?1049h")
        terminal.shows(golden("top-down-80x24.txt"))
        terminal.press("\x03")
        assert terminal.ended() == 0
        assert terminal.settings_now == terminal.settings


def test_top_refuses_a_terminal_that_it_can_not_draw_on(tmp_path: Path) -> None:
    with answering(tmp_path, HEALTHY), Terminal(TOP, 80, 24, TERM="dumb") as terminal:
        assert terminal.ended() == 64
        assert terminal.screen.text == (
            "nss: top: can't draw on this terminal (TERM is dumb or unknown)\n"
            "Try: nss status, or nss status --json\n"
        )


@pytest.mark.parametrize("width", WIDTHS)
def test_status_fits_its_terminal(tmp_path: Path, width: int) -> None:
    command = ("status", "--config", "nss.toml")
    with answering(tmp_path, DOWN), Terminal(command, width, 60) as terminal:
        assert terminal.ended() == 1
        screen = terminal.screen
    assert screen.text == golden(f"status-down-{width}.txt")
    assert "1;31" in screen.styles


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_status_has_no_colours_where_nobody_wants_any(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    command = ("status", "--config", "nss.toml")
    with answering(tmp_path, DOWN), Terminal(command, 80, 60, **environ) as terminal:
        assert terminal.ended() == 1
        screen = terminal.screen
    assert screen.text == golden("status-down-80.txt")
    assert not any("3" in style for style in screen.styles)


@pytest.mark.parametrize(("columns", "width"), [(None, 80), ("60", 60), ("132", 132), ("x", 80)])
def test_a_pipe_has_80_columns_unless_told_otherwise(
    tmp_path: Path, columns: str | None, width: int
) -> None:
    environ = {name: value for name, value in ENV.items() if name != "COLUMNS"} | {"TZ": "UTC"}
    with answering(tmp_path, DOWN):
        ran = subprocess.run(  # noqa: S603 - ours
            [*COMMAND, "status", "--config", "nss.toml"],
            env=environ if columns is None else environ | {"COLUMNS": columns},
            capture_output=True,
            timeout=30,
            check=False,
        )
    assert (ran.returncode, ran.stderr) == (1, b"")
    assert ran.stdout.decode() == golden(f"status-down-{width}.txt")


def test_hostile_names_do_not_steer_a_terminal(tmp_path: Path) -> None:
    expected = View(HOSTILE, NOW).drawn(60, 24).plain
    with answering(tmp_path, HOSTILE), Terminal(TOP, 60, 24) as terminal:
        terminal.shows(expected)
        terminal.press("q")
        assert terminal.ended() == 0


def test_names_that_a_locale_can_not_write_are_escaped(tmp_path: Path) -> None:
    with answering(tmp_path, HOSTILE):
        ran = subprocess.run(  # noqa: S603 - ours
            [*COMMAND, "status", "--config", "nss.toml"],
            env=ENV | {"PYTHONIOENCODING": "latin-1"},
            capture_output=True,
            timeout=30,
            check=False,
        )
    assert (ran.returncode, ran.stderr) == (1, b"")
    assert rb"\u6771\u4eac" in ran.stdout


def test_the_demonstration_is_live_on_a_small_terminal() -> None:
    with Terminal(("demo", "--seconds", "2", "--rate", "500"), 60, 24) as terminal:
        shown = terminal.until("cloud app")
        assert shown.startswith("nss demo  ")
        assert "\nwhat the collector gets\n" in shown
        assert terminal.ended() == 0
        screen = terminal.screen
    assert "Nothing is lost." in screen.text
    assert screen.shows_cursor


def test_the_demonstration_writes_lines_where_it_can_not_draw() -> None:
    command = ("demo", "--seconds", "2", "--rate", "500")
    with Terminal(command, 60, 60, TERM="dumb") as terminal:
        assert terminal.ended() == 0
        screen = terminal.screen
    assert screen.text.startswith("   1 s  ")
    assert "Nothing is lost." in screen.text
    assert screen.styles == set()


def joined(shown: str) -> str:
    return " ".join(shown.split())
