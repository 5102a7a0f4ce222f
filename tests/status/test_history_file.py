"""The history in the state directory: kept over restarts, and never a reason to fail."""

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given

from nss.files.private import MODE
from nss.status.history import History
from nss.status.history_file import FILE_NAME, FORM, MAX_BYTES, HistoryFile
from tests import foreign
from tests.status.test_history import FEED_NAME, NOW, SOURCE_NAME, rates, status, watched


def saved(folder: Path) -> bytes:
    """Write down a history of two parts; return what is in the file."""
    file = HistoryFile(folder, watched(History(), NOW, 300))
    file.save(file.encoded())
    return file.path.read_bytes()


def loaded(folder: Path) -> History:
    """Return what a restart finds, after its first look."""
    history = History()
    HistoryFile(folder, history).load()
    return history


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Return the events in the log, and their reasons."""
    return [(record.event, record.facts["why"]) for record in caplog.records]  # type: ignore[attr-defined]


def test_a_restart_keeps_the_history(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    saved(tmp_path)
    history = loaded(tmp_path)
    history.add(status(NOW + 301, 9.0))
    assert rates(history) == {5 * step: 7.0 for step in range(60)} | {300: 9.0}
    assert rates(history, SOURCE_NAME, "24h") == {0: 7.0, 120: 7.0, 240: 8.0}
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == MODE
    assert said(caplog) == []


def test_a_file_of_a_clock_that_was_ahead_has_nothing_to_show(tmp_path: Path) -> None:
    saved(tmp_path)
    history = loaded(tmp_path)
    history.add(status(NOW - 5000, 9.0))
    assert rates(history) == {-5000: 9.0}


def test_what_is_not_there_is_no_trouble(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert loaded(tmp_path / "none").seen == {}
    assert said(caplog) == []


def cut(data: bytes) -> bytes:
    return data[:-10]


def other_step(data: bytes) -> bytes:
    return data.replace(b'"step_secs":5', b'"step_secs":6')


def one_part_more(data: bytes) -> bytes:
    return data.replace(b'"seen":{', b'"seen":{"feed x":1,')


def a_longer_ring(data: bytes) -> bytes:
    tree = msgspec.json.decode(data)
    tree["rings"]["15m"]["stamps"] += "AAAA"
    return msgspec.json.encode(tree)


def without_a_span(data: bytes) -> bytes:
    tree = msgspec.json.decode(data)
    del tree["rings"]["24h"]
    return msgspec.json.encode(tree)


def without_a_number(data: bytes) -> bytes:
    tree = msgspec.json.decode(data)
    del tree["rings"]["24h"]["parts"][FEED_NAME]["pending"]
    return msgspec.json.encode(tree)


def empty(_data: bytes) -> bytes:
    return b""


@pytest.mark.parametrize(
    "spoil",
    [cut, other_step, one_part_more, a_longer_ring, without_a_span, without_a_number, empty],
)
def test_a_damaged_file_is_reported_begins_anew_and_is_replaced(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, spoil: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / FILE_NAME
    path.write_bytes(spoil(saved(tmp_path)))
    history = History()
    file = HistoryFile(tmp_path, history)
    file.load()
    assert (history.seen, said(caplog)) == ({}, [("history_unreadable", "it is damaged")])
    file.save(file.encoded())
    assert loaded(tmp_path).seen == {}
    assert len(said(caplog)) == 1


def test_a_file_that_is_too_large_is_not_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (tmp_path / FILE_NAME).open("wb") as file:
        os.truncate(file.fileno(), MAX_BYTES + 1)
    assert loaded(tmp_path).seen == {}
    assert said(caplog) == [("history_unreadable", f"it has more than {MAX_BYTES} bytes")]


def test_a_folder_in_its_place_is_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FILE_NAME).mkdir()
    assert loaded(tmp_path).seen == {}
    assert said(caplog) == [("history_unreadable", "it is not a regular file")]


def test_a_file_of_a_later_form_is_left_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    later = b'{"form": %d, "rings": []}' % (FORM + 1)
    (tmp_path / FILE_NAME).write_bytes(later)
    history = History()
    file = HistoryFile(tmp_path, history)
    file.load()
    watched(history, NOW, 5)
    file.save(file.encoded())
    assert (tmp_path / FILE_NAME).read_bytes() == later
    reason = "a later version wrote it (form 2): it is left alone"
    assert said(caplog) == [("history_unreadable", reason)]


def test_a_folder_that_is_not_there_is_reported_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "state"
    file = HistoryFile(folder, watched(History(), NOW, 5))
    for _ in range(3):
        file.save(file.encoded())
    assert said(caplog) == [("history_not_saved", "no such file or directory")]
    folder.mkdir()
    file.save(file.encoded())
    assert loaded(folder).seen.keys() == {FEED_NAME, SOURCE_NAME}


@foreign.MANY
@given(
    data=foreign.answers({"form": 1, "seen": {"feed a": 1.5}, "rings": {"15m": {"step_secs": 5}}})
)
def test_whatever_the_file_holds_the_service_starts(tmp_path: Path, data: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(data)
    assert loaded(tmp_path).seen == {}
