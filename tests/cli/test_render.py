"""`nss render`: lines on stdout, bad records on stderr with their place, and the exit code."""

import gzip
import os
import pty
import subprocess
import zlib
from contextlib import suppress
from pathlib import Path

import orjson
import pytest

from formats import language, presets
from formats.pipeline import FeedSettings, Pipeline
from formats.reading.json import json_names
from formats.times import zone
from nss.lab.generator import RecordGenerator
from tests.cli.conftest import COMMAND, ENV, Nss

EPOCH = 1_767_225_600
FORMAT = "%s{login} %s{eurl}\\n"


def rendered(data: bytes, preset: str = "QRADAR") -> list[bytes]:
    return list(Pipeline(json_names(), FeedSettings(presets.load(preset))).run(data).lines)


def record(user: str, **more: object) -> bytes:
    return orjson.dumps({"login": user, "eurl": "e.com/", "epochtime": EPOCH, **more})


@pytest.fixture
def short(tmp_path: Path) -> Path:
    """A feed format of two fields."""
    path = tmp_path / "short.fof"
    path.write_text(FORMAT)
    return path


def test_files_and_stdin_come_out_in_the_order_they_are_named(
    nss: Nss, tmp_path: Path, short: Path
) -> None:
    (tmp_path / "one.json").write_bytes(record("ann") + b"\n")
    (tmp_path / "two.json.gz").write_bytes(
        gzip.compress(record("cid") + b"\n") + gzip.compress(record("dan"))
    )

    ran = nss("render", "--to", short, "one.json", "-", "two.json.gz", data=record("bob"))

    assert (ran.returncode, ran.stderr) == (0, b"")
    assert ran.stdout == b"ann e.com/\nbob e.com/\ncid e.com/\ndan e.com/\n"


@pytest.mark.parametrize("packed", [False, True])
def test_records_from_stdin_come_out_as_the_default_preset(nss: Nss, packed: bool) -> None:  # noqa: FBT001
    data = RecordGenerator(3).batch(500)

    ran = nss("render", data=gzip.compress(data) if packed else data)

    assert (ran.returncode, ran.stderr) == (0, b"")
    assert ran.stdout.splitlines() == rendered(data)


def test_a_format_file_may_begin_with_a_byte_order_mark(nss: Nss, tmp_path: Path) -> None:
    (tmp_path / "my.fof").write_text(FORMAT, encoding="utf-8-sig")

    assert nss("render", "--to", "my.fof", data=record("ann")).stdout == b"ann e.com/\n"


def test_every_option_reaches_the_renderer(nss: Nss, tmp_path: Path) -> None:
    text = "%s{time} %s{eurl} %s{elogin}\\n"
    (tmp_path / "my.fof").write_text(text)
    data = b'"e.com/%s","2026-01-02 03:04:05","a|\'"\n' % (60 * b"x")
    (tmp_path / "theirs.fof").write_text('"%s{eurl}","%s{time}","%s{login}"\\n')

    ran = nss(
        *("render", "--to", "my.fof", "--from", "theirs.fof", "--zone", "Asia/Tokyo"),
        *("--source-zone", "America/New_York", "--escape", "|", "--max-bytes", "60"),
        *("--protect-for", "pairs,quotes"),
        data=data,
    )

    settings = FeedSettings(
        language.parse(text),
        zone=zone("Asia/Tokyo"),
        source_zone=zone("America/New_York"),
        escape_characters="|",
        protect_for=frozenset({"pairs", "quotes"}),
    )
    records = b'{"time": "2026-01-02 03:04:05", "eurl": "e.com/%s", "login": "a|\'"}\n' % (
        60 * b"x"
    )
    [plain] = Pipeline(json_names(), settings).run(records).lines
    assert plain.startswith(b"Fri Jan  2 17:04:05 2026 e.com/xxx")
    assert plain.endswith(b"x a%7C%27")
    assert len(ran.stdout.removesuffix(b"\n")) == 60
    assert ran.stdout == b"Fri Jan  2 17:04:05 2026 e.com/%s[...] a%%7C%%27\n" % (16 * b"x")
    assert (ran.returncode, ran.stderr) == (0, b"")


def test_what_no_reader_needs_can_not_be_protected(nss: Nss) -> None:
    ran = nss("render", "--protect-for", "quotes,pipe", data=record("ann"))

    assert (ran.returncode, ran.stdout) == (64, b"")
    assert ran.stderr == (
        b"nss: --protect-for: 'pipe' is not known\nTry: any of quotes, pipes, pairs\n"
    )


def test_bad_records_are_reported_with_file_and_line_and_their_neighbours_come_out(
    nss: Nss, tmp_path: Path, short: Path
) -> None:
    lines = [b"\xef\xbb\xbf" + record("ann"), b"", record("bob")[:-1], record("cid"), b"", b"{}x"]
    (tmp_path / "web.log").write_bytes(b"\r\n".join(lines))
    (tmp_path / "two.log").write_bytes(b"\n\n" + record("dan") + b"\n\xff\n")

    ran = nss("render", "--to", short, "web.log", "two.log")

    assert ran.returncode == 65
    assert ran.stdout == b"ann e.com/\ncid e.com/\ndan e.com/\n"
    places = [line.split(b": ")[0] for line in ran.stderr.splitlines()]
    assert places == [b"web.log:3", b"web.log:6", b"two.log:4"]


def test_line_numbers_are_right_beyond_the_first_blocks(
    nss: Nss, tmp_path: Path, short: Path
) -> None:
    lines = [record("ann", ua=700 * "x") for _ in range(3000)]
    for number in (1, 90, 1500, 3000):
        lines[number - 1] = b"bad"
    lines[0] = b"{bad"
    (tmp_path / "web.log").write_bytes(b"\n".join(lines))

    ran = nss("render", "--from", "json", "--to", short, "web.log")

    assert [line.split(b": ")[0] for line in ran.stderr.splitlines()] == [
        b"web.log:1",
        b"web.log:90",
        b"web.log:1500",
        b"web.log:3000",
    ]
    assert ran.stdout == 2996 * b"ann e.com/\n"


def test_a_record_too_long_is_bad_and_the_next_one_is_not(nss: Nss, short: Path) -> None:
    data = b"\n".join([record("ann"), record("bob", ua=3_000_000 * "x"), record("cid"), b"{"])

    ran = nss("render", "--to", short, data=data)

    assert (ran.returncode, ran.stdout) == (65, b"ann e.com/\ncid e.com/\n")
    places = [line.split(b": ")[:2] for line in ran.stderr.splitlines()]
    assert places[0] == [b"stdin:2", b"longer than max_record_bytes (1048576)"]
    assert places[1][0] == b"stdin:4"


@pytest.mark.parametrize(
    "layout",
    [
        pytest.param(
            lambda many: orjson.dumps(many, option=orjson.OPT_INDENT_2), id="pretty array"
        ),
        pytest.param(orjson.dumps, id="array on one line"),
        pytest.param(
            lambda many: b"\n".join(
                orjson.dumps(record, option=orjson.OPT_INDENT_2) for record in many
            ),
            id="pretty objects",
        ),
        pytest.param(
            lambda many: b"\n".join(orjson.dumps(many[at : at + 2]) for at in (0, 2)),
            id="an array a line",
        ),
        pytest.param(
            lambda many: b"\xef\xbb\xbf" + orjson.dumps(many, option=orjson.OPT_INDENT_2),
            id="pretty array behind a byte order mark",
        ),
    ],
)
def test_json_may_be_laid_out_in_any_way(nss: Nss, short: Path, layout) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    many = [orjson.loads(record(user)) for user in ("ann", "bob", "cid", "dan")]

    ran = nss("render", "--to", short, data=layout(many))

    assert (ran.returncode, ran.stderr) == (0, b"")
    assert ran.stdout == b"ann e.com/\nbob e.com/\ncid e.com/\ndan e.com/\n"


def test_a_bad_one_of_values_that_span_lines_is_reported_by_its_number(
    nss: Nss, short: Path
) -> None:
    many = [{"login": user, "eurl": "e.com/"} for user in ("ann", "bob", "cid")]
    many[1]["login"] = ["not text"]  # type: ignore[assignment] # the fault

    ran = nss("render", "--to", short, data=orjson.dumps(many, option=orjson.OPT_INDENT_2))

    assert (ran.returncode, ran.stdout) == (65, b"ann e.com/\ncid e.com/\n")
    assert ran.stderr == b"stdin: record 2: login: an array, expected text\n"


def test_a_line_that_can_not_be_shortened_is_reported_and_left_out(nss: Nss, short: Path) -> None:
    data = record("ann") + b"\n" + record(80 * "b") + b"\n" + record("cid", eurl=80 * "u")

    ran = nss("render", "--to", short, "--max-bytes", "40", data=data)

    assert ran.returncode == 65
    assert ran.stdout == b"ann e.com/\ncid " + 31 * b"u" + b"[...]\n"
    assert ran.stderr == b"stdin: a line can't be shortened to 40 bytes\n"


@pytest.mark.parametrize("data", [b"", b"\n", b"\r\n", b" \n\t\r\n \n"])
def test_nothing_in_is_nothing_out(nss: Nss, data: bytes) -> None:
    ran = nss("render", data=data)

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"", b"")


def test_records_in_no_known_format_are_an_error(nss: Nss) -> None:
    ran = nss("render", data=b"what is this\n")

    assert (ran.returncode, ran.stdout) == (65, b"")
    assert ran.stderr.decode() == (
        "nss: render: the records are in no known format (stdin)\n"
        "Try: name their format with --from\n"
    )


@pytest.mark.parametrize(
    ("name", "reason"),
    [("gone.json", "no such file or directory"), (".", "is a directory")],
)
def test_a_file_that_can_not_be_read_is_missing_input(nss: Nss, name: str, reason: str) -> None:
    ran = nss("render", name)

    assert (ran.returncode, ran.stdout) == (66, b"")
    assert ran.stderr.decode() == f"nss: render: {reason} ({name})\n"


def test_a_damaged_gzip_file_is_reported_after_what_could_be_read(
    nss: Nss, tmp_path: Path, short: Path
) -> None:
    data = b"\n".join(record(f"u{number}", ua=str(number**9)) for number in range(9000))
    (tmp_path / "web.gz").write_bytes(gzip.compress(data)[:-9000])

    ran = nss("render", "--to", short, "web.gz")

    assert ran.returncode == 66
    assert ran.stdout.startswith(b"u0 e.com/\nu1 e.com/\n")
    there = zlib.decompressobj(31).decompress((tmp_path / "web.gz").read_bytes())
    assert ran.stdout.count(b"\n") == there.count(b"\n")
    assert ran.stderr.decode() == (
        "nss: render: the gzip data ends too early, at byte "
        f"{(tmp_path / 'web.gz').stat().st_size} (web.gz)\n"
    )


def test_every_record_before_garbage_behind_a_gzip_file_comes_out(
    nss: Nss, tmp_path: Path, short: Path
) -> None:
    data = b"".join(record(f"u{number}", ua=str(number**9)) + b"\n" for number in range(60_000))
    packed = gzip.compress(data + record("half")[:-5], 1)
    (tmp_path / "web.gz").write_bytes(packed + b"garbage")

    ran = nss("render", "--to", short, "web.gz", "-", data=record("next"))

    assert (ran.returncode, ran.stdout.count(b"\n")) == (66, 60_001)
    assert ran.stdout.endswith(b"\nu59999 e.com/\nnext e.com/\n")
    assert ran.stderr.decode() == (
        f"nss: render: what follows at byte {len(packed)} is no gzip data (web.gz)\n"
    )


def test_files_that_are_missing_do_not_keep_others_from_being_rendered(
    nss: Nss, tmp_path: Path, short: Path
) -> None:
    (tmp_path / "one.json").write_bytes(record("ann") + b"\nno record\n")

    ran = nss("render", "--to", short, "gone.json", "one.json", ".", "-", data=record("bob"))

    assert (ran.returncode, ran.stdout) == (66, b"ann e.com/\nbob e.com/\n")
    assert ran.stderr.decode() == (
        "nss: render: no such file or directory (gone.json)\n"
        "one.json:2: not JSON: invalid character (byte 4)\n"
        "nss: render: is a directory (.)\n"
    )


def test_what_comes_before_the_form_is_recognised_is_read_again_in_it(
    nss: Nss, short: Path
) -> None:
    comments = 2_000 * (b"# " + 1_000 * b"c" + b"\n")
    good = b"".join(record(f"u{number}") + b"\n" for number in range(100))

    ran = nss("render", "--to", short, data=record("first") + b"\n" + comments + good)
    assert (ran.returncode, ran.stdout.count(b"\n")) == (65, 101)

    ran = nss("render", "--to", short, data=comments + b" \n" + good)
    assert (ran.returncode, ran.stdout.count(b"\n")) == (65, 100)
    reasons = ran.stderr.decode().splitlines()
    assert reasons[0] == "stdin:1: not JSON: invalid character (byte 0)"
    assert len(reasons) == 2_000


def test_records_in_no_known_format_are_reported_once_however_many_blocks_they_fill(
    nss: Nss,
) -> None:
    ran = nss("render", data=100_000 * b"what is this, a line?\n")

    assert (ran.returncode, ran.stdout) == (65, b"")
    assert ran.stderr.decode() == (
        "nss: render: the records are in no known format (stdin)\n"
        "Try: name their format with --from\n"
    )


def test_what_waits_for_its_form_is_bounded_and_the_rest_comes_out(nss: Nss, short: Path) -> None:
    ran = nss("render", "--to", short, data=20 * (1_000_000 * b"c" + b"\n") + record("ann"))

    assert (ran.returncode, ran.stdout) == (65, b"ann e.com/\n")
    assert ran.stderr.startswith(b"nss: render: the records are in no known format (stdin)\nTry:")
    assert ran.stderr.count(b"no known format") == 1


def test_an_unknown_preset_is_answered_with_the_nearest(nss: Nss) -> None:
    ran = nss("render", "--to", "qrader")

    assert (ran.returncode, ran.stdout) == (64, b"")
    known = ", ".join(presets.names())
    assert ran.stderr.decode() == (
        f"nss: format 'qrader': neither a preset nor a file\nTry: QRADAR, or another of {known}\n"
    )


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--to", "bad.fof"), "unknown field 'loginn'"),
        (("--to", "binary.fof"), "format: byte 1 is not UTF-8 (binary.fof)"),
        (("--from", "nope"), "format 'nope': neither a preset nor a file"),
        (("--from", "run.fof"), "nothing between %s{login} and %s{eurl} tells them apart"),
        (("--zone", "Mars/Olympus"), "zone 'Mars/Olympus'"),
        (("--source-zone", "GMT+99"), "zone 'GMT+99'"),
        (("--max-bytes", "-1"), "--max-bytes"),
        (("--max-bytes", "many"), "--max-bytes"),
        (("--nope",), "--nope"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(
    nss: Nss, tmp_path: Path, arguments: tuple[str, ...], reason: str
) -> None:
    (tmp_path / "bad.fof").write_text("%s{loginn}\\n")
    (tmp_path / "binary.fof").write_bytes(b"\xff%s{login}")
    (tmp_path / "run.fof").write_text("%s{login}%s{eurl}\\n")

    ran = nss("render", *arguments, data=record("ann"))

    assert (ran.returncode, ran.stdout) == (64, b"")
    assert reason in ran.stderr.decode()
    assert b"Traceback" not in ran.stderr


def test_a_reader_that_leaves_early_gets_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "web.log").write_bytes(RecordGenerator(1).batch(5000))
    command = " ".join([*COMMAND, "render", "--to", "MCAS", "web.log"])

    ran = subprocess.run(  # noqa: S602 - it is what people type
        f"{command} | head -n 1",
        shell=True,
        cwd=tmp_path,
        env=ENV,
        capture_output=True,
        timeout=30,
        check=True,
    )

    assert ran.stdout.splitlines() == rendered(RecordGenerator(1).batch(1), "MCAS")
    assert ran.stderr == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_reported_in_a_sentence(tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(  # noqa: S603 - ours
            [*COMMAND, "render"],
            input=RecordGenerator(1).batch(10),
            stdout=full,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
            env=ENV,
            timeout=30,
            check=False,
        )

    assert ran.returncode == 74
    assert ran.stderr == (b"nss: render: can't write: no space left on device (standard output)\n")


def test_a_large_file_shows_how_far_it_is_on_a_terminal(tmp_path: Path) -> None:
    block = RecordGenerator(1).batch(2000)
    with (tmp_path / "large.log").open("wb") as large:
        while large.tell() < 65 << 20:
            large.write(block)
    ours, theirs = pty.openpty()
    with (tmp_path / "lines").open("wb") as lines:
        process = subprocess.Popen(  # noqa: S603 - ours
            [*COMMAND, "render", "--to", "MCAS", "large.log"],
            stdout=lines,
            stderr=theirs,
            cwd=tmp_path,
            env=ENV,
        )
    os.close(theirs)
    shown = read_all(ours)

    assert process.wait(30) == 0
    percents = [int(part.split()[-2]) for part in shown.strip().split("\r")]
    assert percents[-1] == 100
    assert percents == sorted(set(percents))
    assert len(percents) > 10


def read_all(descriptor: int) -> str:
    """Return what a terminal shows until its other end is closed."""
    shown = b""
    with os.fdopen(descriptor, "rb", buffering=0) as terminal, suppress(OSError):
        while block := terminal.read(4096):
            shown += block
    return shown.decode()


WARNING = (
    b"nss: render: warning: no record states %b: placeholders are printed instead (%b)\n"
    b"Try: nss explain %b\n"
)


def test_records_that_lack_user_or_url_are_warned_of_once_at_the_end(
    nss: Nss, tmp_path: Path, short: Path
) -> None:
    (tmp_path / "one.json").write_bytes(b'{"eurl":"e.com/","action":"Allowed"}\n' * 5000)
    (tmp_path / "two.json").write_bytes(b'{"url":"e.com/","login":null}\n')
    (tmp_path / "six.json").write_bytes(b'{"eurl":"e.com/"}\n')
    (tmp_path / "ten.json").write_bytes(b'{"action":"Allowed"}\n{"action":"Allowed"\n')

    ran = nss("render", "--to", short, "one.json", "two.json", "six.json", "ten.json")

    assert ran.returncode == 65
    assert ran.stdout.count(b"\n") == 5003
    bad, _, warnings = ran.stderr.partition(b"\n")
    assert bad == b"ten.json:2: JSON is truncated"
    assert warnings == (
        WARNING % (b"a user (login)", b"one.json and 1 more", b"one.json")
        + WARNING % (b"a user (login) or a URL (eurl)", b"ten.json", b"ten.json")
    )


def test_one_record_with_a_user_far_down_is_enough(nss: Nss, short: Path) -> None:
    data = b'{"eurl":"e.com/"}\n' * 100_000 + record("ann") + b"\n" + b'{"eurl":"e.com/"}\n' * 9

    ran = nss("render", "--to", short, data=data)

    assert (ran.returncode, ran.stderr) == (0, b"")


def test_a_warning_changes_no_exit_code_and_no_line(nss: Nss, short: Path) -> None:
    ran = nss("render", "--to", short, data=b'{"eurl":"e.com/"}\n')

    assert (ran.returncode, ran.stdout) == (0, b"None e.com/\n")
    assert ran.stderr == WARNING % (b"a user (login)", b"stdin", b"-")


def test_keys_that_no_field_is_known_for_are_counted_once_at_the_end(
    nss: Nss, tmp_path: Path, short: Path
) -> None:
    rows = [record("ann", colour="red", **{"a\u202e\x1b[2Jb": 1})] * 3000
    (tmp_path / "one.json").write_bytes(b"\n".join(rows))
    (tmp_path / "two.json").write_bytes(record("bob", colour="blue", vendor="Zscaler"))

    ran = nss("render", "--to", short, "one.json", "two.json")

    assert (ran.returncode, ran.stdout.count(b"\n")) == (0, 3001)
    assert ran.stderr == (
        b"nss: render: not used, no field is known for it: colour (3,001), "
        b"a\\u202e%1B[2Jb (3,000)\n"
    )


def test_the_names_of_such_keys_are_bounded(nss: Nss, short: Path) -> None:
    data = b"\n".join(record("ann", **{f"key{number}": 1}) for number in range(500))

    ran = nss("render", "--to", short, data=data)

    assert ran.stderr.count(b"key") == 64
    assert ran.stderr.endswith(b", others (436)\n")


def test_records_with_keys_of_another_preset_are_read_whole(nss: Nss) -> None:
    data = b'{"datetime":"2023-10-06 09:05:08","usrName":"ravi","clientip":"1.2.3.4","url":"e/"}'

    ran = nss("render", "--to", "%s{login} %s{cip} %s{eurl} %s{time}", data=data)

    assert (ran.returncode, ran.stderr) == (0, b"")
    assert ran.stdout == b"ravi 1.2.3.4 e/ Fri Oct  6 09:05:08 2023\n"
