"""The audit log read back, the newest first."""

import os
import random
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from nss.telemetry.audit import AuditLog
from nss.telemetry.audit_reader import MAX_LINE_BYTES, backwards, entries

START = 1_763_942_400.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.log"


class Written:
    """An audit log with an entry a minute."""

    def __init__(self, path: Path, max_bytes: int = 10 << 20) -> None:
        self.path = path
        self.now = START
        self.log = AuditLog(path, environ={}, now=lambda: self.now, max_bytes=max_bytes)

    def write(self, count: int, action: str = "test", outcome: str = "passed") -> None:
        for number in range(count):
            self.log.write(action, outcome, str(number))
            self.now += 60


def reasons(path: Path, limit: int = 1000, **wanted: str | float) -> list[object]:
    return [entry["reason"] for entry in entries(path, limit=limit, **wanted)]  # type: ignore[arg-type]


def test_the_newest_entry_comes_first_with_all_its_facts(path: Path) -> None:
    log = Written(path).log
    log.write("test", "passed", "one")
    log.write("upload", "failed", 'a "b"\n', feed="mcas", records=5, gzip=True)
    found = list(entries(path, limit=10))
    assert [entry["reason"] for entry in found] == ['a "b"\n', "one"]
    assert found[0] == orjson.loads(path.read_bytes().splitlines()[1])
    assert (found[0]["records"], found[0]["gzip"], found[0]["feed"]) == (5, True, "mcas")


def test_without_a_file_there_are_no_entries(path: Path) -> None:
    assert list(entries(path, limit=10)) == []
    assert list(entries(path.parent / "gone" / "audit.log", limit=10)) == []


def test_files_that_were_set_aside_follow(path: Path) -> None:
    Written(path, max_bytes=1).write(9)
    assert reasons(path) == ["8", "7", "6", "5", "4", "3"]
    assert reasons(path, limit=4) == ["8", "7", "6", "5"]


@pytest.mark.parametrize("block_bytes", [7, 4096])
def test_a_reading_continues_behind_another(path: Path, block_bytes: int) -> None:
    written = Written(path, max_bytes=500)
    written.write(12)
    pages, mark = [], ""
    while True:
        found = entries(path, limit=2, before=mark, block_bytes=block_bytes)
        page = [entry["reason"] for entry in found]
        if not page:
            break
        pages.append(page)
        mark = found.mark
        written.write(1, "later")  # what comes meanwhile, and sets aside, moves nothing
    assert [reason for page in pages for reason in page] == [str(n) for n in range(11, -1, -1)]


@pytest.mark.parametrize("mark", ["5-5", "x", "-", "5", "99999999999999999999-1", "1-x"])
def test_a_mark_that_is_gone_or_made_up_has_nothing_behind_it(path: Path, mark: str) -> None:
    Written(path).write(3)
    assert reasons(path, before=mark) == []


def test_damaged_lines_are_counted(path: Path) -> None:
    Written(path).write(1)
    whole = path.read_bytes()
    bad = [
        *(
            b"{",
            b"\xff\xfe",
            b"[]",
            b"null",
            b"{}",
            b'{"at":5,"who":"a","action":"a","outcome":"a"}',
        ),
        b'{"at":"a","who":"a","action":"a","outcome":"a","more":{}}',
        b"[" * 2000,
        b"x" * (MAX_LINE_BYTES + 1),
        b"x" * (MAX_LINE_BYTES * 5),
    ]
    path.write_bytes(whole + b"\n".join(bad) + b"\n\n\n" + whole + b'{"at":"20')
    found = entries(path, limit=10)
    assert [entry["reason"] for entry in found] == ["0", "0"]
    assert found.damaged == len(bad) + 1


def test_only_what_is_asked_for_is_found(path: Path) -> None:
    written = Written(path)
    written.log.write("reload", "ok", "Alpha", feed="MCAS")
    written.now += 100
    written.log.write("reload", "failed", "beta")
    written.now += 100
    written.log.write("replay", "ok", "gamma")
    assert reasons(path, action="reload") == ["beta", "Alpha"]
    assert reasons(path, action="relo") == []
    assert reasons(path, outcome="ok") == ["gamma", "Alpha"]
    assert reasons(path, outcome="ok", action="reload") == ["Alpha"]
    assert reasons(path, text="ALPHA") == reasons(path, text="mcas") == ["Alpha"]
    assert reasons(path, since=START + 100) == ["gamma", "beta"]
    assert reasons(path, until=START + 100) == ["beta", "Alpha"]
    who = str(next(entries(path, limit=1))["who"])
    assert len(reasons(path, person=who[1:].upper())) == 3
    assert reasons(path, person="nobody at all") == []
    assert reasons(path, since=float("nan"), until=float("nan")) == ["gamma", "beta", "Alpha"]
    assert reasons(path, since=float("-inf"), until=1e300) == ["gamma", "beta", "Alpha"]
    assert reasons(path, since=1e300) == reasons(path, since=float("inf")) == []
    assert reasons(path, until=-1e300) == []


def test_links_and_other_things_in_its_place_are_left_alone(path: Path) -> None:
    other = path.with_name("other")
    Written(other).write(1)
    path.symlink_to(other)
    os.mkfifo(path.with_name("audit.log.1"))
    path.with_name("audit.log.2").mkdir()
    assert reasons(path) == []


def test_a_file_that_is_set_aside_while_it_is_read_is_read_once(path: Path) -> None:
    written = Written(path, max_bytes=1)
    written.write(3)
    found = entries(path, limit=10)
    first = next(found)
    written.write(1)
    assert [first["reason"], *(entry["reason"] for entry in found)] == ["2", "1", "0"]


def test_blocks_of_any_size_read_the_same(tmp_path: Path) -> None:
    chance = random.Random(7)
    file = tmp_path / "file"
    for _ in range(300):
        data = bytes(chance.choice(b"ab\n") for _ in range(chance.randrange(60)))
        file.write_bytes(data)
        expected, at = [], 0
        for line in data.split(b"\n"):
            if line:
                expected.append((at, line))
            at += len(line) + 1
        with file.open("rb") as opened:
            block = chance.randrange(1, 70)
            found = list(backwards(opened.fileno(), len(data), block))
        assert found == expected[::-1], (data, block)


def test_times_are_compared_as_the_log_has_them(path: Path) -> None:
    written = Written(path)
    written.write(1)
    at = datetime.fromisoformat(str(next(entries(path, limit=1))["at"]))
    assert at == datetime.fromtimestamp(START, UTC)
