"""What is easily overlooked in folders: the last link, the first moment, who else writes there."""

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from nss.files.beneath import ANYBODY, NotRegular, open_file, open_folder
from nss.files.private import read_bounded, write_private

STRANGER = 12345
OTHER = 23456

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root acts for others")


def test_forty_links_are_followed_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "0").write_bytes(b"found")
    for number in range(1, 42):
        (tmp_path / str(number)).symlink_to(str(number - 1))
    assert read_bounded(tmp_path / "40", 100) == b"found"
    with pytest.raises(OSError, match="symbolic links") as caught:
        read_bounded(tmp_path / "41", 100)
    assert caught.value.filename == str(tmp_path / "41")


def test_two_dots_lead_up_and_at_the_root_nowhere(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"found")
    _, top, *rest = tmp_path.parts
    for way in (["/", top, ".."], ["/", ".."], ["/", "..", top, "..", ".."]):
        assert read_bounded(Path(*way, top, *rest, "file"), 100) == b"found"


def test_of_a_folder_nothing_that_is_in_it_is_followed(tmp_path: Path) -> None:
    (tmp_path / "-").symlink_to("elsewhere/-")
    (tmp_path / "elsewhere").mkdir()
    with open_folder(tmp_path) as folder:
        assert folder.path == tmp_path
        assert folder.status("elsewhere").st_ino == (tmp_path / "elsewhere").stat().st_ino


@pytest.mark.parametrize("name", ["X-ray", " blank"])
def test_a_link_may_lead_to_any_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"found")
    (tmp_path / "link").symlink_to(name)
    assert read_bounded(tmp_path / "link", 100) == b"found"


def test_the_root_is_a_folder() -> None:
    with pytest.raises(IsADirectoryError) as caught:
        open_file(Path("/"))
    found = (caught.value.errno, caught.value.strerror, caught.value.filename)
    assert found == (errno.EISDIR, "Is a directory", "/")


def test_an_error_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with open_folder(tmp_path) as folder:
        with pytest.raises(FileNotFoundError) as missing:
            folder.open_file("missing")
        with pytest.raises(NotRegular) as other:
            folder.open_file("folder")
    assert missing.value.filename == str(tmp_path / "missing")
    found = (other.value.errno, other.value.strerror, other.value.filename)
    assert found == (errno.EINVAL, "not a regular file", str(tmp_path / "folder"))


def test_a_file_is_opened_as_asked_whether_it_was_there_or_not(tmp_path: Path) -> None:
    with open_folder(tmp_path) as folder:
        for text in (b"one", b"two"):
            number = folder.open_or_make("log", os.O_RDWR | os.O_APPEND, 0o640)
            os.write(number, text)
            os.close(number)
    assert (tmp_path / "log").read_bytes() == b"onetwo"


@pytest.mark.parametrize("unnamed", [True, False])
def test_not_even_for_a_moment_a_new_file_is_open_to_more_than_it_should_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, unnamed: bool
) -> None:
    really_open, really_set = os.open, os.fchmod
    before: list[tuple[int, list[str]]] = []

    def opened(path: str, flags: int, *args: int, **at: int) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE and not unnamed:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        return really_open(path, flags, *args, **at)

    def set_mode(number: int, mode: int) -> None:
        names = [path.name for path in tmp_path.iterdir() if path.name != "secret"]
        before.append((stat.S_IMODE(os.fstat(number).st_mode), names))
        really_set(number, mode)

    monkeypatch.setattr(os, "open", opened)
    monkeypatch.setattr(os, "fchmod", set_mode)
    umask = os.umask(0)
    try:
        with open_folder(tmp_path) as folder:
            folder.write("secret", b"x", 0o600, None)
            os.close(folder.open_or_make("log", os.O_RDWR, 0o640))
    finally:
        os.umask(umask)
    draft = [] if unnamed else [".secret.new"]
    assert before == [(0o600, draft), (0o640, ["log"])]


@pytest.mark.parametrize(("in_the_way", "is_written"), [(4, True), (5, False)])
def test_who_writes_the_same_file_is_given_way_to_five_times_and_then_it_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_the_way: int, *, is_written: bool
) -> None:
    really, tried = os.rename, count(1)

    def rename(old: str, new: str, **at: int) -> None:
        if next(tried) <= in_the_way:
            (tmp_path / old).unlink()  # as another that writes "secret" does
        really(old, new, **at)

    monkeypatch.setattr(os, "rename", rename)
    with open_folder(tmp_path) as folder:
        if is_written:
            folder.write("secret", b"x", 0o600, None)
        else:
            with pytest.raises(FileNotFoundError):
                folder.write("secret", b"x", 0o600, None)
    assert next(tried) == 6
    assert [path.name for path in tmp_path.iterdir()] == ["secret"] * is_written


@contextmanager
def acting_as_stranger() -> Iterator[None]:
    os.setegid(STRANGER)
    os.seteuid(STRANGER)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


@needs_root
def test_a_user_gives_nothing_away() -> None:
    with tempfile.TemporaryDirectory() as made:  # those of pytest are for root alone
        folder = Path(made, "shared")
        folder.mkdir()
        folder.chmod(0o777)
        os.chown(folder, OTHER, OTHER)
        Path(made).chmod(0o755)
        with acting_as_stranger():
            write_private(folder / "new", b"x")
            with open_folder(folder) as at:
                os.close(at.open_or_make("log", os.O_RDWR, 0o640))
                at.make_folder("sub", 0o700, at.owner).close()
        assert {path.stat().st_uid for path in folder.iterdir()} == {STRANGER}


@needs_root
def test_a_group_that_may_write_keeps_a_folder_of_root_s_but_not_a_user_s_own() -> None:
    with tempfile.TemporaryDirectory() as made:  # those of pytest are for root alone
        Path(made).chmod(0o755)
        for name, user in (("root's", 0), ("own", STRANGER)):
            (Path(made) / name).mkdir()
            (Path(made) / name).chmod(0o771)
            os.chown(Path(made) / name, user, user)
        with open_folder(Path(made, "root's")) as folder:
            assert folder.keeper == ANYBODY
        with acting_as_stranger(), open_folder(Path(made, "own")) as folder:
            assert folder.keeper is None


@needs_root
def test_root_opens_any_file_in_a_folder_of_its_own(tmp_path: Path) -> None:
    for name, user in (("mine", 0), ("his", STRANGER)):
        (tmp_path / name).touch(mode=0o600)
        os.chown(tmp_path / name, user, user)
        with open_folder(tmp_path) as folder:
            os.close(folder.open_file(name, os.O_RDWR))
