"""How people read it: durations, and texts that others wrote."""

import math
from pathlib import Path

import pytest

from nss.wording import counted, duration_text, harmless, version_in


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


def test_one_of_something_has_no_plural() -> None:
    assert [counted(number, "URL") for number in (0, 1, 1204)] == ["0 URLs", "1 URL", "1,204 URLs"]


def test_harmless_text_shows_every_character_and_stays_on_its_line() -> None:
    assert harmless("é\x1b[1m\n\u202e") == r"é\x1b[1m\n\u202e"
    assert harmless("a\nb\x1b", kept="\n") == "a\nb\\x1b"


def test_the_version_is_read_from_the_name_of_what_is_installed(tmp_path: Path) -> None:
    (tmp_path / "other-2.0.dist-info").mkdir()
    assert version_in(tmp_path) is None

    (tmp_path / "nss_streamer-1.2.3.dist-info").mkdir()
    assert version_in(tmp_path) == "1.2.3"

    (tmp_path / "nss_streamer-1.2.4.dist-info").mkdir()
    assert version_in(tmp_path) is None
