"""Text and files that are no TOML, no UTF-8 or not there."""

from pathlib import Path

import pytest

from formats.errors import Problem
from nss.config import load as load_module
from nss.config.load import ConfigProblems, how_to_correct, load, parse
from nss.errors import InputMissing

SMALLEST = """
[sources.web]
kind = "file"
path = "web.log"

[feeds.mcas]
format = "MCAS"

[feeds.mcas.sink]
kind = "syslog_udp"
destinations = ["collector.example.com"]
"""


@pytest.mark.parametrize(
    ("text", "where", "reason"),
    [
        (
            "a = ",
            "line 1, column 5",
            "not TOML: there is no value behind a =\n  a = \n      ^",
        ),
        ("x = " + "9" * 5000, "TOML", "has a number with too many digits"),
        ("x = 0x" + "f" * 6000, "TOML", "has a whole number of more than 64 bits"),
        ("x = " + "[" * 5000, "TOML", "is nested deeper than 16 levels"),
        ("x." * 5000 + "x = 1", "TOML", "is nested deeper than 16 levels"),
        ("x . " * 500_000 + "x = 1", "TOML", "is nested deeper than 16 levels"),
        ("['x'." + '"x".' * 500_000 + "x]", "TOML", "is nested deeper than 16 levels"),
        (
            "x" * 1_000_000,
            "line 1, column 1000001",
            "not TOML: there is no = behind the key\nTry: KEY = VALUE, or [NAME] for a table",
        ),
    ],
)
def test_what_is_no_toml_is_reported_with_its_place(text: str, where: str, reason: str) -> None:
    with pytest.raises(ConfigProblems) as caught:
        parse(text, Path("/etc/nss"))
    assert caught.value.problems == (Problem(where, None, reason),)


def test_load_reads_a_file_and_takes_relative_paths_from_its_folder(tmp_path: Path) -> None:
    file = tmp_path / "nss.toml"
    file.write_text("\ufeff" + SMALLEST.replace("\n", "\r\n"), encoding="utf-8", newline="")
    assert load(file) == parse(SMALLEST, tmp_path)


def test_load_names_the_file_in_its_problems(tmp_path: Path) -> None:
    file = tmp_path / "nss.toml"
    file.write_text("[feeds.web\n")
    with pytest.raises(ConfigProblems) as caught:
        load(file)
    assert str(caught.value) == (
        f"configuration: 1 problem ({file})\n"
        "  line 1, column 11: not TOML: the heading of a table ends with ]\n"
        "      [feeds.web\n"
        "                ^\n"
        f"Try: {how_to_correct()}"
    )


def test_load_reports_where_a_file_is_not_utf8(tmp_path: Path) -> None:
    file = tmp_path / "nss.toml"
    file.write_bytes(b"# caf\xe9\n")
    with pytest.raises(ConfigProblems) as caught:
        load(file)
    assert caught.value.problems == (Problem("byte 6", None, "is not UTF-8"),)


def test_load_of_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    of_package = Path("/usr/share/doc/nss-streamer/examples/nss.toml")
    of_checkout = Path(load_module.__file__).parents[2] / "packaging" / "nss.toml"
    sample = next((path for path in (of_package, of_checkout) if path.is_file()), None)
    start = "" if sample is None else f", start from the sample {sample}"
    file = tmp_path / "nss.toml"
    with pytest.raises(InputMissing) as caught:
        load(file)
    assert str(caught.value) == (
        f"configuration: no such file or directory ({file})\n"
        f"Try: sudo nss configure writes one{start}, or name your file with --config FILE"
    )
