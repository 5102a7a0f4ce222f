"""How `make mutants` counts: who had not enough time runs again, and what the tables keep."""

import json
import re
import sys
from pathlib import Path

import pytest

from tests.mutants import parts, table
from tests.mutants.outcome import Accepted, Change, Row, timed_out
from tests.mutants.parts import Part, choose
from tests.mutants.run import QUICKEST, SETUP, run
from tests.mutants.table import Sample

MODULE = "nss/secret.py"

# Stands in for mutmut: the first run has no time for two mutants, the second for one of them.
MUTMUT = f"""#!{sys.executable}
import json, pathlib, sys
meta = pathlib.Path("mutants/{MODULE}.meta")
codes = json.loads(meta.read_text())["exit_code_by_key"] if meta.exists() else {{}}
if not codes:
    codes = {{"killed": 1, "survived": 0, "slow": -24, "stuck": 24}}
else:
    codes |= {{"slow": 0, "stuck": 24}}
meta.parent.mkdir(parents=True, exist_ok=True)
meta.write_text(json.dumps({{"exit_code_by_key": codes}}))
with open("runs", "a") as runs:
    print(json.dumps([sys.argv[1:], pathlib.Path("setup.cfg").read_text()]), file=runs)
"""

# Stands in for mutmut that takes times: a test fails.
TIMES = f"""#!{sys.executable}
import os, sys, pytest
os.environ["MUTANT_UNDER_TEST"] = "stats"
code = pytest.main(["-q", "-p", "no:cacheprovider", "-p", "quickest", "test_old.py"])
print("failed to collect stats")
sys.exit(code)
"""

PAGE = f"""# Mutants

The modules.

{table.MODULES_HEAD}| a.py | 4 | 4 | 0 | 100.0 |
| gone.py | 4 | 4 | 0 | 100.0 |

The samples.

{table.SAMPLES_HEAD}| first | 9 of 90 | 1 | 5 | 5 | 0 | 100.0 |
| second | 9 of 90 | 1 | 5 | 5 | 0 | 100.0 |
"""
DECLARED = [Part("first", ["a.py", "b.py"], []), Part("second", ["c.py"], [])]


def part_in(folder: Path) -> Part:
    class Apart(Part):
        @property
        def folder(self) -> Path:
            return folder

    return Apart("secret", [MODULE], ["tests/test_secret.py"])


def test_who_had_not_enough_time_runs_again_alone_and_with_more(tmp_path: Path) -> None:
    part = part_in(tmp_path)
    program = tmp_path / "mutmut"
    program.write_text(MUTMUT)
    program.chmod(0o700)
    (tmp_path / "setup.cfg").write_text("timeout_multiplier=4\n")
    run(part, [], 2, program)
    (first, _), (second, settings) = map(json.loads, (tmp_path / "runs").read_text().splitlines())
    assert first == ["run", "--max-children", "2"]
    assert second == ["run", "--max-children", "1", "slow", "stuck"]
    multiplier = re.search(r"timeout_multiplier=(\d+)", settings)
    assert multiplier is not None
    assert int(multiplier.group(1)) >= 5 * 4
    assert timed_out(part) == ["stuck"]


def test_a_test_that_fails_without_a_mutant_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "mutmut"
    program.write_text(TIMES)
    program.chmod(0o700)
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "quickest.py").write_text(QUICKEST)
    (tmp_path / "test_old.py").write_text("def test_of_before():\n    assert 1 == 2, 'changed'\n")
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    with pytest.raises(SystemExit, match=r"(?s)did not run.*test_old\.py::test_of_before.*changed"):
        run(part_in(tmp_path), [], 2, program)
    # mutmut throws away what pytest prints; what it names is in a file.
    assert "test_of_before" in (tmp_path / "path" / "failed").read_text()


@pytest.mark.parametrize(
    ("before", "after", "accepted"),
    [
        ('run("DELETE FROM t WHERE n = ?", (n,))', 'run("delete from t where n = ?", (n,))', True),
        ('run("DELETE FROM t WHERE n = ?", (n,))', 'run("XXDELETE FROM tXX", (n,))', False),
        ("run(\"DELETE FROM t WHERE n = 'a'\")", "run(\"DELETE FROM T WHERE N = 'A'\")", False),
        ("run(\"DELETE FROM t WHERE n = 'a'\")", "run(\"delete from t where n = 'a'\")", True),
        ('run("RELEASE room")', 'run("RELEASE ROOM")', True),
        ('run("BEGIN IMMEDIATE")', 'run("begin immediate")', True),
        ('"AND a = :a ORDER BY b",', '"and a = :a order by b",', True),
        ('say("Deleted from a table")', 'say("DELETED FROM A TABLE")', False),
    ],
)
def test_sql_is_the_same_in_any_case_but_for_its_texts(
    before: str, after: str, *, accepted: bool
) -> None:
    assert Accepted([], []).covers(Change("module.f", before, after)) == accepted


def test_a_part_and_a_module_can_be_chosen() -> None:
    assert choose(DECLARED, []) == DECLARED
    assert choose(DECLARED, ["second", "b.py"]) == [Part("first", ["b.py"], []), DECLARED[1]]
    with pytest.raises(SystemExit, match=r"neither a part nor a module of modules\.toml: third"):
        choose(DECLARED, ["first", "third"])


def test_a_whole_run_replaces_its_rows_and_the_sample_of_its_part(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    table.update([Row("b.py", 8, 6, 2)], [], DECLARED, page)
    assert page.read_text() == PAGE.replace(
        "| gone.py | 4 | 4 | 0 | 100.0 |", "| b.py | 8 | 6 | 2 | 100.0 |"
    ).replace("| first | 9 of 90 | 1 | 5 | 5 | 0 | 100.0 |\n", "")


def test_a_sample_is_marked_as_such_and_says_how_to_draw_it_again(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    table.update([], [Sample(Row("second", 20, 18, 1, refused=10), 300, 7)], DECLARED, page)
    assert page.read_text() == PAGE.replace("| gone.py | 4 | 4 | 0 | 100.0 |\n", "").replace(
        "| second | 9 of 90 | 1 | 5 | 5 | 0 | 100.0 |",
        "| second | 30 of 300 | 7 | 20 | 18 | 1 | 94.7 |",
    )


def test_the_page_has_both_tables() -> None:
    text = (parts.PROJECT / "docs" / "mutants.md").read_text()
    assert text.index(table.MODULES_HEAD) < text.index(table.SAMPLES_HEAD)


def test_what_mutmut_copies_has_no_link_that_leads_nowhere() -> None:
    copied = SETUP.partition("also_copy=\n")[2].partition("pytest_add")[0].split()
    folders = [parts.PROJECT / name for name in [*copied, "cli", "formats", "nss"]]
    found = [path for folder in folders for path in folder.rglob("*") if path.is_symlink()]
    assert [path for path in found if not path.exists()] == []
