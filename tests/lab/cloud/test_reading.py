"""What is found in an uploaded file."""

import gzip
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from nss.lab.cloud import CloudLab, Upload, parsing, reading
from nss.lab.cloud.reader_process import ReaderProcess
from nss.lab.cloud.reading import Reading
from nss.lab.discovery import MAX_NAMES, OTHER, Discovery, Traffic

Line = Callable[..., bytes]


def read(path: Path, data: bytes, source_type: str = "GENERIC_LEEF") -> Reading:
    path.write_bytes(data)
    return reading.read(path, source_type, time.time())


def counts(found: Reading) -> tuple[int, int, int, str | None]:
    return found.records, found.malformed, found.too_old, found.failure


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file"


def test_records_are_added_up_per_app(path: Path, line: Line) -> None:
    found = read(path, line(user="ana") + b"\r\n" + line(user="ben") + line(app="Slack"))
    assert counts(found) == (3, 0, 0, None)
    assert found.discovery.apps == {
        "Box": Traffic(2, 200, 4000, {"ana", "ben"}),
        "Slack": Traffic(1, 100, 2000, {"ana"}),
    }


def test_gzip_and_zip_are_unpacked(path: Path, line: Line) -> None:
    data = line() * 1000
    assert counts(read(path, gzip.compress(data))) == (1000, 0, 0, None)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.log", data)
    assert counts(read(path, path.read_bytes())) == (1000, 0, 0, None)


def test_a_bad_line_is_counted_with_its_reason_and_the_others_are_read(
    path: Path, line: Line
) -> None:
    bad = [
        (b"no LEEF\n", "no LEEF:1.0 or LEEF:2.0 header with five fields"),
        (line().replace(b"\tsrc=10.0.0.1", b""), "attribute 'src' is missing"),
        (line().replace(b"\tappname=Box", b""), "attribute 'appname' is missing"),
        (line().replace(b"=100", b"=many"), "invalid literal for int() with base 10: 'many'"),
        (line().replace(b" GMT", b" Atlantis"), "time zone 'Atlantis' is not known"),
    ]
    found = read(path, line() + b"".join(data for data, _ in bad) + b"\xff\xfe\n" + line())
    assert counts(found) == (2, 6, 0, None)
    assert found.examples == bad


def test_records_older_than_90_days_do_not_count(path: Path, line: Line) -> None:
    found = read(path, line(days=89.9) + line(days=90.1, app="Old"))
    assert counts(found) == (1, 0, 1, None)
    assert list(found.discovery.apps) == ["Box"]


@pytest.mark.parametrize(
    ("data", "failure"),
    [
        (b"", "The log format doesn't match"),
        (b"no LEEF\n", "The log format doesn't match"),
        (b"LEEF:1.0|", "The log format doesn't match"),
        (b"\x00\x01\x02", "Unsupported file type"),
        (b"\x1f\x8bbroken", "Unsupported file type"),
        (gzip.compress(b"cut off")[:-9], "Unsupported file type"),
        (b"PK\x03\x04broken", "Unsupported file type"),
    ],
    ids=["empty", "no LEEF", "a beginning", "bytes", "gzip", "gzip that is cut", "zip"],
)
def test_a_file_in_which_nothing_counts_fails(path: Path, data: bytes, failure: str) -> None:
    assert read(path, data).failure == failure


def test_a_file_of_old_records_fails_for_that(path: Path, line: Line) -> None:
    found = read(path, line(days=100) * 2 + b"no LEEF\n")
    assert counts(found) == (0, 1, 2, "Transactions are more than 90 days old")


def test_a_file_without_cloud_apps_fails_for_that(path: Path, line: Line) -> None:
    found = read(path, line(app="None") + line(app="General Browsing"))
    assert counts(found) == (2, 0, 0, "No transactions to cataloged cloud apps")


def test_a_source_type_that_is_not_leef_is_not_read(path: Path, line: Line) -> None:
    found = read(path, line(), "GENERIC_CEF")
    assert counts(found) == (0, 0, 0, "Unsupported log type")


def test_a_line_without_end_is_read_in_bounded_pieces(path: Path, line: Line) -> None:
    found = read(path, b"a" * (3 << 20) + b"a\n" + line())
    assert counts(found) == (1, 4, 0, None)
    assert max(len(data) for data, _ in found.examples) < 4096


def test_what_was_found_is_merged_within_the_bounds() -> None:
    whole, part = Discovery(), Discovery()
    attributes = {"cat": "A", "appname": "Box", "usrName": "ana", "srcBytes": "1", "dstBytes": "2"}
    whole.add(attributes)
    part.add(attributes)
    part.add(attributes | {"cat": "B", "usrName": "ben"})
    whole.merge(part)
    assert whole.actions == Counter({"A": 2, "B": 1})
    assert whole.apps == {"Box": Traffic(3, 3, 6, {"ana", "ben"})}
    assert whole.users == {"ana": Traffic(2, 2, 4, {"Box"}), "ben": Traffic(1, 1, 2, {"Box"})}
    full = Discovery()
    for number in range(MAX_NAMES):
        full.add(attributes | {"cat": str(number), "appname": str(number)})
    full.merge(part)
    assert (full.actions[OTHER], full.apps[OTHER].transactions) == (2, 2)
    assert "Box" not in full.apps


def test_a_large_upload_is_read_by_a_process_of_its_own(lab: CloudLab, line: Line) -> None:
    path = lab.folder / "large"
    data = line() * (2 * parsing.SMALL_BYTES // len(line()))
    path.write_bytes(data + b"no LEEF\n")
    upload = Upload("x", "GENERIC_LEEF", "NSS", len(data), path, gzip=False, snapshot=False)
    gone = Upload("x", "GENERIC_LEEF", "NSS", len(data), path / "no", gzip=False, snapshot=False)
    for each_upload in (upload, gone, upload):
        lab.parser.submit(each_upload)
    lines = data.count(b"\n") + 1
    assert lab.parser.wait_parsed(2 * lines)
    assert (lab.parser.records, lab.parser.malformed) == (2 * (lines - 1), 2)
    assert lab.discovery.apps["Box"].transactions == 2 * (lines - 1)
    assert [result.failure for result in lab.parser.results] == [
        None,
        "Unsupported file type",
        None,
    ]


def test_the_lab_ends_without_waiting_for_what_is_not_parsed(tmp_path: Path, line: Line) -> None:
    path = tmp_path / "large"
    path.write_bytes(line() * 200_000)
    with CloudLab(tmp_path) as lab:
        size = path.stat().st_size
        for _ in range(20):
            lab.parser.submit(
                Upload("x", "GENERIC_LEEF", "NSS", size, path, gzip=False, snapshot=False)
            )
        assert not lab.parser.wait_parsed(1, 0.0)
        assert not lab.parser.wait_idle(0.0)
    assert len(lab.parser.results) < 20


def test_a_reader_that_died_before_it_took_a_question_can_be_closed(tmp_path: Path) -> None:
    process = ReaderProcess()
    process.stop()
    for _ in range(2):  # the first finds out that it is gone, the second leaves a question unsent
        with pytest.raises(BrokenPipeError):
            process.read(tmp_path, "GENERIC_LEEF", 0.0)
    process.close()
