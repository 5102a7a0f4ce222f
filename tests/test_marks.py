"""Marks by which tests are chosen: `make` looks for them in the files of tests."""

import re
from pathlib import Path

TESTS = Path(__file__).parent


def test_marks_are_written_as_make_looks_for_them() -> None:
    otherwise = re.compile(r"(?<!pytest\.)mark\.(long|browser)\b")
    written = [path for path in TESTS.rglob("test_*.py") if path != Path(__file__)]
    assert [path for path in written if otherwise.search(path.read_text())] == []


def test_nothing_but_files_of_tests_marks_tests_as_long_or_for_a_browser() -> None:
    others = [path for path in TESTS.rglob("*.py") if not path.name.startswith("test_")]
    marking = re.compile(r"mark\.(long|browser)\b|add_marker\([\"'](long|browser)\b")
    assert [path for path in others if marking.search(path.read_text())] == []
