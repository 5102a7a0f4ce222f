"""The configurations that were replaced lately, each as a file that could be put back by hand.

    # nss: {"at": 1796000000.5, "by": "alice (portal)", "state": "replaced", "digest": "..."}
    ...the file as it was, byte for byte

They are `NUMBER.toml` in a folder of the state directory that is private, for a configuration may
hold what somebody should not have written into it. `digest` is that of what replaced it.
"""

import contextlib
import hashlib
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import msgspec
import orjson

from nss import foreign
from nss.config.load import MAX_BYTES
from nss.errors import ConfigError
from nss.files.beneath import open_folder
from nss.files.private import MODE, FileFault, read_bounded, remove_file, write_private
from nss.wording import error_text

FOLDER_NAME = "configurations"

KEPT = 5

_FOLDER_MODE = 0o700
_HEAD = b"# nss: "
_MAX_HEAD_BYTES = 4096
_MAX_NUMBER = 10**9
_NAME = re.compile(r"([1-9][0-9]{0,8})\.toml")

State = Literal["replaced", "unfinished"]


class _Head(msgspec.Struct):
    at: float
    by: str
    state: State
    digest: str


@dataclass(frozen=True, slots=True)
class Version:
    """A configuration file that was replaced.

    It is `unfinished` from before the file is written until the service has taken the new one over;
    one that stays so was left by a service that ended in between.
    """

    number: int
    at: float
    """When it was replaced, seconds since the epoch."""
    by: str
    """The person who replaced it."""
    state: State
    digest: str
    """Of the file that replaced it."""
    data: bytes
    """The file, as it was."""


def digest_of(data: bytes) -> str:
    """Return what a configuration file is recognised by."""
    return hashlib.sha256(data).hexdigest()


class Versions:
    """The last `KEPT` configurations before the one that is in force, in a state directory."""

    def __init__(self, state_directory: Path) -> None:
        self.folder = state_directory / FOLDER_NAME

    def path(self, number: int) -> Path:
        """Return where a version is."""
        return self.folder / f"{number}.toml"

    def all(self) -> list[Version]:
        """Return what is kept, the newest first; a file that can't be read is left out."""
        found = (self._read(number) for number in sorted(self._numbers(), reverse=True))
        return [version for version in found if version is not None]

    def find(self, number: int) -> Version:
        """Return a version. Raises `ConfigError` when it is not kept."""
        version = self._read(number) if 0 < number < _MAX_NUMBER else None
        if version is None:
            raise ConfigError(
                f"configuration: version {number} is not kept",
                tip=f"choose one of the last {KEPT}",
            )
        return version

    def keep(self, data: bytes, *, at: float, by: str, digest: str) -> Version:
        """Keep a file that is about to be replaced by one with `digest`. Raises `ConfigError`."""
        number = max(self._numbers(), default=0) + 1
        version = Version(number, at, by, "unfinished", digest, data)
        try:
            with open_folder(self.folder.parent) as parent:
                parent.make_folder(FOLDER_NAME, _FOLDER_MODE, parent.owner).close()
            with open_folder(self.folder) as folder:
                folder.remove_drafts()
            self._write(version)
        except OSError as error:
            raise ConfigError(
                "configuration: it is not changed, because the version before can't be kept: "
                f"{error_text(error)} ({self.folder})",
                tip="the user that nss runs as must write in service.state_directory",
            ) from None
        return version

    def finish(self, version: Version) -> None:
        """Note that the service has taken over what replaced it; remove what is too old."""
        with contextlib.suppress(OSError):  # it stays unfinished, which is explained then
            self._write(replace(version, state="replaced"))
            for number in sorted(self._numbers())[:-KEPT]:
                remove_file(self.path(number))

    def drop(self, version: Version) -> None:
        """Forget a version that is the file again."""
        with contextlib.suppress(OSError):
            remove_file(self.path(version.number))

    def _write(self, version: Version) -> None:
        head = {
            "at": version.at,
            "by": version.by,
            "state": version.state,
            "digest": version.digest,
        }
        data = _HEAD + orjson.dumps(head) + b"\n" + version.data
        write_private(self.path(version.number), data, mode=MODE)

    def _read(self, number: int) -> Version | None:
        try:
            data = read_bounded(self.path(number), MAX_BYTES + _MAX_HEAD_BYTES)
            line, _, rest = data.partition(b"\n")
            head = foreign.decode(line.removeprefix(_HEAD), _Head)
        except (OSError, FileFault, msgspec.DecodeError):
            return None
        return Version(number, head.at, head.by, head.state, head.digest, rest)

    def _numbers(self) -> list[int]:
        try:
            names = [path.name for path in self.folder.iterdir()]
        except OSError:
            return []
        return [int(found[1]) for found in map(_NAME.fullmatch, names) if found]
