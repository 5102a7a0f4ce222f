"""A file with secrets in the state directory, which commands write and the service reads.

It belongs to the folder's owner, and only he may read it. systemd may give another in its place
(LoadCredential); then nothing can be stored.
"""

import contextlib
import os
import pwd
from collections.abc import Mapping
from pathlib import Path

from nss.errors import NssError
from nss.files import private
from nss.files.beneath import open_folder
from nss.wording import error_text

MAX_BYTES = 64 << 10

_SUDO = "run the command with sudo"


class StoredError(NssError):
    """A file with secrets can't be read or stored."""

    exit_code = 78


class StoredFile:
    """One such file in a folder.

    A file of this name in `$CREDENTIALS_DIRECTORY` of `environ` takes precedence. `what` it holds
    begins each error, `tip` is how to write it anew. `user` is the number of the user at work, by
    default that of this process.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        environ: Mapping[str, str],
        *,
        what: str,
        tip: str,
        user: int | None = None,
    ) -> None:
        self.path = folder / name
        self._folder = folder
        self._what = what
        self._tip = tip
        self._user = os.geteuid() if user is None else user
        given = environ.get("CREDENTIALS_DIRECTORY")
        self._given_path = None if not given else Path(given) / name

    @property
    def origin(self) -> Path:
        """The path of the file that `read` reads."""
        return self.path if self._given_path is None or not self._is_given() else self._given_path

    def read(self) -> bytes | None:
        """Return what is in the file, `None` if there is none. Raises `StoredError`."""
        path = self.origin
        forbidden = 0 if path == self._given_path else private.OTHERS
        try:
            return private.read_bounded(path, MAX_BYTES, forbidden=forbidden)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self.error(f"can't be read: {error_text(error)}", path, _SUDO) from None
        except private.OpenToOthers:
            tip = f"chmod 600 {path}, and renew the secrets in it: others may have read them"
            raise self.error("others may read the file", path, tip) from None
        except private.FileFault as fault:
            raise self.error(f"the file {fault}", path) from None

    def write(self, data: bytes) -> None:
        """Replace the file, atomically. Raises `StoredError`."""
        self.check_writable()
        self.remove_drafts()
        try:
            private.write_private(self.path, data)
        except OSError as error:
            tip = f"{_SUDO}, and see that the disk has space"
            raise self.error(f"can't be stored: {error_text(error)}", self.path, tip) from None

    def remove(self) -> bool:
        """Remove the file; returns whether there was one. Raises `StoredError`."""
        self._check_not_given()
        self.remove_drafts()
        try:
            private.remove_file(self.path)
        except FileNotFoundError:
            return False
        except OSError as error:
            problem = f"can't be removed: {error_text(error)}"
            raise self.error(problem, self.path, _SUDO) from None
        return True

    def remove_drafts(self) -> None:
        """Remove what a command that was killed while it wrote left.

        What can't be removed stays: the next command or start tries again.
        """
        with contextlib.suppress(OSError), open_folder(self._folder) as folder:
            folder.remove_drafts(self.path.name)

    def stamp(self) -> tuple[object, ...]:
        """Return a value that changes whenever `read` may return something else."""
        return _stamp(self._given_path), _stamp(self.path)

    def check_writable(self) -> None:
        """Raise `StoredError` when writing would fail, or have no effect."""
        self._check_not_given()
        if not os.path.isdir(self._folder):  # noqa: PTH112 - False also where it can't be reached
            raise self.error(
                "there is no folder to keep them in",
                self._folder,
                "create it for the user that nss runs as, for example: sudo install -d -o nss "
                f"-m 0750 {self._folder}; or set state_directory in [service]",
            )
        owner = self._folder.stat().st_uid
        if self._user not in {0, owner}:
            raise self.error(f"this needs root or the user {_name(owner)}", self._folder, _SUDO)

    def error(self, problem: str, path: Path, tip: str | None = None) -> StoredError:
        """Return what is wrong with a file."""
        return StoredError(f"{self._what}: {problem} ({path})", tip=tip or self._tip)

    def _is_given(self) -> bool:
        return self._given_path is not None and os.path.lexists(self._given_path)

    def _check_not_given(self) -> None:
        if self._is_given():
            raise self.error(
                "systemd gives them, what is stored is not used",
                self.origin,
                "change what LoadCredential= of the unit names, or take that line away",
            )


def _stamp(path: Path | None) -> object:
    if path is None:
        return None
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
