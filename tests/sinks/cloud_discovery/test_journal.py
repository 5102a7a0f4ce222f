"""What uploads leave behind for the next process."""

import stat
from pathlib import Path

import orjson
import pytest
from hypothesis import example, given

from nss.files.private import FileFault
from nss.secret import Secret
from nss.sinks.cloud_discovery import journal as upload_journal
from nss.sinks.cloud_discovery.journal import Unfinished, UploadJournal
from nss.sinks.cloud_discovery.pieces import Piece
from tests import foreign

URL = Secret("https://storage.example/file?sig=private")


def loaded(path: Path) -> UploadJournal:
    journal = UploadJournal(path)
    journal.load()
    return journal


def piece(sequence: int, at: float = 0.5, line: int = 0, records: int = 2) -> Piece:
    return Piece(sequence, at, line, records, f"digest of {sequence}")


def uploaded(journal: UploadJournal, *pieces: Piece) -> None:
    journal.begin(URL, 1, pieces)
    journal.finish()


def test_nothing_is_known_without_a_file(tmp_path: Path) -> None:
    journal = loaded(tmp_path / "mcas.json")
    assert (journal.delivered, journal.unfinished) == ((), None)


def test_an_upload_that_was_begun_is_known_to_the_next_process(tmp_path: Path) -> None:
    path = tmp_path / "mcas.json"
    begun = (piece(1, 1763942400.123456), piece(2, 1763942401.5, 7))
    UploadJournal(path).begin(URL, 3, begun)
    journal = loaded(path)
    assert journal.delivered == ()
    assert journal.unfinished == Unfinished(URL, 3, begun)
    assert journal.piece_at((1, 1763942400.123456), 0) is None


def test_a_finished_upload_leaves_its_pieces_and_no_url(tmp_path: Path) -> None:
    path = tmp_path / "mcas.json"
    journal = UploadJournal(path)
    uploaded(journal, piece(1))
    uploaded(journal, piece(2))
    again = loaded(path)
    assert (again.delivered, again.unfinished) == ((piece(1), piece(2)), None)
    assert b"private" not in path.read_bytes()


def test_a_piece_is_found_by_its_batch_and_line(tmp_path: Path) -> None:
    path = tmp_path / "mcas.json"
    uploaded(UploadJournal(path), piece(1), piece(1, line=40), piece(1, line=9), piece(1, 7.5, 3))
    journal = loaded(path)
    found = [journal.piece_at((1, 0.5), line) for line in (0, 1, 9, 40)]
    assert found == [piece(1), None, piece(1, line=9), piece(1, line=40)]
    assert [journal.next_start((1, 0.5), line) for line in (0, 9, 20, 40)] == [9, 40, 40, None]
    others = [
        (journal.piece_at(key, 0), journal.next_start(key, 0)) for key in ((2, 0.5), (1, 7.5))
    ]
    assert others == [(None, None), (None, 3)]


def test_an_upload_given_up_was_never_made(tmp_path: Path) -> None:
    path = tmp_path / "mcas.json"
    journal = UploadJournal(path)
    journal.begin(URL, 1, [piece(1)])
    journal.give_up()
    again = loaded(path)
    assert (again.delivered, again.unfinished) == ((), None)


def test_it_is_for_one_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "mcas.json"
    UploadJournal(path).begin(URL, 1, [piece(1)])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["mcas.json"]


def test_the_oldest_pieces_are_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "mcas.json"
    journal = UploadJournal(path)
    uploaded(journal, *(piece(number) for number in range(1, upload_journal.MAX_DELIVERED + 1)))
    uploaded(journal, piece(10_000))
    again = loaded(path)
    known = [again.piece_at((sequence, 0.5), 0) is not None for sequence in (1, 2, 10_000)]
    assert known == [False, True, True]


def test_what_form_1_knew_is_still_known(tmp_path: Path) -> None:
    path = tmp_path / "mcas.json"
    path.write_bytes(orjson.dumps(FORM_1))
    journal = loaded(path)
    assert journal.unfinished == Unfinished(
        Secret("https://storage.example/1?sig=private"), 1, (), ((3, 0.5),)
    )
    before = [journal.has_whole(key) for key in WHOLE]
    journal.finish()
    again = loaded(path)
    assert before == [True, True, False, False]
    assert [again.has_whole(key) for key in WHOLE] == [True, True, True, False]
    assert again.unfinished is None


WHOLE = [(1, 1763942400.123456), (2, 1763942401.5), (3, 0.5), (3, 1.5)]


def test_what_form_1_knew_is_forgotten_behind_it(tmp_path: Path) -> None:
    path = tmp_path / "mcas.json"
    path.write_bytes(orjson.dumps(FORM_1))
    journal = loaded(path)
    journal.finish()
    known = []
    for sequence in (2, 3, 4):
        uploaded(journal, piece(sequence))
        known.append([loaded(path).has_whole(key) for key in WHOLE])
    assert known == [[True, True, True, False]] * 2 + [[False] * 4]


def test_an_upload_of_form_1_that_is_given_up_leaves_nothing_of_it(tmp_path: Path) -> None:
    path = tmp_path / "mcas.json"
    path.write_bytes(orjson.dumps(FORM_1))
    loaded(path).give_up()
    again = loaded(path)
    assert [again.has_whole(key) for key in WHOLE] == [True, True, False, False]


NONSENSE = [
    (b"", "Input data was truncated"),
    (b"{", "Input data was truncated"),
    (b"[]", "Expected `object`, got `array`"),
    (b'{"form":3,"delivered":[],"unfinished":null}', "form 3 is not known"),
    (b'{"form":0,"delivered":[],"unfinished":null}', "form 0 is not known"),
    (b'{"delivered":[],"unfinished":null}', "Object missing required field `form`"),
    (b'{"form":1}', "Object missing required field `delivered`"),
    (b'{"form":2}', "Object missing required field `delivered`"),
    (
        b'{"form":2,"delivered":[[1,0.5,0,0,"x"]],"unfinished":null}',
        "Expected `int` >= 1 - at `$.delivered[0][3]`",
    ),
    (
        b'{"form":2,"delivered":[[1,0.5,-1,1,"x"]],"unfinished":null}',
        "Expected `int` >= 0 - at `$.delivered[0][2]`",
    ),
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


FORM_1 = {
    "form": 1,
    "delivered": [[1, 1763942400.123456], [2, 1763942401.5]],
    "unfinished": {"url": "https://storage.example/1?sig=private", "batches": [[3, 0.5]]},
}

FORM_2 = {
    "form": 2,
    "delivered": [[1, 1763942400.123456, 0, 1000, "ab"], [2, 1763942401.5, 7, 3, "cd"]],
    "unfinished": {
        "url": "https://storage.example/1?sig=private",
        "batches": 1,
        "pieces": [[3, 0.5, 0, 1, "ef"]],
        "whole": [[5, 0.5]],
    },
    "whole": [[4, 0.5]],
}


@foreign.MANY
@given(data=foreign.answers(FORM_1, FORM_2, FORM_2 | {"unfinished": None}))
@example(data=foreign.deep_beside(FORM_1).encode())
@example(data=foreign.deep_beside(FORM_2).encode())
def test_a_journal_is_one_or_an_error_and_the_next_is_written_all_the_same(
    tmp_path: Path, data: bytes
) -> None:
    path = tmp_path / "mcas.json"
    path.write_bytes(data)
    journal = UploadJournal(path)
    found = foreign.result_of(journal.load, ValueError)
    assert "private" not in str(found)
    uploaded(journal, piece(7))
    assert piece(7) in loaded(path).delivered
