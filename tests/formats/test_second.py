"""The product against a second, slow implementation of docs/formats.md, written from that page."""

import pytest

from formats import presets
from tests.formats.second import language
from tests.formats.second.cases import Case, Cases
from tests.formats.second.compare import difference, got, smallest

CASES = 1000
RECORD = '{"time":"Fri Oct  6 09:05:08 2023","login":"ana","url":"e.com/a b","ua":"\\"|=,\\\\"}'


@pytest.mark.parametrize("seed", range(4))
def test_both_make_the_same_of_random_formats_and_hostile_records(seed: int) -> None:
    cases = Cases(seed)
    for _ in range(CASES):
        case = cases.case()
        if difference(case) is not None:
            case = smallest(case, lambda smaller: difference(smaller) is not None)
            pytest.fail(f"seed {seed}\n{difference(case)}")


@pytest.mark.parametrize("name", presets.names())
def test_both_make_the_same_of_a_preset(name: str) -> None:
    assert difference(Case(presets.text(name), (RECORD,))) is None


def test_cases_are_of_every_kind() -> None:
    cases = [Cases(5).case(), *(each for each in map(Cases.case, [Cases(1)] * 300))]
    refused = [case for case in cases if language.refuses(case.format)]
    outcomes = [got(case) for case in cases]
    assert 5 < len(refused) < 100
    assert sum(len(outcome[0]) for outcome in outcomes if outcome) > 300
    assert sum(len(outcome[1]) for outcome in outcomes if outcome) > 30
    assert {"source"} <= {"source" if case.source else "" for case in cases}
    assert {name for case in cases for name in case.choices} == {
        *(
            "zone",
            "source_zone",
            "escape_characters",
            "protect_separators",
            "protect_for",
            "filter",
        ),
    }
