"""The names of uploaded files, and what is kept of them on disk."""

from pathlib import Path

import pytest

from nss.files.private import FileFault
from nss.mcas import uploaded
from nss.mcas.uploaded import (
    FILE_NAME,
    UploadedFile,
    UploadedFiles,
    feed_of,
    file_name,
    uploaded_by,
)


@pytest.mark.parametrize("feed", ["up", "a-b_3-20261124-12", "a-20261124"])
@pytest.mark.parametrize("place", [12, "12-345"])
@pytest.mark.parametrize("end", ["log", "log.gz"])
def test_a_name_is_found_in_a_text_and_leads_to_its_feed(
    feed: str, place: int | str, end: str
) -> None:
    name = file_name(feed, 1_795_521_600.9, place, gzip=end == "log.gz")
    assert name == f"{feed}-20261124T120000-{place}.{end}"
    found = FILE_NAME.search(f"the file blob/{name} is no log")
    assert found is not None
    assert (found[0], feed_of(name)) == (name, feed)


@pytest.mark.parametrize("name", ["", "web.log", "up-20261124T120000-12.txt", "x/up-1T1-1.log"])
def test_another_name_is_of_no_feed(name: str) -> None:
    assert feed_of(name) is None


def test_files_are_known_to_the_next_process(tmp_path: Path) -> None:
    files = UploadedFiles(tmp_path, "up")
    files.load()
    assert files.files == ()
    files.begin("one", 5.0)
    files.begin("two", 6.0)
    files.finish(7.0, "stream")
    again = UploadedFiles(tmp_path, "up")
    again.load()
    assert again.files == (
        UploadedFile("one", 5.0),
        UploadedFile("two", 6.0, 7.0, "stream"),
    )
    assert (tmp_path / "up.files.json").stat().st_mode & 0o777 == 0o600


def test_a_finish_is_of_the_last_file_and_counts_once(tmp_path: Path) -> None:
    files = UploadedFiles(tmp_path, "up")
    files.finish(1.0)
    files.begin("one", 5.0)
    files.finish(7.0)
    files.finish(8.0)
    assert files.files == (UploadedFile("one", 5.0, 7.0),)


def test_the_oldest_names_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploaded, "MAX_FILES", 2)
    files = UploadedFiles(tmp_path, "up")
    for name in ("one", "two", "three"):
        files.begin(name, 5.0)
    assert [file.name for file in files.files] == ["two", "three"]


def test_files_of_several_feeds_are_in_the_order_of_their_times(tmp_path: Path) -> None:
    for feed, at in (("b", 5.0), ("a", 7.0), ("b", 6.0)):
        files = UploadedFiles(tmp_path, feed)
        files.load()
        files.begin(f"{feed}{at}", at)
    found = uploaded_by(tmp_path, ["a", "b", "none"])
    assert [file.name for file in found] == ["b5.0", "b6.0", "a7.0"]


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"form":2,"files":[]}', b'{"form":1}'])
def test_a_file_that_makes_no_sense_is_an_error(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "up.files.json").write_bytes(data)
    with pytest.raises(ValueError, match=r"."):
        UploadedFiles(tmp_path, "up").load()


def test_what_is_no_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "up.files.json").mkdir()
    with pytest.raises(FileFault):
        UploadedFiles(tmp_path, "up").load()


def test_a_stamp_changes_with_every_note(tmp_path: Path) -> None:
    files = UploadedFiles(tmp_path, "up")
    stamps = [uploaded.files_stamp(tmp_path, ["up"])]
    files.begin("one", 5.0)
    stamps.append(uploaded.files_stamp(tmp_path, ["up"]))
    files.finish(6.0)
    stamps.append(uploaded.files_stamp(tmp_path, ["up"]))
    assert stamps[0] != stamps[1] != stamps[2] == uploaded.files_stamp(tmp_path, ["up"])
