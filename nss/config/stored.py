"""A file with secrets in the state directory, which commands write and the service reads.

It is JSON, or one secret as it is. It belongs to the folder's owner, and only he may read it.
systemd (LoadCredential) or a container's secret may give another in its place; then nothing can be
stored.
"""

import contextlib
import grp
import os
import pwd
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from nss import foreign
from nss.errors import NssError
from nss.files import private
from nss.files.beneath import ROOT, open_folder
from nss.files.readable import closed_to
from nss.secret import Secret
from nss.wording import error_text

MAX_BYTES = 64 << 10

FORM = 1

_SUDO = "run the command with sudo"


class StoredError(NssError):
    """A file with secrets can't be read or stored."""

    exit_code = 78


class StoredForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is in every such file that is JSON. What somebody wrote by hand may have no `form`."""

    form: int = FORM


Form = TypeVar("Form", bound=StoredForm)


class StoredFile:
    """One such file in a folder.

    A file of this name in `$CREDENTIALS_DIRECTORY` of `environ` takes precedence. `what` it holds
    begins each error, `tip` is how to write it anew. `user` is the number of the user at work, by
    default that of this process. `forbidden` are bits of a mode that would let others read it.
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
        forbidden: int = private.OTHERS,
    ) -> None:
        self.path = folder / name
        self._folder = folder
        self._what = what
        self._tip = tip
        self._forbidden = forbidden
        self._user = os.geteuid() if user is None else user
        given = environ.get("CREDENTIALS_DIRECTORY")
        self._given_path = None if not given else Path(given) / name

    @property
    def origin(self) -> Path:
        """The path of the file that `read` reads."""
        return self.path if self._given_path is None or not self._is_given() else self._given_path

    def load(self, kind: type[Form]) -> Form | None:
        """Return what is in the file, `None` if there is none. Raises `StoredError`."""
        data = self.read()
        if data is None:
            return None
        try:
            stored = foreign.decode(data, kind)
        except msgspec.DecodeError as error:
            raise self.error(f"the file {_fault(error, kind)}", self.origin) from None
        if stored.form != FORM:
            raise self.error("the file is of another version", self.origin)
        return stored

    def save(self, credentials: object) -> Path:
        """Replace the file by the fields of a dataclass that have a value, atomically.

        Returns its path. Raises `StoredError`.
        """
        fields = msgspec.to_builtins(credentials, enc_hook=_plain)
        values = {name: value for name, value in fields.items() if value not in {"", None}}
        self.write(msgspec.json.encode({"form": FORM, **values}))
        return self.path

    def read(self) -> bytes | None:
        """Return what is in the file, `None` if there is none. Raises `StoredError`."""
        path = self.origin
        forbidden = 0 if path == self._given_path else self._forbidden
        try:
            return private.read_bounded(path, MAX_BYTES, forbidden=forbidden)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self.error(f"can't be read: {error_text(error)}", path, _SUDO) from None
        except private.OpenToOthers:
            tip = f"chmod 600 {path}, and renew the secret in it: others may have read it"
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
        given = self._given_path
        return None if given is None else private.stamp(given), private.stamp(self.path)

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
        # A volume of Kubernetes belongs to root, and its group (fsGroup) is that of the service.
        if self._user not in {0, owner} and not (owner == ROOT and self._may_write()):
            raise self.error(f"this needs root or the user {_name(owner)}", self._folder, _SUDO)

    def _may_write(self) -> bool:
        """Return whether this process may make files in the folder, whosever it is."""
        mode = os.W_OK | os.X_OK
        return self._user == os.geteuid() and os.access(self._folder, mode, effective_ids=True)

    def check_readable(self, what: str, path: Path) -> None:
        """Raise `StoredError` for another file, named in this one, that nss can't read.

        It runs as the folder's owner. What root can read is not enough for him.
        """
        status = self._folder.stat()
        if status.st_uid == ROOT:
            return
        try:
            closed = closed_to(path, status.st_uid, status.st_gid)
        except OSError as error:
            raise self.error(f"the {what} can't be checked: {error_text(error)}", path) from None
        if closed is None:
            return
        reason = "its mode and owner keep that user out"
        if closed != path:
            reason = f"the folder {closed} keeps that user out"
        elif not path.exists():
            reason = "there is no such file"
        user, group = _name(status.st_uid), _group_name(status.st_gid)
        raise self.error(
            f"the user {user}, as which nss runs, can't read the {what}: {reason}",
            path,
            f"sudo install -o root -g {group} -m 0640 {path} /etc/nss/, and name the file there",
        )

    def error(self, problem: str, path: Path, tip: str | None = None) -> StoredError:
        """Return what is wrong with a file."""
        return StoredError(f"{self._what}: {problem} ({path})", tip=tip or self._tip)

    def _is_given(self) -> bool:
        return self._given_path is not None and os.path.lexists(self._given_path)

    def _check_not_given(self) -> None:
        if self._is_given():
            raise self.error(
                "they are given from outside, what is stored is not used",
                self.origin,
                "change the secret of the container, or what LoadCredential= of the unit names; "
                "or take it away",
            )


def _fault(error: msgspec.DecodeError, kind: type[StoredForm]) -> str:
    """Return what is wrong, without the error's text: that may quote a value."""
    known = re.search(r"`\$?\.?([a-z_]+)`$", str(error))
    if known is None or known[1] not in kind.__struct_fields__:
        return "is damaged"
    if "missing" in str(error):
        return f"has no {known[1]}"
    return f"has a wrong value for {known[1]}"


def _plain(value: Secret | Path) -> str:
    """Return what is stored of a value that is no JSON."""
    return value.reveal() if isinstance(value, Secret) else str(value.absolute())


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
