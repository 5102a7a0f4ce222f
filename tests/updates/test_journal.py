"""How far an update is, as a file; and what `nss status` makes of it."""

import json
from pathlib import Path

import pytest

from nss.service.last_update import LATE_SECS, look
from nss.updates import journal
from nss.updates.journal import Entry, Journal


@pytest.fixture
def log(tmp_path: Path) -> Journal:
    entry = Entry(
        number="1",
        stage=journal.DOWNLOADING,
        version_before="1.0",
        version_after="2.0",
        began_at=1000.0,
    )
    return Journal(entry, tmp_path)


def test_a_note_is_read_as_it_was_written(log: Journal, tmp_path: Path) -> None:
    log.note(stage=journal.SWAPPING, before={"wrong": ["feed siem"]})
    assert journal.read(tmp_path) == log.entry
    assert not log.entry.is_over


@pytest.mark.parametrize("text", ["", "{", "[]", '{"number": "1"}', '{"stage": "x", "more": 1}'])
def test_what_is_no_entry_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / journal.NAME).write_text(text)
    assert journal.read(tmp_path) is None
    assert look(1e9, tmp_path) is None


def test_no_update_and_good_ones_are_no_notice(log: Journal, tmp_path: Path) -> None:
    assert look(1e9, tmp_path) is None
    for result in (journal.INSTALLED, journal.NOTHING_NEW):
        log.end(result)
        assert look(1e9, tmp_path) is None


def test_one_under_way_is_a_notice_only_when_it_was_cut_off(log: Journal, tmp_path: Path) -> None:
    log.note(stage=journal.SWAPPING)
    assert look(1000 + LATE_SECS - 1, tmp_path) is None
    found = look(1000 + LATE_SECS, tmp_path)
    assert found is not None
    assert found.why == "the update to 2.0 was cut off while exchanging the packages"
    assert "sudo nss update-now" in found.remedy


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (journal.FAILED, "failed"),
        (journal.ROLLED_BACK, "was taken back"),
        (journal.STAYED, "stays, and does not work as the version before"),
    ],
)
def test_one_that_did_not_end_well_is_a_notice_with_its_reason(
    log: Journal, tmp_path: Path, result: str, words: str
) -> None:
    log.end(result, why="it\x1b[2J broke", remedy="do this", code=99)
    found = look(1e9, tmp_path)
    assert found is not None
    assert found.why.startswith(f"the update to 2.0 {words}: it")
    assert "\x1b" not in found.why
    assert (found.remedy, found.at) == ("do this", log.entry.ended_at)


def test_everybody_may_read_it_and_it_is_small(log: Journal, tmp_path: Path) -> None:
    log.note()
    assert (tmp_path / journal.NAME).stat().st_mode & 0o777 == 0o644
    assert json.loads((tmp_path / journal.NAME).read_text())["number"] == "1"
