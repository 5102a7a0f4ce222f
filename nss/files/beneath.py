"""Files in folders that somebody else owns: what root does there reaches nothing beyond them.

Commands run as root, and most of what they touch is in folders of the user that the service runs
as. A service that was taken over may put anything there, at any moment: symbolic and hard links,
FIFOs, sockets, folders. Therefore:

- A path is walked from `/`, each component opened relative to the folder before it. A symbolic
  link is followed where only root and the user at work may change the folder that it is in (an
  administrator's `/var/lib/nss -> /data/nss`), and nowhere else. Only who is not root also follows
  one of root's in a sticky folder of root's, where nobody else can replace it: so the kubelet lays
  out the files of a Secret.
- In a folder that somebody else keeps, root opens only regular files of that user and, to read,
  files that this user may read as well. So hard links lead nowhere: counting them would not do,
  for their number may change between any two looks.
- Nothing is waited for: FIFOs and leased files are opened with O_NONBLOCK.
- A new file has no name until it is whole and has its owner, who is set by its descriptor.

Every error is an `OSError`, with the reason as its `strerror`.
"""

import contextlib
import errno
import os
import pwd
import re
import signal
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

ANYBODY = -1
"""The keeper of a folder that its group or everybody may write in."""

ROOT = 0

_MAX_LINKS = 40
_ATTEMPTS = 5
_WALK = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_DESCRIPTORS = "/proc/self/fd"
_NO_UNNAMED_FILES = {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL}
"""What file systems and kernels answer that don't know O_TMPFILE (open(2))."""

_HELD_BACK = {signal.SIGHUP, signal.SIGINT, signal.SIGTERM}


class Misplaced(OSError):  # noqa: N818 - it is what was found
    """Something in a folder of somebody else that root must not touch."""


class NotRegular(OSError):  # noqa: N818 - it is what was found
    """A FIFO, a device, a folder: no file with contents."""


@dataclass(frozen=True, slots=True)
class Folder:
    """An open folder; use it with `with`, or `close` it. Names are those of its entries."""

    path: Path
    """For messages: how it was reached."""
    number: int
    """Its descriptor, for `dir_fd`; no more can be done with it (O_PATH)."""
    keeper: int | None
    """The user who may change its names, `ANYBODY`; `None`: only root and the user at work."""
    owner: tuple[int, int]
    """Its user and group."""
    is_sticky: bool

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close it."""
        os.close(self.number)

    def enter(self, name: str) -> "Folder":
        """Return a folder in it, which is no link."""
        try:
            return _opened(self, name)
        except NotADirectoryError:
            self.link(name)  # which says what it is instead
            raise

    def make_folder(self, name: str, mode: int, owner: tuple[int, int]) -> "Folder":
        """Return a folder in it, made if it is not there; what root makes is for `owner`."""
        is_new = True
        try:
            os.mkdir(name, mode, dir_fd=self.number)
        except FileExistsError:
            is_new = False
        if os.geteuid() == ROOT:
            with self.enter(name) as found:
                # One of root's in somebody's folder was left by a command killed between the two.
                is_left = self.keeper not in {None, ANYBODY} and found.owner[0] == ROOT
                if is_new or is_left:
                    os.chown(".", *owner, dir_fd=found.number)
        return self.enter(name)

    def status(self, name: str) -> os.stat_result:
        """Return what `lstat` says of a name."""
        return os.stat(name, dir_fd=self.number, follow_symlinks=False)

    def link(self, name: str) -> str | None:
        """Return where a symbolic link leads, `None` for anything else.

        Raises `Misplaced` for a link of somebody else.
        """
        try:
            status = self.status(name)
        except FileNotFoundError:
            return None
        if not stat.S_ISLNK(status.st_mode):
            return None
        if self.keeper is not None and not self._is_roots(status):
            reason = f"a symbolic link in a folder {self._whose()}"
            raise Misplaced(errno.ELOOP, reason, str(self.path / name))
        return os.readlink(name, dir_fd=self.number)

    def _is_roots(self, link: os.stat_result) -> bool:
        """Return whether only root can have put a link here; root itself takes no such chance."""
        is_shared = self.keeper == ANYBODY and self.is_sticky
        return is_shared and self.owner[0] == ROOT == link.st_uid and os.geteuid() != ROOT

    def open_file(self, name: str, flags: int = os.O_RDONLY) -> int:
        """Return the descriptor of a regular file, which is no link."""
        try:
            number = os.open(name, flags | _FILE, dir_fd=self.number)
        except OSError as error:
            error.filename = str(self.path / name)
            raise
        try:
            self._check(name, os.fstat(number), writes=flags & os.O_ACCMODE != os.O_RDONLY)
        except BaseException:
            os.close(number)
            raise
        return number

    def open_or_make(self, name: str, flags: int, mode: int) -> int:
        """Return the descriptor of a regular file, made empty if it is not there.

        What root makes is for the folder's owner. Raises `FileNotFoundError` if somebody removes it
        meanwhile.
        """
        try:
            number = os.open(name, flags | _FILE | os.O_CREAT | os.O_EXCL, mode, dir_fd=self.number)
        except FileExistsError:
            return self.open_file(name, flags)
        os.fchmod(number, mode)
        if os.geteuid() == ROOT:
            os.fchown(number, *self.owner)
        return number

    def write(self, name: str, data: bytes, mode: int, owner: tuple[int, int] | None) -> None:
        """Put `data` in the place of a file, atomically, and on the disk when this returns.

        `owner` is for root to give it away; by default it is for the folder's owner. A process
        killed in the middle leaves the old file and at worst, for the moment between two system
        calls, a draft that `remove_drafts` knows; Ctrl-C and its like wait until it is done.
        """
        given_to = owner or (self.owner if os.geteuid() == ROOT else None)
        with _signals_held_back():
            for attempt in range(_ATTEMPTS):
                try:
                    self._write(name, data, mode, given_to)
                    break
                except (FileExistsError, FileNotFoundError):  # somebody else writes it, too
                    if attempt == _ATTEMPTS - 1:
                        raise
            self.sync()

    def _write(self, name: str, data: bytes, mode: int, owner: tuple[int, int] | None) -> None:
        draft = f".{name}.new"
        self._unlink_if_there(draft)
        number, is_named = self._new_file(draft)
        try:
            with open(number, "wb") as file:  # noqa: PTH123 - a descriptor
                os.fchmod(number, mode)
                if owner is not None:
                    os.fchown(number, *owner)
                file.write(data)
                file.flush()
                os.fsync(number)
                if not is_named:
                    os.link(f"{_DESCRIPTORS}/{number}", draft, dst_dir_fd=self.number)
                os.rename(draft, name, src_dir_fd=self.number, dst_dir_fd=self.number)
        except BaseException:
            with contextlib.suppress(OSError):
                self._unlink_if_there(draft)
            raise

    def _new_file(self, draft: str) -> tuple[int, bool]:
        """Return the descriptor of a new file, and whether it had to have a name."""
        if Path(_DESCRIPTORS).is_dir():  # or it could not be given a name
            try:
                flags = os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC
                return os.open(".", flags, 0o600, dir_fd=self.number), False
            except OSError as error:
                if error.errno not in _NO_UNNAMED_FILES:
                    raise
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | _FILE
        return os.open(draft, flags, 0o600, dir_fd=self.number), True

    def remove(self, name: str) -> None:
        """Remove a file, or a link itself, for good."""
        os.unlink(name, dir_fd=self.number)
        self.sync()

    def remove_drafts(self, name: str | None = None) -> None:
        """Remove what killed commands left of a file, or of all: drafts of earlier versions too."""
        with self._readable() as number:
            found = os.listdir(number)  # noqa: PTH208 - a descriptor
        whose = ".+" if name is None else re.escape(name)
        drafts = re.compile(rf"\.{whose}\.(?:new|[a-z0-9_]{{8}})")
        for each in filter(drafts.fullmatch, found):
            self._unlink_if_there(each)

    def sync(self) -> None:
        """Have its names on the disk when this returns."""
        with self._readable() as number:
            os.fsync(number)

    @contextlib.contextmanager
    def _readable(self) -> Iterator[int]:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        number = os.open(".", flags, dir_fd=self.number)
        try:
            yield number
        finally:
            os.close(number)

    def _unlink_if_there(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self.number)

    def _check(self, name: str, status: os.stat_result, *, writes: bool) -> None:
        """Raise `OSError` for what must not be opened here."""
        place = str(self.path / name)
        if not stat.S_ISREG(status.st_mode):
            raise NotRegular(errno.EINVAL, "not a regular file", place)
        if self.keeper is None or os.geteuid() != ROOT:
            return
        if self.keeper == ANYBODY:
            is_fit = status.st_uid == ROOT and status.st_nlink == 1
        else:
            is_fit = status.st_uid == self.keeper
        in_group = status.st_gid == self.owner[1] and status.st_mode & stat.S_IRGRP
        if not is_fit and (writes or not (in_group or status.st_mode & stat.S_IROTH)):
            reason = f"of {_user_name(status.st_uid)}, in a folder {self._whose()}"
            raise Misplaced(errno.EPERM, f"a file {reason}", place)

    def _whose(self) -> str:
        if self.keeper in {None, ANYBODY}:
            return "that others may write in"
        return f"of {_user_name(self.keeper or ROOT)}"


def open_folder(path: Path) -> Folder:
    """Return the folder at a path."""
    return _walk(path / "-", follow_last=False)[0]


def open_file(path: Path) -> int:
    """Return the descriptor of the regular file at a path, to read it."""
    folder, name = _walk(path, follow_last=True)
    with folder:
        return folder.open_file(name)


def _walk(path: Path, *, follow_last: bool) -> tuple[Folder, str]:
    """Return the folder that the last component of a path is in, and that component.

    With `follow_last` it is not a link.
    """
    names = list(reversed(path.absolute().parts[1:]))
    passed = [_opened(None, "/")]
    links = 0
    try:
        while names:
            name = names.pop()
            here = passed[-1]
            if name == "..":
                if len(passed) > 1:
                    passed.pop().close()
                continue
            target = here.link(name) if names or follow_last else None
            if target is not None:
                links += 1
                if links > _MAX_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
                while target.startswith("/") and len(passed) > 1:
                    passed.pop().close()
                names += reversed(Path(target.lstrip("/")).parts)
            elif names:
                passed.append(here.enter(name))
            else:
                return passed.pop(), name
    finally:
        for folder in passed:
            folder.close()
    raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))


def _opened(parent: Folder | None, name: str) -> Folder:
    """Return a folder in another, which is no link; `/` without a parent."""
    path = Path("/") if parent is None else parent.path / name
    number = os.open(name, _WALK, dir_fd=None if parent is None else parent.number)
    status = os.fstat(number)
    return Folder(
        path,
        number,
        _keeper(parent, status),
        (status.st_uid, status.st_gid),
        bool(status.st_mode & stat.S_ISVTX),
    )


def _keeper(parent: Folder | None, status: os.stat_result) -> int | None:
    """Return who may change the names in a folder with this status, in that parent."""
    me = os.geteuid()
    # A user's own group is often his alone, and what he shares is his decision; root has no such.
    shared = stat.S_IWOTH | (stat.S_IWGRP if me == ROOT else 0)
    if status.st_mode & shared:
        return ANYBODY
    if status.st_uid not in {ROOT, me}:
        return status.st_uid
    if parent is None or (parent.keeper == ANYBODY and parent.is_sticky):
        return None  # nobody else may put another in its place
    return parent.keeper


@contextlib.contextmanager
def _signals_held_back() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD_BACK)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _user_name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"
