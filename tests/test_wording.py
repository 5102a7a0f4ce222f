"""How people read it: durations, and texts that others wrote."""

import math

import pytest

from nss.wording import duration_text, harmless


@pytest.mark.parametrize(
    ("secs", "text"),
    [
        (0, "0 s"),
        (59.9, "59 s"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (90_000, "1 d 1 h"),
        (-5, "0 s"),
        (math.inf, "0 s"),
    ],
)
def test_durations_have_two_units(secs: float, text: str) -> None:
    assert duration_text(secs) == text


def test_harmless_text_shows_every_character_and_stays_on_its_line() -> None:
    assert harmless("é\x1b[1m\n\u202e") == r"é\x1b[1m\n\u202e"
    assert harmless("a\nb\x1b", kept="\n") == "a\nb\\x1b"
