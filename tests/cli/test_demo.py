"""`nss demo`: a summary for scripts, a live table for people."""

import contextlib
import os
import pty
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.cells import cell_len

from nss.lab.generator import RecordGenerator
from tests.cli.conftest import COMMAND, ENV, Nss

pytestmark = pytest.mark.long

ROW = re.compile(
    r"^(sent|arrived|rejected|malformed|shortened|lost) +([0-9,-]+)(?:  .*)?$", re.MULTILINE
)


def counts(output: str) -> dict[str, int]:
    """Return the numbers of the account."""
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", output).replace("\r", "")
    return {name: int(number.replace(",", "")) for name, number in ROW.findall(text)}


def test_everything_sent_arrives_and_the_summary_says_so(nss: Nss) -> None:
    ran = nss("demo", "--seconds", "2", "--rate", "500")

    assert (ran.returncode, ran.stderr) == (0, b"")
    shown = counts(ran.stdout.decode())
    assert 900 <= shown["sent"] == shown["arrived"] + 3 <= 1100
    assert (shown["lost"], shown["rejected"], shown["malformed"]) == (0, 3, 0)
    text = ran.stdout.decode()
    assert "on purpose, to show that each is kept with its reason:\n" in text
    for reason in (
        "reqsize: text 'a lot', expected a number",
        "the record has no time",
        "time is impossible: day is out of range for month",
    ):
        assert f"                  1  {reason}\n" in text
    assert "\nAll that was sent arrived, but for what was rejected. Nothing is lost.\n" in text
    assert "\ncloud app " in text
    assert "zscaler-nss: LEEF:1.0|Zscaler|NSS|4.1|" in text
    assert re.search(r"^   1 s  [0-9,]+ sent, [0-9,]+ arrived, [0-9,]+/s$", text, re.MULTILINE)
    assert text.replace("\n", "").isprintable()


@pytest.mark.parametrize("columns", ["60", "200"])
def test_the_summary_fits_what_it_is_shown_on(tmp_path: Path, columns: str) -> None:
    ran = subprocess.run(  # noqa: S603 - ours
        [*COMMAND, "demo", "--seconds", "1", "--rate", "100"],
        env=ENV | {"COLUMNS": columns},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )

    assert counts(ran.stdout)["lost"] == 0
    assert max(map(cell_len, ran.stdout.splitlines())) <= int(columns)


def test_your_own_records_are_played_once(nss: Nss, tmp_path: Path) -> None:
    sample = RecordGenerator(7).batch(30) + b"no record\n" + b'{"login":"a\rb"}\n'
    (tmp_path / "sample.json").write_bytes(sample)

    ran = nss("demo", "--seconds", "20", "--sample", "sample.json")

    assert ran.returncode == 0
    shown = counts(ran.stdout.decode())
    shown.pop("shortened", 0)
    assert shown == {"sent": 32, "arrived": 30, "rejected": 2, "malformed": 0, "lost": 0}
    assert b"because:\n" in ran.stdout
    assert b"on purpose" not in ran.stdout


@pytest.mark.parametrize(
    ("sample", "said"),
    [
        (b"no record\nnor this\n", "None of your records arrived: all of them were rejected."),
        (b"", "There are no records in the file."),
    ],
)
def test_a_sample_of_which_nothing_arrives_is_bad_data(
    nss: Nss, tmp_path: Path, sample: bytes, said: str
) -> None:
    (tmp_path / "my sample").write_bytes(sample)

    ran = nss("demo", "--sample", "my sample")

    assert ran.returncode == 65
    assert f"\n{said}\nTry: nss explain 'my sample'\n" in ran.stdout.decode()
    assert "All that was sent arrived" not in ran.stdout.decode()


def test_a_sample_that_is_not_there_is_missing_input(nss: Nss) -> None:
    ran = nss("demo", "--sample", "gone.json")

    assert (ran.returncode, ran.stderr) == (66, b"nss: demo: no such file (gone.json)\n")


def test_packages_of_our_names_in_the_folder_are_left_alone(nss: Nss, tmp_path: Path) -> None:
    for name in ("cli", "nss", "formats"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('not ours')\n")

    assert nss("demo", "--seconds", "1", "--rate", "100").returncode == 0


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder with room for a socket in a folder of its own, which pytest's may not have."""
    with tempfile.TemporaryDirectory(prefix="nss-") as made:
        yield Path(made)


@pytest.fixture
def terminal(
    short_path: Path, request: pytest.FixtureRequest
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A demonstration on a pseudo-terminal, and our end of that; a parameter is its seconds."""
    ours, theirs = pty.openpty()
    secs = str(getattr(request, "param", 2))
    process = subprocess.Popen(  # noqa: S603 - ours
        [*COMMAND, "demo", "--seconds", secs, "--rate", "500"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=short_path,
        env=ENV | {"TERM": "xterm", "TMPDIR": str(short_path)},
        start_new_session=True,
    )
    os.close(theirs)
    yield process, ours
    process.terminate()  # not killed: it ends the service that it started
    process.wait()
    os.close(ours)


def read(ours: int, until: bytes = b"") -> str:
    """Return what is shown until that comes, or until the end."""
    shown = b""
    while not until or until not in shown:
        try:
            block = os.read(ours, 65536)
        except OSError:  # how Linux says that nobody writes any more
            break
        if not block:
            break
        shown += block
    return shown.decode()


def test_a_terminal_gets_a_live_table(terminal: tuple[subprocess.Popen[bytes], int]) -> None:
    process, ours = terminal

    shown = read(ours)

    assert process.wait(10) == 0
    assert shown.count("nss demo  ") >= 4
    assert "what the collector gets" in shown
    assert "\x1b[" in shown
    assert counts(shown)["lost"] == 0
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 1  # the cursor is back


@pytest.mark.parametrize("terminal", [50], indirect=True)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_and_its_service_without_a_traceback(
    terminal: tuple[subprocess.Popen[bytes], int], short_path: Path, number: signal.Signals
) -> None:
    process, ours = terminal
    read(ours, b"what the collector gets")
    assert len(services(short_path)) == 1

    process.send_signal(number)
    shown = read(ours)

    assert process.wait(10) == 130
    assert services(short_path) == []
    assert list(short_path.glob("nss-demo-*")) == []
    assert "Traceback" not in shown
    assert "\x1b[?25h" in shown


@pytest.mark.parametrize("option", ["--portal", "--mcas", "--rate=500"])
def test_sigterm_ends_it_where_a_script_has_sigint_ignored(short_path: Path, option: str) -> None:
    process = subprocess.Popen(  # noqa: S603 - ours
        [*COMMAND, "demo", "--seconds", "50", option],
        stdout=subprocess.DEVNULL,
        env=ENV | {"TMPDIR": str(short_path)},
        # As a shell without job control does it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),  # noqa: PLW1509 - no threads
    )
    try:
        until = time.monotonic() + 30
        while not services(short_path) and time.monotonic() < until:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == (0 if option == "--portal" else 130)
        assert services(short_path) == []
    finally:
        process.kill()
        process.wait()
        for left in services(short_path):
            os.kill(left, signal.SIGKILL)


def services(folder: Path) -> list[int]:
    """Return the processes of the services that work in a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            line = path.read_bytes()
            if f"{folder}/nss-demo-".encode() in line and b"\0run\0" in line:
                found.append(int(path.parent.name))
    return found
