"""The demonstration drawn: what it says of records is true, and fits."""

from pathlib import Path

import pytest
from rich.cells import cell_len

from cli.screen.demo import ended, live, verdict
from tests.cli.screen.demos import finished

ALL = "All that was sent arrived, but for what was rejected. Nothing is lost."


@pytest.mark.parametrize(
    ("numbers", "is_good", "said"),
    [
        ({}, True, ALL),
        ({"received": 75_014}, False, "Not all that was sent arrived: 1 of 75,021 are lost."),
        ({"received": 75_016}, False, "Lines that arrived twice, or were never sent: 1."),
        ({"malformed": 2}, False, "Lines that arrived and are not well-formed LEEF: 2."),
        (
            {"rejected": 7, "received": 75_014},
            False,
            "Records rejected beyond those made for it: 1.",
        ),
        (
            {"rejected": 5, "received": 75_016},
            False,
            "Records made to be rejected that were not: 1.",
        ),
        ({"rejected": 0, "bad": 0, "received": 75_021}, True, "All that was sent arrived."),
        ({"finished": False}, False, "It did not come to its end."),
    ],
)
def test_it_is_good_only_if_everything_arrived(
    numbers: dict[str, int],
    is_good: bool,  # noqa: FBT001 - expected
    said: str,
) -> None:
    demo = finished(numbers)
    assert (demo.is_good, verdict(demo)) == (is_good, said)


@pytest.mark.parametrize("width", [40, 60, 80, 132])
def test_it_fits(width: int) -> None:
    demo = finished({"sent": 10**12, "received": 10**12 - 6})
    demo.progress.samples.append("LEEF:1.0\x1b[2J\t東京".encode() * 50)
    for text in (live(demo, width), ended(demo, width)):
        lines = text.plain.split("\n")
        assert max(map(cell_len, lines)) <= width
        assert all(line.isprintable() for line in lines)


def test_rejects_of_a_sample_are_not_said_to_be_on_purpose() -> None:
    demo = finished({"rejected": 9, "received": 75_012}, sample=Path("records.json"))
    assert "on purpose" not in ended(demo, 80).plain
    assert demo.is_good
