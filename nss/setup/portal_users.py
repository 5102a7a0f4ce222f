"""Who may sign in at the portal: users, roles and hashes of passwords, in the state directory.

    {"form": 1, "users": {"alice": {"role": "admin", "hash": "$argon2id$v=19$m=65536,t=3,p=1$..",
                                    "changed_at": 1763942400.5}}}

`changed_at` is when password or role were set last, seconds since the epoch.
"""

import contextlib
import fcntl
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Literal

import msgspec

from formats.dataclass import dataclass
from nss.config.stored import StoredError, StoredFile, StoredForm
from nss.errors import UsageError
from nss.files.beneath import open_folder
from nss.setup.password_hashes import MAX_PASSWORD_BYTES, Cost, PasswordHashes, normal
from nss.wording import error_text

Role = Literal["admin", "viewer"]
"""An admin may change and do everything, a viewer only look."""

FILE_NAME = "portal-users.json"

MIN_CHARACTERS = 12
MAX_USERS = 100

SET_PASSWORD = "sudo nss portal set-password"  # noqa: S105 - a command

_NAME = re.compile(r"(?!-)[A-Za-z0-9._@-]{1,64}")
_LOCK_SECS = 5.0
_PAUSE_SECS = 0.01


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may sign in."""

    name: str
    role: Role
    changed_at: float
    """When password or role were set last, seconds since the epoch."""

    @property
    def stamp(self) -> str:
        """A text that changes with the password or the role: sessions begun before are over."""
        return f"{self.role} {self.changed_at}"


class _StoredUser(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    role: Role
    hash: str
    changed_at: float


class _Stored(StoredForm, frozen=True, kw_only=True, forbid_unknown_fields=True):
    users: dict[str, _StoredUser]


class PortalUsers:
    """The users of the portal of a service with this state directory.

    Methods block: in an event loop they belong into a thread. Each reads the file anew; those that
    change it lock the folder, so that no change is lost. `cost` is that of new hashes.
    """

    def __init__(
        self,
        folder: Path,
        *,
        environ: Mapping[str, str] = os.environ,
        now: Callable[[], float] = time.time,
        cost: Cost = Cost(),  # noqa: B008 - it is frozen
    ) -> None:
        self._folder = folder
        self._now = now
        self._cost = cost
        self.file = StoredFile(
            folder,
            FILE_NAME,
            environ,
            what="users of the portal",
            tip=f"remove it, and run: {SET_PASSWORD}",
        )

    def users(self) -> list[User]:
        """Return all, by name. Raises `StoredError`."""
        return [_user(name, stored) for name, stored in sorted(self._load().items())]

    def find(self, name: str) -> User | None:
        """Return a user, `None` if there is no such. Raises `StoredError`."""
        stored = self._load().get(name)
        return None if stored is None else _user(name, stored)

    def set_password(self, name: str, password: str, role: Role | None = None) -> User:
        """Add a user, or change the password of one.

        Without a role one who is there keeps his, and a new one becomes admin. Raises `UsageError`
        for a name or a password that can't be used, and `StoredError`.
        """
        check_name(name)
        hashed = PasswordHashes(self._cost).make(checked_password(name, password))
        with self._changing() as stored:
            before = stored.get(name)
            if before is None:
                _check_new(name, stored)
            kept: Role = "admin" if before is None else before.role
            stored[name] = _StoredUser(role or kept, hashed, self._now())
            return _user(name, stored[name])

    def remove(self, name: str) -> bool:
        """Remove a user; returns whether there was one. Raises `StoredError`."""
        with self._changing() as stored:
            return stored.pop(name, None) is not None

    def verify(self, name: str, password: str) -> User | None:
        """Return the user whose password this is. Raises `StoredError`.

        It takes as long for a user that there is not as for a wrong password.
        """
        stored = self._load().get(name)
        hashes = PasswordHashes(self._cost)
        candidate = normal(password) or b""  # which is nobody's: it is too short
        hashed = hashes.of_nobody if stored is None else stored.hash
        if not hashes.fits(hashed, candidate) or stored is None:
            return None
        if hashes.is_outdated(stored.hash):
            self._hash_again(name, stored, candidate)
        return _user(name, stored)

    def stamp(self) -> tuple[object, ...]:
        """Return a value that changes whenever a user may have changed. The file is not read."""
        return self.file.stamp()

    def check_writable(self) -> None:
        """Raise `StoredError` when storing would fail, or have no effect."""
        self.file.check_writable()

    def _load(self) -> dict[str, _StoredUser]:
        found = self.file.load(_Stored)
        return {} if found is None else found.users

    @contextlib.contextmanager
    def _changing(self) -> Iterator[dict[str, _StoredUser]]:
        """Yield the users, to be changed, and store them if the block does not raise."""
        self.file.check_writable()
        with self._locked():
            users = self._load()
            before = dict(users)
            yield users
            if users != before:
                self.file.write(msgspec.json.encode(_Stored(users=users)))

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep others out who change users. Raises `StoredError` if they take too long."""
        try:
            with open_folder(self._folder) as folder:
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
                number = os.open(".", flags, dir_fd=folder.number)
        except OSError as error:
            raise self.file.error(f"can't be locked: {error_text(error)}", self._folder) from None
        try:
            self._wait_for_lock(number)
            yield
        finally:
            os.close(number)

    def _wait_for_lock(self, number: int) -> None:
        deadline = time.monotonic() + _LOCK_SECS
        while True:
            try:
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() < deadline:
                    time.sleep(_PAUSE_SECS)
                    continue
                tip = "try again; if it stays so, see who has the folder open: fuser -v FOLDER"
                raise self.file.error("somebody else changes them", self._folder, tip) from None
            else:
                return

    def _hash_again(self, name: str, stored: _StoredUser, password: bytes) -> None:
        """Have a hash of today's cost, where it can be stored; the user stays as he is."""
        with contextlib.suppress(StoredError):
            self.file.check_writable()
            hashed = PasswordHashes(self._cost).make(password)
            with self._changing() as users:
                if users.get(name) == stored:
                    users[name] = msgspec.structs.replace(stored, hash=hashed)


def check_name(name: str) -> None:
    """Raise `UsageError` for what can't be the name of a user."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            "the name of a user may have 1 to 64 letters, digits and . _ @ -, and begins with no -",
            tip="for example: alice or alice@example.com",
        )


def checked_password(name: str, password: str) -> bytes:
    """Return a password as it is hashed. Raises `UsageError`, without the password in it."""
    found = normal(password)
    if found is None:
        most = f"at most {MAX_PASSWORD_BYTES} bytes of UTF-8"
        raise UsageError(f"the password is too long: {most}, or is no text")
    if b"\n" in found or b"\r" in found:
        raise UsageError(
            "the password has more than one line", tip="nobody can type that at the portal"
        )
    if len(found.decode()) < MIN_CHARACTERS:
        raise UsageError(
            f"the password is too short: at least {MIN_CHARACTERS} characters",
            tip="a few words in a row are long, and easy to remember",
        )
    if found.decode().casefold() == name.casefold():
        raise UsageError("the password is the name of the user", tip="choose another")
    return found


def _check_new(name: str, users: Mapping[str, object]) -> None:
    if len(users) >= MAX_USERS:
        raise UsageError(f"there are {MAX_USERS} users already", tip="sudo nss portal remove-user")
    for known in users:
        if known.casefold() == name.casefold():
            raise UsageError(f"there is a user {known} already", tip="write the name like that")


def _user(name: str, stored: _StoredUser) -> User:
    return User(name, stored.role, stored.changed_at)
