"""What uploads leave behind for the next process."""

import stat
from pathlib import Path

import pytest
from hypothesis import example, given

from nss.files.private import FileFault
from nss.secret import Secret
from nss.sinks.cloud_discovery import journal as upload_journal
from nss.sinks.cloud_discovery.journal import Unfinished, UploadJournal
from tests import foreign

URL = Secret("https://storage.example/file?sig=private")


def loaded(path: Path) -> UploadJournal:
    journal = UploadJournal(path)
    journal.load()
    return journal


def test_nothing_is_known_without_a_file(tmp_path: Path) -> None:
    journal = loaded(tmp_path / "mcas.json")
    assert (journal.delivered, journal.unfinished) == (frozenset(), None)


def test_an_upload_that_was_begun_is_known_to_the_next_process(tmp_path: Path) -> None:
    path = tmp_path / "mcas.json"
    UploadJournal(path).begin(URL, [(1, 1763942400.123456), (2, 1763942401.5)])
    journal = loaded(path)
    assert journal.delivered == frozenset()
    assert journal.unfinished == Unfinished(URL, ((1, 1763942400.123456), (2, 1763942401.5)))


def test_a_finished_upload_leaves_its_batches_and_no_url(tmp_path: Path) -> None:
    path = tmp_path / "mcas.json"
    journal = UploadJournal(path)
    for batch in ((1, 0.1), (2, 0.2)):
        journal.begin(URL, [batch])
        journal.finish()
    again = loaded(path)
    assert (again.delivered, again.unfinished) == (frozenset({(1, 0.1), (2, 0.2)}), None)
    assert b"private" not in path.read_bytes()


def test_an_upload_given_up_was_never_made(tmp_path: Path) -> None:
    path = tmp_path / "mcas.json"
    journal = UploadJournal(path)
    journal.begin(URL, [(1, 0.1)])
    journal.give_up()
    again = loaded(path)
    assert (again.delivered, again.unfinished) == (frozenset(), None)


def test_it_is_for_one_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "mcas.json"
    UploadJournal(path).begin(URL, [(1, 0.1)])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["mcas.json"]


def test_the_oldest_batches_are_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "mcas.json"
    journal = UploadJournal(path)
    journal.begin(URL, [(number, 0.5) for number in range(upload_journal.MAX_DELIVERED)])
    journal.finish()
    journal.begin(URL, [(-1, 0.5)])
    journal.finish()
    known = loaded(path).delivered
    assert ((0, 0.5) in known, (1, 0.5) in known, (-1, 0.5) in known) == (False, True, True)


NONSENSE = [
    (b"", "Input data was truncated"),
    (b"{", "Input data was truncated"),
    (b"[]", "Expected `object`, got `array`"),
    (b'{"form":2,"delivered":[],"unfinished":null}', "form 2 is not known"),
    (b'{"form":1}', "Object missing required field `delivered`"),
    (
        b'{"form":1,"delivered":[],"unfinished":{"url":5,"batches":[]}}',
        "a URL is text - at `$.unfinished.url`",
    ),
    (
        b'{"form":1,"delivered":[{"a":5}],"unfinished":null}',
        "Expected `array`, got `object` - at `$.delivered[0]`",
    ),
]


@pytest.mark.parametrize(("data", "reason"), NONSENSE)
def test_a_file_that_makes_no_sense_is_not_an_empty_one(
    tmp_path: Path, data: bytes, reason: str
) -> None:
    path = tmp_path / "mcas.json"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r".") as caught:
        loaded(path)
    assert str(caught.value) == reason


def test_a_file_that_cannot_be_read_is_not_an_empty_one(tmp_path: Path) -> None:
    path = tmp_path / "mcas.json"
    path.mkdir()
    with pytest.raises(FileFault, match="is not a regular file"):
        loaded(path)


JOURNAL = {
    "form": 1,
    "delivered": [[1, 1763942400.123456], [2, 1763942401.5]],
    "unfinished": {"url": "https://storage.example/1?sig=private", "batches": [[3, 0.5]]},
}


@foreign.MANY
@given(data=foreign.answers(JOURNAL, JOURNAL | {"unfinished": None}))
@example(data=foreign.deep_beside(JOURNAL).encode())
def test_a_journal_is_one_or_an_error_and_the_next_is_written_all_the_same(
    tmp_path: Path, data: bytes
) -> None:
    path = tmp_path / "mcas.json"
    path.write_bytes(data)
    journal = UploadJournal(path)
    found = foreign.result_of(journal.load, ValueError)
    assert "private" not in str(found)
    journal.begin(URL, [(7, 0.7)])
    journal.finish()
    assert (7, 0.7) in loaded(path).delivered
