"""The log of who changed or tested what."""

import asyncio
import fcntl
import logging
import os
import pwd
import stat
import threading
from pathlib import Path

import orjson
import pytest

from nss.secret import Secret
from nss.service.threads import off_loop
from nss.telemetry import events
from nss.telemetry.audit import AuditLog, acting_as, person_at_work


@pytest.fixture(autouse=True)
def _fresh_telemetry() -> None:
    events.clear()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.log"


def new_log(path: Path, **options: int) -> AuditLog:
    return AuditLog(path, environ={"SUDO_USER": "alice"}, now=lambda: 1763942400.9, **options)


def lines(path: Path) -> list[dict[str, object]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def reasons(path: Path) -> list[object]:
    return [line["reason"] for line in lines(path)]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may say who called sudo")
def test_an_entry_is_one_line_of_json(path: Path) -> None:
    new_log(path).write(
        "configure-mcas2",
        "failed",
        "the Client Secret has expired",
        code="AADSTS7000222",
        feed=None,
    )
    assert path.read_bytes() == (
        b'{"at":"2025-11-24T00:00:00Z","who":"alice","uid":0,"action":"configure-mcas2",'
        b'"outcome":"failed","reason":"the Client Secret has expired","code":"AADSTS7000222"}\n'
    )


def test_without_sudo_it_is_the_user_of_the_process(path: Path) -> None:
    AuditLog(path, environ={}).write("upload", "stopped")
    found = lines(path)[0]
    assert (found["who"], found["uid"]) == (pwd.getpwuid(os.getuid()).pw_name, os.getuid())


async def test_whoever_acts_is_named_also_in_tasks_and_threads(path: Path) -> None:
    log = new_log(path)
    with acting_as("alice (portal)"):
        log.write("test", "passed", "here")
        await asyncio.create_task(asyncio.to_thread(log.write, "test", "passed", "thread"))
        await off_loop(lambda: log.write("test", "passed", "off the loop"))
        with acting_as("bob"):
            log.write("test", "passed", "inside")
        assert person_at_work() == "alice (portal)"
    found = [(line["who"], line["reason"]) for line in lines(path)]
    assert found == [
        ("alice (portal)", "here"),
        ("alice (portal)", "thread"),
        ("alice (portal)", "off the loop"),
        ("bob", "inside"),
    ]


async def test_what_outlives_an_act_is_the_service_s_own(path: Path) -> None:
    log, over = new_log(path), asyncio.Event()

    async def later() -> None:
        await over.wait()
        log.write("upload", "stopped")

    with acting_as("alice (portal)"):
        task = asyncio.create_task(later())
        await asyncio.sleep(0)
    over.set()
    await task
    assert lines(path)[0]["who"] == person_at_work({"SUDO_USER": "alice"})


async def test_two_people_at_once_are_told_apart(path: Path) -> None:
    log = new_log(path)

    async def act(name: str) -> None:
        with acting_as(name):
            for _ in range(3):
                log.write("test", "passed", name)
                await asyncio.sleep(0)

    await asyncio.gather(act("alice"), act("bob"))
    assert [line["who"] for line in lines(path)] == reasons(path)


def test_entries_are_appended(path: Path) -> None:
    for reason in ("one", "two"):
        new_log(path).write("test", "failed", reason)
    assert reasons(path) == ["one", "two"]


def test_hostile_text_stays_on_its_line(path: Path) -> None:
    log = new_log(path)
    log.write("test", "failed", 'a\nb\r\u2028"}\x1b[2J', who="mallory", at="never")
    log.write("test", "failed", "\udcff", size=2**70)
    found = lines(path)
    assert [found[0]["reason"], found[0]["at"]] == ['a\nb\r\u2028"}\x1b[2J', "2025-11-24T00:00:00Z"]
    assert found[0]["who"] != "mallory"
    assert [found[1]["reason"], found[1]["size"]] == ["\\udcff", str(2**70)]
    # What filters look at is as in any entry.
    assert [found[1][name] for name in ("at", "who", "outcome")] == [
        found[0][name] for name in ("at", "who", "outcome")
    ]


def test_a_secret_shows_as_stars(path: Path) -> None:
    new_log(path).write("test", "failed", "x", key=Secret("sesame"))  # type: ignore[arg-type]
    assert lines(path)[0]["key"] == "***"


def test_the_file_is_for_owner_and_group(path: Path) -> None:
    old = os.umask(0)
    try:
        new_log(path).write("test", "passed")
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_root_makes_belongs_to_the_owner_of_the_folder(path: Path) -> None:
    os.chown(path.parent, 1234, 2345)
    new_log(path).write("test", "passed")
    status = path.stat()
    assert (status.st_uid, status.st_gid) == (1234, 2345)


def test_a_full_file_is_set_aside_and_five_are_kept(path: Path) -> None:
    log = new_log(path, max_bytes=1)
    for number in range(9):
        log.write("test", "passed", str(number))
    files = [path, *(path.with_name(f"audit.log.{number}") for number in range(1, 6))]
    assert [reasons(file) for file in files] == [["8"], ["7"], ["6"], ["5"], ["4"], ["3"]]
    assert sorted(path.parent.iterdir()) == files


def test_while_somebody_locks_the_file_it_grows(path: Path) -> None:
    log = new_log(path, max_bytes=1)
    log.write("test", "passed", "one")
    with path.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        log.write("test", "passed", "two")
    assert reasons(path) == ["one", "two"]
    log.write("test", "passed", "three")
    assert (reasons(path), reasons(path.with_name("audit.log.1"))) == (["three"], ["one", "two"])


def test_half_a_line_is_ended_before_the_next(path: Path) -> None:
    path.write_bytes(b'{"half":')
    new_log(path).write("test", "passed", "whole")
    first, second = path.read_bytes().splitlines()
    assert (first, orjson.loads(second)["reason"]) == (b'{"half":', "whole")


def test_no_line_is_lost_or_torn_when_many_write_and_set_aside(path: Path) -> None:
    def write(writer: int) -> None:
        log = new_log(path, max_bytes=20_000)
        for number in range(100):
            log.write("test", "passed", f"{writer} {number}")

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = [reason for file in path.parent.iterdir() for reason in reasons(file)]
    assert sorted(map(str, found)) == sorted(f"{w} {n}" for w in range(4) for n in range(100))


def unwritable(path: Path, caplog: pytest.LogCaptureFixture) -> list[object]:
    """Return what the ordinary log says of a line that can't be written."""
    with caplog.at_level(logging.WARNING, "nss"):
        new_log(path).write("test", "failed", "x")
    facts = [record.__dict__["facts"] for record in caplog.records]
    assert caplog.messages == ["The audit log can't be written."] * len(facts)
    assert all(fact["path"] == str(path) for fact in facts)
    return [fact["why"] for fact in facts]


def test_a_folder_that_is_not_there_is_told_and_never_raised(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    reasons = unwritable(tmp_path / "gone" / "audit.log", caplog)
    assert reasons == ["no such file or directory"]


def test_a_link_is_not_followed(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    target = path.with_name("passwd")
    target.write_bytes(b"")
    path.symlink_to(target)
    assert unwritable(path, caplog) == ["too many levels of symbolic links"]
    assert target.read_bytes() == b""


def test_a_fifo_is_told_and_does_not_wait(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    os.mkfifo(path)
    assert unwritable(path, caplog) == ["not a regular file"]


def test_a_folder_in_its_place_is_told(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    folder = tmp_path / "audit.log"
    folder.mkdir()
    assert unwritable(folder, caplog) == ["is a directory"]


STRANGER = 12345

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root acts for others")


@pytest.fixture
def strange(tmp_path: Path) -> Path:
    """The log in a folder of a stranger, in one of root's."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    os.chown(folder, STRANGER, STRANGER)
    return folder / "audit.log"


@needs_root
def test_a_hard_link_to_a_file_of_root_s_is_not_written(
    strange: Path, caplog: pytest.LogCaptureFixture
) -> None:
    target = strange.parent.with_name("passwd")
    target.write_bytes(b"root")
    strange.hardlink_to(target)
    assert unwritable(strange, caplog) == ["a file of root, in a folder of user 12345"]
    assert target.read_bytes() == b"root"


@needs_root
def test_what_a_stranger_leaves_in_the_way_of_a_full_log_is_not_followed(strange: Path) -> None:
    victim = strange.parent.with_name("victim")
    victim.write_bytes(b"root")
    new_log(strange, max_bytes=1).write("test", "passed", "one")
    for number in (1, 6, 7):
        strange.with_name(f"audit.log.{number}").symlink_to(victim)
    new_log(strange, max_bytes=1).write("test", "passed", "two")
    assert (victim.read_bytes(), victim.stat().st_uid) == (b"root", 0)
    assert (reasons(strange), reasons(strange.with_name("audit.log.1"))) == (["two"], ["one"])
    assert sorted(path.name for path in strange.parent.iterdir()) == [
        "audit.log",
        "audit.log.1",
        "audit.log.2",
    ]


@needs_root
def test_a_stranger_who_keeps_the_lock_or_the_name_is_not_waited_for(
    strange: Path, caplog: pytest.LogCaptureFixture
) -> None:
    new_log(strange).write("test", "passed", "one")
    with strange.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        new_log(strange).write("test", "passed", "two")
    assert reasons(strange) == ["one", "two"]
    strange.unlink()
    os.mkfifo(strange)
    assert unwritable(strange, caplog) == ["not a regular file"]
