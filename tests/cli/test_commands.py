"""The other commands: their output and exit codes, and how fast `--help` comes."""

import errno
import re
import shlex
import subprocess
from importlib import metadata, resources
from pathlib import Path

import orjson
import pexpect
import pytest
import trustme

from cli.output import is_of_output
from cli.reference import pages
from formats import presets
from formats.compiled import mode
from formats.fields import catalogue
from nss.config.load import how_to_correct
from nss.lab.generator import RecordGenerator
from tests.cli.conftest import COMMAND, ENV, Nss

COMMANDS = [
    *("run", "start", "stop", "restart", "reload", "enable-autostart", "disable-autostart"),
    *("status", "top", "tap", "troubleshoot", "portal"),
    *("checkversion", "update-now", "force-update-now"),
    *("configure", "check", "dump-config", "install-cert"),
    *("configure-mcas2", "verify-mcas2", "show-mcas2", "clear-mcas2", "configure-mcas"),
    *("configure-zia", "show-zia", "clear-zia", "verify-blocking"),
    *("configure-network", "confirm-network", "reset-network"),
    *("rejects", "replay", "upload-now", "sync-unsanctioned", "test-firewall"),
    "collect-diagnostics",
    *("demo", "lab", "render", "explain", "presets", "fields"),
]

HEADINGS = ["Run:", "Look:", "Update:", "Set up:", "Repair:", "Try:"]

HEAVY = (
    "httpx",
    "msgspec",
    "uvloop",
    "asyncio",
    "rich",
    "orjson",
    "nss.service",
    "formats.rendering",
)
"""What `--help` must not wait for."""

CONFIG = """\
[service]
control_socket = "off"
[spool]
kind = "memory"
[sources.web]
kind = "file"
path = "web.log"
follow = false

[feeds.out]
format = "QRADAR"
[feeds.out.sink]
kind = "file"
path = "lines"
"""


def test_help_names_every_command_below_a_heading(nss: Nss) -> None:
    ran = nss("--help")

    assert (ran.returncode, ran.stderr) == (0, b"")
    text = ran.stdout.decode()
    lines = text[text.index("\nRun:") :].splitlines()
    assert [line for line in lines if re.match(r"\S", line)] == HEADINGS
    listed = [line.split()[0] for line in lines if re.match(r"  [a-z]", line)]
    assert [word for word in listed if word != "nss"] == COMMANDS


@pytest.mark.parametrize("columns", [40, 60, 80, 100])
@pytest.mark.parametrize("command", [[], ["troubleshoot"], ["portal"]])
def test_help_cuts_no_sentence_and_fits_the_terminal(command: list[str], columns: int) -> None:
    ran = subprocess.run(  # noqa: S603 - ours
        [*COMMAND, *command, "--help"],
        env=ENV | {"COLUMNS": str(columns)},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )

    text = ran.stdout
    assert "..." not in text.replace("[ARGS]...", "")
    assert max(map(len, text.splitlines())) <= max(columns, 50)
    words = " ".join(text.split())
    for page in pages():
        if page.name.split()[1:-1] == command and page.name != "nss":
            assert page.paragraphs[0].partition(". ")[0] in words.replace("- ", "-")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(nss: Nss, command: str) -> None:
    ran = nss(command, "-h")

    assert (ran.returncode, ran.stderr) == (0, b"")
    assert ran.stdout.decode().startswith(f"Usage: nss {command} ")
    assert re.search(f"Example: (sudo )?nss {command}", ran.stdout.decode()) is not None


def imported_by(*arguments: str) -> set[str]:
    """Return the modules that a command imports."""
    ran = subprocess.run(  # noqa: S603 - ours
        [COMMAND[0], "-X", "importtime", *COMMAND[1:], *arguments],
        capture_output=True,
        text=True,
        env=ENV,
        timeout=30,
        check=True,
    )
    return {line.rpartition("|")[2].strip() for line in ran.stderr.splitlines()}


@pytest.mark.parametrize("command", ["presets", "fields"])
def test_a_catalogue_needs_no_service(command: str) -> None:
    assert imported_by(command).isdisjoint({"httpx", "asyncio", "nss.config.load", "pydantic"})


def test_help_imports_nothing_that_takes_its_time() -> None:
    imported = imported_by("--help")

    assert "typer" in imported
    assert imported.isdisjoint(HEAVY)


def test_no_command_at_all_shows_the_help(nss: Nss) -> None:
    ran = nss()

    assert ran.returncode == 64
    assert b"Set up:" in ran.stdout + ran.stderr


@pytest.mark.parametrize(
    "arguments", [("--nope",), ("nope",), ("run", "--config"), ("demo", "--seconds", "0")]
)
def test_a_command_line_that_makes_no_sense_ends_with_64(
    nss: Nss, arguments: tuple[str, ...]
) -> None:
    ran = nss(*arguments)

    assert (ran.returncode, ran.stdout) == (64, b"")
    assert ran.stderr.splitlines()[-1].startswith(b"Error: ")


def test_the_version_is_that_of_the_package(nss: Nss) -> None:
    try:
        version = metadata.version("nss-streamer")
    except metadata.PackageNotFoundError:
        pytest.skip("nss-streamer is not installed")

    ran = nss("--version")

    assert (ran.returncode, ran.stdout.decode()) == (0, f"nss {version} ({mode()})\n")


def test_presets_lists_each_with_its_structure(nss: Nss) -> None:
    ran = nss("presets")

    assert ran.returncode == 0
    rows = [line.split() for line in ran.stdout.decode().splitlines()]
    assert [row[0] for row in rows] == list(presets.names())
    for name, count, *_ in rows:
        assert int(count) == len(presets.load(name).slots)
    assert next(line for line in ran.stdout.decode().splitlines() if line.startswith("MCAS")) == (
        "MCAS               32 fields  leef     Microsoft Defender for Cloud Apps"
    )
    assert max(map(len, ran.stdout.decode().splitlines())) <= 80
    older = {row[0]: row[-1] for row in rows if row[-4:-1] == ["older", "variant", "of"]}
    assert older == dict(presets.OLDER)


@pytest.mark.parametrize("name", presets.names())
def test_a_preset_is_printed_as_it_is(nss: Nss, name: str) -> None:
    ran = nss("presets", name)

    file = resources.files("formats.presets") / f"{name}.fof"
    assert (ran.returncode, ran.stdout.rstrip(b"\n")) == (0, file.read_bytes().rstrip(b"\n"))


@pytest.mark.parametrize("name", ["qradar", "Tab_Separated", "json"])
def test_a_preset_is_named_in_any_case(nss: Nss, name: str) -> None:
    printed, rendered = nss("presets", name), nss("render", "--to", name, data=b"")

    assert printed.stdout.decode() == presets.text(name.upper()).removesuffix("\n") + "\n"
    assert (rendered.returncode, rendered.stderr) == (0, b"")


def test_presets_are_there_for_programs(nss: Nss) -> None:
    listed = orjson.loads(nss("presets", "--json").stdout)
    one = orjson.loads(nss("presets", "csv_old", "--json").stdout)

    assert [each["name"] for each in listed] == list(presets.names())
    assert one == {
        "name": "CSV_OLD",
        "description": "older variant of CSV",
        "structure": "columns",
        "fields": len(presets.load("CSV_OLD").slots),
        "replaced_by": "CSV",
        "format_string": presets.text("CSV_OLD").removesuffix("\n"),
    }
    assert {key: value for key, value in one.items() if key != "format_string"} in listed


@pytest.mark.parametrize(
    ("arguments", "near"),
    [
        (("presets", "qradr"), "QRADAR, or another of "),
        (("render", "--to", "splunk"), "SPLUNK_CIM, or another of "),
        (("render", "--from", "jsn"), "json, or another of auto, json, "),
        (("explain", "-", "--to", "MCSA"), "MCAS, or another of "),
        (("fields", "logn"), "nss fields login; "),
    ],
)
def test_the_nearest_name_is_shown_where_one_is_mistyped(
    nss: Nss, arguments: tuple[str, ...], near: str
) -> None:
    ran = nss(*arguments, data=b"")

    assert ran.returncode == 64
    assert ran.stderr.decode().splitlines()[-1].startswith(f"Try: {near}")


def test_all_errors_of_a_format_string_on_the_command_line_are_shown(nss: Nss) -> None:
    ran = nss("render", "--to", "%S{login} {url}", data=b"")

    assert (ran.returncode, ran.stdout) == (64, b"")
    assert ran.stderr.decode() == (
        "nss: feed format: unknown conversion %S (column 1)\n"
        "  %S{login} {url}\n"
        "  ^\n"
        "Try: %s{login}\n"
        "feed format: no conversion before {url} (column 11)\n"
        "  %S{login} {url}\n"
        "            ^\n"
        "Try: %s{url} for the field, \\{url\\} for braces\n"
    )


def test_a_printed_preset_can_be_given_back_as_a_file(nss: Nss, tmp_path: Path) -> None:
    (tmp_path / "my.fof").write_bytes(nss("presets", "MCAS").stdout)
    data = RecordGenerator(1).batch(20)

    own, preset = (nss("render", "--to", to, data=data) for to in ("my.fof", "MCAS"))

    assert own.stdout == preset.stdout != b""


def test_an_unknown_preset_is_answered_with_the_known_ones(nss: Nss) -> None:
    ran = nss("presets", "NOPE")

    assert (ran.returncode, ran.stdout) == (64, b"")
    known = ", ".join(presets.names())
    assert ran.stderr.decode() == f"nss: preset 'NOPE' is not known\nTry: one of {known}\n"


def test_fields_are_there_as_text_and_as_json(nss: Nss) -> None:
    fields = catalogue()

    text, json = nss("fields"), nss("fields", "--json")

    assert (text.returncode, json.returncode) == (0, 0)
    specs = [f"%{field.conversion}{{{name}}}" for name, field in fields.items()]
    assert [line.split()[0] for line in text.stdout.decode().splitlines()] == specs
    rows = orjson.loads(json.stdout)
    assert [(row["name"], row["spec"]) for row in rows] == list(zip(fields, specs, strict=True))
    assert set(rows[0]) == {
        *("name", "spec", "group", "description", "example", "placeholder", "derived_from")
    }


@pytest.mark.parametrize("columns", [60, 80, 132])
@pytest.mark.parametrize("command", ["presets", "fields"])
def test_lists_fit_a_terminal(command: str, columns: int) -> None:
    program, *rest = COMMAND
    environ = {name: value for name, value in ENV.items() if name != "COLUMNS"}
    shown = pexpect.run(
        shlex.join([program, *rest, command]),
        env=environ | {"TERM": "dumb"},
        encoding="utf-8",
        dimensions=(24, columns),
    )
    lines = shown.splitlines()
    names = presets.names() if command == "presets" else catalogue()
    assert len(lines) >= len(names)
    assert max(map(len, lines)) <= columns


def test_fields_can_be_searched(nss: Nss) -> None:
    found = nss("fields", "REFERER", "--json")
    assert {"ereferer", "referer"} <= {row["name"] for row in orjson.loads(found.stdout)}
    assert len(orjson.loads(found.stdout)) < len(catalogue())

    ran = nss("fields", "no such thing")

    assert (ran.returncode, ran.stdout) == (64, b"")
    assert ran.stderr == b"nss: no field has 'no such thing'\nTry: nss fields lists all of them\n"


def test_a_good_configuration_is_reported_to_be_good(nss: Nss, tmp_path: Path) -> None:
    (tmp_path / "nss.toml").write_text(CONFIG)
    (tmp_path / "web.log").touch()

    ran = nss("check", "-c", "nss.toml")

    assert (ran.returncode, ran.stderr) == (0, b"")
    assert ran.stdout == b"nss.toml is good: sources web; feeds out.\n"


def test_a_portal_that_others_can_reach_is_worth_a_warning(nss: Nss, tmp_path: Path) -> None:
    authority = trustme.CA()
    pem = authority.issue_cert("nss1.example.com").private_key_and_cert_chain_pem
    pem.write_to_path(str(tmp_path / "portal.pem"))
    (tmp_path / "portal.pem").chmod(0o600)
    tls = "tls_certificate = 'portal.pem'\ntls_key = 'portal.pem'\n"
    portal = f"[portal]\nlisten = '0.0.0.0:9633'\nhosts = ['nss1.example.com']\n{tls}"
    (tmp_path / "nss.toml").write_text(f"{CONFIG}\n{portal}")
    (tmp_path / "web.log").touch()

    ran = nss("check", "-c", "nss.toml")

    assert (ran.returncode, ran.stdout) == (0, b"nss.toml is good: sources web; feeds out.\n")
    assert ran.stderr == (
        b"nss: warning: the portal can be reached from other machines, at 0.0.0.0:9633: restrict "
        b"access with a firewall\n"
    )


def test_a_source_whose_values_may_be_read_wrong_is_worth_a_warning(
    nss: Nss, tmp_path: Path
) -> None:
    source = "path = \"web.log\"\nformat_string = '%d{epochtime} %s{login} %s{dept}'"
    (tmp_path / "nss.toml").write_text(CONFIG.replace('path = "web.log"', source))
    (tmp_path / "web.log").touch()

    ran = nss("check", "-c", "nss.toml")

    assert (ran.returncode, ran.stdout) == (0, b"nss.toml is good: sources web; feeds out.\n")
    assert ran.stderr == (
        b"nss: warning: source web: lines of its format are not read back in full: %s{login} may "
        b"hold ' ', which ends it before %s{dept}: it is read back wrong then\n"
    )


def test_a_source_whose_fields_nothing_tells_apart_is_a_problem(nss: Nss, tmp_path: Path) -> None:
    source = "path = \"web.log\"\nformat_string = '%d{epochtime} %s{login}%s{dept}'"
    (tmp_path / "nss.toml").write_text(CONFIG.replace('path = "web.log"', source))

    ran = nss("check", "-c", "nss.toml")

    assert (ran.returncode, ran.stdout) == (78, b"")
    assert (
        b"can't be read back: nothing between %s{login} and %s{dept} tells them apart" in ran.stderr
    )


@pytest.mark.parametrize("command", ["check", "run"])
def test_all_problems_of_a_bad_configuration_are_reported_at_once(
    nss: Nss, tmp_path: Path, command: str
) -> None:
    bad = CONFIG.replace("follow = false", 'folow = false\nzone = "Mars"')
    (tmp_path / "nss.toml").write_text(bad.replace('"QRADAR"', '"QRADER"'))

    ran = nss(command, "--config", "nss.toml")

    assert (ran.returncode, ran.stdout) == (78, b"")
    shown = ran.stderr.decode().splitlines()
    assert shown[0] == "nss: configuration: 3 problems (nss.toml)"
    keys = [line.split()[0].rstrip(":") for line in shown if re.match(r"  \S", line)]
    assert sorted(keys) == ["feeds.out.format", "sources.web.folow", "sources.web.zone"]
    assert shown[-1] == f"Try: {how_to_correct()}"


@pytest.mark.parametrize("command", ["check", "run"])
def test_what_the_machine_lacks_is_a_problem_too(nss: Nss, tmp_path: Path, command: str) -> None:
    (tmp_path / "nss.toml").write_text(CONFIG.replace('"lines"', '"gone/lines"'))

    ran = nss(command, "--config", "nss.toml")

    assert ran.returncode == 78
    assert b"sources.web.path" in ran.stderr
    assert b"feeds.out.sink.path" in ran.stderr


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_configuration_that_is_not_there_is_missing_input(nss: Nss, command: str) -> None:
    ran = nss(command, "--config", "gone.toml")

    assert (ran.returncode, ran.stdout) == (66, b"")
    assert ran.stderr.splitlines()[0] == (
        b"nss: configuration: no such file or directory (gone.toml)"
    )


def test_run_ends_by_itself_and_its_log_is_text_a_line_an_event(nss: Nss, tmp_path: Path) -> None:
    (tmp_path / "nss.toml").write_text(CONFIG)
    (tmp_path / "web.log").write_bytes(RecordGenerator(1).batch(5) + b"\x1b[31m no record\n")

    ran = nss("run", "-c", "nss.toml")

    assert (ran.returncode, ran.stdout) == (0, b"")
    assert len((tmp_path / "lines").read_bytes().splitlines()) == 5
    line = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (info|error) (\w+): (.+)")
    shown = [line.fullmatch(text) for text in ran.stderr.decode().splitlines()]
    levels = [match and match[1] for match in shown]
    assert (levels.count("error"), None in levels) == (1, False)
    assert shown[-1] is not None
    assert shown[-1].group(2, 3) == (
        "service",
        "The service stopped; everything accepted was delivered.",
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("command", [["--version"], ["presets"], ["fields"], ["render", "--help"]])
def test_a_command_whose_output_nobody_can_take_says_so(command: list[str], tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(  # noqa: S603 - ours
            [*COMMAND, *command],
            stdout=full,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
            env=ENV,
            timeout=30,
            check=False,
        )

    assert ran.stderr == b"nss: can't write: no space left on device (standard output)\n"
    assert ran.returncode == 74


def test_a_full_disk_elsewhere_is_not_called_that_of_the_output() -> None:
    with pytest.raises(OSError, match="28") as caught:
        raise OSError(errno.ENOSPC, "no space")
    assert not is_of_output(caught.value)
