"""`nss check --json`: problems and warnings one by one, with the exit codes of the text."""

from pathlib import Path
from typing import Any

import orjson

from tests.cli.conftest import Nss
from tests.cli.test_commands import CONFIG


def checked(nss: Nss, folder: Path, text: str) -> tuple[int, dict[str, Any]]:
    (folder / "nss.toml").write_text(text)
    ran = nss("check", "--json", "--config", "nss.toml")
    assert ran.stderr == b""
    return ran.returncode, orjson.loads(ran.stdout)


def test_every_problem_has_its_place_what_is_wrong_and_what_to_do(nss: Nss, tmp_path: Path) -> None:
    wrong = "format_string = '%-20s{login} {hh}'\nzome = 'GMT'"
    code, found = checked(nss, tmp_path, CONFIG.replace('format = "QRADAR"', wrong))

    assert (code, found["ok"], found["exit_code"], found["warnings"]) == (78, False, 78, [])
    assert found["problems"] == [
        {
            "where": "feeds.out.zome",
            "value": '"GMT"',
            "problem": "unknown key; the nearest is zone",
            "tip": None,
        },
        {
            "where": "feeds.out.format_string",
            "value": '"%-20s{login} {hh}"',
            "problem": "%s takes no width (column 1)\n  %-20s{login} {hh}\n  ^",
            "tip": "%s{login}",
        },
        {
            "where": "feeds.out.format_string",
            "value": None,
            "problem": "no conversion before {hh} (column 14)\n  %-20s{login} {hh}\n"
            "               ^",
            "tip": r"%d{hh} for the field, \{hh\} for braces",
        },
    ]


def test_a_file_that_is_no_toml_or_not_there_is_a_problem_too(nss: Nss, tmp_path: Path) -> None:
    code, found = checked(nss, tmp_path, "[service]\nlog_level = info\n")
    (problem,) = found["problems"]
    assert (code, problem["where"]) == (78, "line 2, column 13")
    assert problem["tip"] == 'log_level = "info"'

    ran = nss("check", "--json", "--config", "missing.toml")
    found = orjson.loads(ran.stdout)
    assert (ran.returncode, found["exit_code"]) == (66, 66)
    (problem,) = found["problems"]
    assert (problem["where"], problem["value"]) == ("missing.toml", None)
    assert "no such file" in problem["problem"]


def test_what_is_good_and_what_somebody_should_look_at(nss: Nss, tmp_path: Path) -> None:
    (tmp_path / "web.log").touch()
    doubtful = r"format_string = '%s{login} $cip \{dept\}'"
    code, found = checked(nss, tmp_path, CONFIG.replace('format = "QRADAR"', doubtful))

    assert (code, found["ok"], found["problems"]) == (0, True, [])
    assert (found["sources"], found["feeds"]) == (["web"], ["out"])
    assert found["warnings"] == [
        "feed out: its format prints $cip as it stands; %s{cip} prints the value",
        "feed out: its format prints {dept} as it stands; %s{dept} prints the value",
    ]
