"""Why a service does not run: what is made of its last words, and how it is shown."""

import pytest

from cli.supervision.ending import Ending, last_words

LOG = "2026-11-26T20:53:22.371Z info tcp: Connections are accepted. address=0.0.0.0:514"
FAILED = "2026-11-26T20:53:23.001Z error spool: The spool can't be written."


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], ()),
        ([LOG], ()),
        ([LOG, "nss: a reason", "  a detail", "Try: something"], ("nss: a reason", "  a detail")),
        (["nss: of the run before", LOG], ()),
        ([FAILED, LOG], (FAILED,)),
        (['{"time":"2026","level":"error","event":"x"}', '{"time":"2026","level":"info"}'], None),
    ],
)
def test_the_reason_is_what_it_said_last(lines: list[str], said: tuple[str, ...] | None) -> None:
    assert last_words(lines) == (tuple(lines[:1]) if said is None else said)


def test_long_reasons_are_cut_and_no_terminal_obeys_them() -> None:
    lines = ["nss: \x1b[31mred", *(f"  {number}" for number in range(100))]
    ending = Ending("it failed", "sudo nss start", said=last_words(lines))
    shown = ending.lines(0.0)
    assert shown[:2] == ["it said:", "  nss: \\x1b[31mred"]
    assert len(shown) == 13


def test_a_moment_of_downtime_is_not_mentioned_twice() -> None:
    at_once = Ending("it failed", "", ended_at=100.0, down_since=99.0)
    assert [line.partition(" 1970")[0] for line in at_once.lines(160.0)] == ["it ended"]
    long_ago = Ending("it failed", "", ended_at=100.0, down_since=10.0)
    assert [line.rpartition("(")[2] for line in long_ago.lines(160.0)] == [
        "1 min ago)",
        "2 min 30 s ago)",
    ]
