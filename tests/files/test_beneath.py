"""Root at work in folders of somebody else, who puts there what leads elsewhere.

Most of it needs a second user, so it is skipped without root. The stranger's folder is below a
folder of root's alone, as /var/lib/nss is.
"""

import errno
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import pytest

from nss.files.beneath import ANYBODY, Misplaced, NotRegular, open_file, open_folder
from nss.files.private import FileFault, read_bounded, remove_file, write_private

STRANGER = 12345
OTHER = 23456

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root acts for others")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A folder of a stranger, in one of root's."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    os.chown(folder, STRANGER, STRANGER)
    return folder


@pytest.fixture
def shadow(tmp_path: Path) -> Path:
    """A file that the stranger may not read."""
    path = tmp_path / "shadow"
    path.write_bytes(b"root's own")
    path.chmod(0o600)
    return path


def own(path: Path, data: bytes = b"the stranger's") -> Path:
    """Make a file of the stranger's."""
    path.write_bytes(data)
    path.chmod(0o600)
    os.chown(path, STRANGER, STRANGER)
    return path


@contextmanager
def swapping(*ways: Callable[[], None]) -> Iterator[None]:
    """Do one after the other, again and again, in a thread."""
    ended = threading.Event()

    def work() -> None:
        while not ended.is_set():
            for way in ways:
                with suppress(OSError):
                    way()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def put(make: Callable[[Path], object], path: Path) -> Callable[[], None]:
    """Return what puts something in the place of a path atomically."""
    spare = path.with_name(f"{path.name}-spare")

    def way() -> None:
        spare.unlink(missing_ok=True)
        make(spare)
        spare.rename(path)

    return way


@needs_root
def test_a_stranger_s_file_is_read_and_its_folder_has_a_keeper(state: Path) -> None:
    own(state / "audit.log")
    assert read_bounded(state / "audit.log", 100) == b"the stranger's"
    with open_folder(state) as folder, open_folder(state.parent) as parent:
        assert (folder.keeper, folder.owner) == (STRANGER, (STRANGER, STRANGER))
        assert parent.keeper is None


@needs_root
def test_a_link_of_a_stranger_is_not_followed_and_the_reason_says_so(
    state: Path, shadow: Path
) -> None:
    (state / "audit.log").symlink_to(shadow)
    with pytest.raises(Misplaced, match="a symbolic link in a folder of user 12345") as caught:
        read_bounded(state / "audit.log", 100)
    found = (caught.value.errno, caught.value.filename)
    assert found == (errno.ELOOP, str(state / "audit.log"))


@needs_root
def test_a_folder_that_is_a_link_of_a_stranger_is_not_entered(state: Path, shadow: Path) -> None:
    (state / "certificates").symlink_to(shadow.parent)
    for work in (
        lambda: read_bounded(state / "certificates" / "shadow", 100),
        lambda: write_private(state / "certificates" / "shadow", b"x"),
        lambda: remove_file(state / "certificates" / "shadow"),
    ):
        with pytest.raises(OSError, match="a symbolic link in a folder of user 12345"):
            work()
    assert shadow.read_bytes() == b"root's own"


@needs_root
def test_a_link_that_only_root_can_have_made_is_followed(state: Path, tmp_path: Path) -> None:
    own(state / "audit.log")
    (tmp_path / "usual").symlink_to("state")
    (tmp_path / "around").symlink_to(f"{tmp_path}/./usual/../usual")
    (tmp_path / "log").symlink_to("around/audit.log")
    for path in ("usual/audit.log", "around/audit.log", "log"):
        assert read_bounded(tmp_path / path, 100) == b"the stranger's"
    write_private(tmp_path / "usual" / "new", b"x")
    assert (state / "new").stat().st_uid == STRANGER


def test_links_that_lead_to_each_other_end(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="symbolic links") as caught:
        open_file(tmp_path / "a")
    assert caught.value.errno == errno.ELOOP


@needs_root
def test_a_hard_link_to_a_file_of_another_is_not_opened(state: Path, shadow: Path) -> None:
    (state / "audit.log").hardlink_to(shadow)
    with pytest.raises(Misplaced, match="a file of root, in a folder of user 12345") as caught:
        read_bounded(state / "audit.log", 100)
    found = (caught.value.errno, caught.value.filename)
    assert found == (errno.EPERM, str(state / "audit.log"))
    with open_folder(state) as folder, pytest.raises(Misplaced):
        folder.open_or_make("audit.log", os.O_WRONLY | os.O_APPEND, 0o640)


@needs_root
@pytest.mark.parametrize(("mode", "group"), [(0o640, STRANGER), (0o604, 0)])
def test_what_the_stranger_may_read_himself_is_read_and_not_written(
    state: Path, shadow: Path, mode: int, group: int
) -> None:
    os.chown(shadow, 0, group)
    shadow.chmod(mode)
    (state / "token").hardlink_to(shadow)
    assert read_bounded(state / "token", 100) == b"root's own"
    with open_folder(state) as folder, pytest.raises(Misplaced):
        folder.open_file("token", os.O_RDWR)


@needs_root
def test_nothing_is_waited_for_and_devices_are_not_read(state: Path) -> None:
    os.mkfifo(state / "fifo")
    (state / "folder").mkdir()
    os.mknod(state / "zero", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    for name in ("fifo", "folder", "zero"):
        with pytest.raises(FileFault, match="is not a regular file"):
            read_bounded(state / name, 100)
    with open_folder(state) as folder, pytest.raises(NotRegular):
        folder.open_file("fifo", os.O_RDWR)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(state / "socket"))
        with pytest.raises(OSError, match="No such device or address"):
            read_bounded(state / "socket", 100)


@needs_root
def test_a_new_file_and_a_new_folder_are_for_the_owner_of_the_folder(state: Path) -> None:
    write_private(state / "mcas.json", b"x")
    with open_folder(state) as folder:
        folder.make_folder("certificates", 0o700, folder.owner).close()
        os.close(folder.open_or_make("audit.log", os.O_RDWR, 0o640))
    found = {path.name: path.stat() for path in state.iterdir()}
    assert {
        name: (at.st_uid, at.st_gid, stat.S_IMODE(at.st_mode)) for name, at in found.items()
    } == {
        "mcas.json": (STRANGER, STRANGER, 0o600),
        "certificates": (STRANGER, STRANGER, 0o700),
        "audit.log": (STRANGER, STRANGER, 0o640),
    }


@needs_root
@pytest.mark.parametrize("group", [0, STRANGER])
def test_a_folder_that_a_killed_command_left_to_root_is_given_away(state: Path, group: int) -> None:
    (state / "certificates").mkdir()
    os.chown(state / "certificates", 0, group)
    with open_folder(state) as folder:
        folder.make_folder("certificates", 0o700, folder.owner).close()
    assert (state / "certificates").stat().st_uid == STRANGER


@needs_root
def test_a_folder_of_root_s_own_is_not_given_away(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with open_folder(tmp_path) as folder:
        folder.make_folder("run", 0o700, (STRANGER, STRANGER)).close()
    assert (tmp_path / "run").stat().st_uid == 0


@needs_root
def test_a_new_folder_in_one_of_root_s_own_is_given_away(tmp_path: Path) -> None:
    with open_folder(tmp_path) as folder:
        folder.make_folder("state", 0o700, (STRANGER, OTHER)).close()
    status = (tmp_path / "state").stat()
    assert (status.st_uid, status.st_gid) == (STRANGER, OTHER)


@needs_root
def test_what_a_file_is_replaced_by_leads_nowhere(state: Path, shadow: Path) -> None:
    for name in ("mcas.json", ".mcas.json.new"):
        for make in (Path.symlink_to, Path.hardlink_to):
            make(state / name, shadow)
            write_private(state / "mcas.json", b"new")
            assert (state / "mcas.json").read_bytes() == b"new"
            remove_file(state / "mcas.json")
            assert list(state.iterdir()) == []
    status = shadow.stat()
    assert (shadow.read_bytes(), status.st_uid, stat.S_IMODE(status.st_mode)) == (
        b"root's own",
        0,
        0o600,
    )


@needs_root
def test_who_else_may_write_in_a_folder_decides(tmp_path: Path, shadow: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    with open_folder(shared) as folder:
        assert folder.keeper == ANYBODY
    own(shared / "strange")
    (shared / "linked").hardlink_to(shadow)
    (shared / "link").symlink_to(shadow)
    for name in ("strange", "linked", "link"):
        with pytest.raises(OSError, match="in a folder that others may write in"):
            read_bounded(shared / name, 100)
    (shared / "mine").write_bytes(b"mine")
    (shared / "mine").chmod(0o600)
    assert read_bounded(shared / "mine", 100) == b"mine"
    # What root has there is safe while the folder is sticky, and what the stranger has is his.
    for name, sticky, keeper in (
        ("ours", 0o1777, None),
        ("ours", 0o777, ANYBODY),
        ("his", 0o777, STRANGER),
    ):
        (shared / name).mkdir(mode=0o755, exist_ok=True)
        os.chown(shared / name, STRANGER if name == "his" else 0, 0)
        shared.chmod(sticky)
        with open_folder(shared / name) as folder:
            assert folder.keeper == keeper


@needs_root
@pytest.mark.parametrize("kind", ["symlink", "hard link", "fifo"])
def test_who_changes_a_name_all_the_time_gains_nothing_by_reading(
    state: Path, shadow: Path, kind: str
) -> None:
    path = state / "audit.log"
    traps: dict[str, Callable[[Path], object]] = {
        "symlink": lambda spare: spare.symlink_to(shadow),
        "hard link": lambda spare: spare.hardlink_to(shadow),
        "fifo": os.mkfifo,
    }
    found: set[bytes] = set()
    refused = 0
    own(path)
    with swapping(put(own, path), put(traps[kind], path)):
        while refused < 100 or not found:
            try:
                found.add(read_bounded(path, 100))
            except (OSError, FileFault):
                refused += 1
    assert found == {b"the stranger's"}


@needs_root
def test_who_changes_a_name_all_the_time_gains_nothing_by_writing(
    state: Path, shadow: Path, tmp_path: Path
) -> None:
    folder, numbers = state / "certificates", count()
    victim = tmp_path / "victim"
    victim.mkdir(mode=0o700)
    (victim / "server.key").hardlink_to(shadow)

    def lead_away() -> None:
        folder.rename(state / f"old {next(numbers)}")
        folder.symlink_to(victim)

    def lead_back() -> None:
        folder.unlink()
        folder.mkdir()
        (folder / "server.key").symlink_to(shadow)
        os.chown(folder, STRANGER, STRANGER)

    written = refused = 0
    with swapping(lead_away, lead_back):
        while written < 100 or refused < 100:
            try:
                with (
                    open_folder(state) as at,
                    at.make_folder("certificates", 0o700, at.owner) as to,
                ):
                    to.write("server.key", b"key", 0o600, None)
                written += 1
            except OSError:
                refused += 1
    assert list(victim.iterdir()) == [victim / "server.key"]
    assert (victim.stat().st_uid, shadow.stat().st_uid) == (0, 0)
    assert shadow.read_bytes() == b"root's own"


ACTS_AS_STRANGER = """
import os, sys
from nss.files.private import read_bounded, write_private
from pathlib import Path
os.chdir(sys.argv[1])
os.setresgid(12345, 12345, 12345)
os.setresuid(12345, 12345, 12345)
print(read_bounded(Path("link"), 100).decode(), end="")
write_private(Path("new"), b"x")
"""


@needs_root
def test_in_his_own_folder_a_user_follows_his_own_links() -> None:
    with tempfile.TemporaryDirectory() as made:  # those of pytest are for root alone
        os.chown(made, STRANGER, STRANGER)
        own(Path(made, "file"))
        Path(made, "link").symlink_to("file")
        command = [sys.executable, "-c", ACTS_AS_STRANGER, made]
        ran = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - ours
        owner = Path(made, "new").stat().st_uid
    assert (ran.stdout, ran.stderr) == (b"the stranger's", b"")
    assert owner == STRANGER


def test_signals_wait_until_a_file_is_whole_and_are_not_lost(tmp_path: Path) -> None:
    seen: list[str] = []
    path = tmp_path / "file"
    before = signal.signal(
        signal.SIGTERM, lambda *_: seen.append(path.read_text() if path.exists() else "not yet")
    )
    real = os.fsync

    def fsync(number: int) -> None:
        signal.raise_signal(signal.SIGTERM)  # to this thread: others of pytest do not hold it back
        real(number)

    patch = pytest.MonkeyPatch()
    patch.setattr(os, "fsync", fsync)
    try:
        write_private(path, b"whole")
    finally:
        patch.undo()
        signal.signal(signal.SIGTERM, before)
    assert seen == ["whole"]
