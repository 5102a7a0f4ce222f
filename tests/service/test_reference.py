"""The tables of the metrics page are written from the declarations, which are complete."""

import re
from collections import Counter as Numbers
from http import HTTPStatus
from pathlib import Path

import pytest

from nss.service import reference
from nss.telemetry.counters import Counter
from nss.telemetry.events import declared

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "metrics.md"
MODULES = {path: path.read_text(encoding="utf-8") for path in sorted((ROOT / "nss").rglob("*.py"))}


def test_the_page_has_the_tables_that_the_declarations_give() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text == reference.page(text), (
        "run: .venv/bin/python -m nss.service.reference docs/metrics.md"
    )


def test_a_page_without_a_place_for_a_table_is_refused() -> None:
    with pytest.raises(ValueError, match="no place for the table of metrics"):
        reference.page("# Metrics\n")


def test_the_page_lists_every_event_that_is_declared_anywhere() -> None:
    written = sum(len(re.findall(r"(?m)^@event\(", text)) for text in MODULES.values())
    assert written == len(declared) > 60
    assert {path.name for path, text in MODULES.items() if "\n@event(" in text} <= {
        "events.py",
        "systemd.py",
        "audit.py",
    }


def test_an_event_has_a_sentence_and_a_level_for_each_way_it_comes_out() -> None:
    for each in declared:
        assert re.fullmatch(r"[A-Z{].*\.", each.sentence)
    assert max(Numbers((each.name, each.sentence) for each in declared).values()) == 1


def test_every_counter_is_moved_by_something() -> None:
    used = {name for text in MODULES.values() for name in re.findall(r"Counter\.(\w+)", text)}
    assert used | {f"SOURCE_REQUESTS_REFUSED_{status}" for status in statuses()} == {
        counter.name for counter in Counter
    }


def statuses() -> set[int]:
    """The statuses that an HTTP source refuses requests with."""
    names = {
        name
        for path, text in MODULES.items()
        if "http" in path.parts
        for name in re.findall(r"HTTPStatus\.([A-Z_]+)", text)
    }
    return {HTTPStatus[name].value for name in names} - {HTTPStatus.OK.value}


def test_a_counter_has_the_name_of_its_row_and_a_sentence() -> None:
    for counter in Counter:
        assert counter.value == counter == counter.name.lower()
        assert re.fullmatch(r"[A-Z].*\.", counter.description)
