"""Marks by which tests are chosen: `make` looks for them in the files of tests."""

import re
from pathlib import Path

TESTS = Path(__file__).parent


def test_nothing_but_files_of_tests_marks_tests_as_long_or_for_a_browser() -> None:
    others = [path for path in TESTS.rglob("*.py") if not path.name.startswith("test_")]
    marking = re.compile(r"mark\.(long|browser)\b|add_marker\([\"'](long|browser)\b")
    assert [path for path in others if marking.search(path.read_text())] == []
