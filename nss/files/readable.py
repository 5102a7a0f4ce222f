"""Whether another user may read a file: asked of the kernel as that user.

Reasoning over modes would miss access control lists and what mounts add. Root does not open the
file for it: `test -r` runs with the user's rights and nothing of root's, neither descriptors nor
terminal, so that whoever takes that process over has gained nothing.
"""

import os
import pwd
import shutil
import subprocess
from pathlib import Path

from nss.files.beneath import ROOT

_TIMEOUT_SECS = 10.0


def closed_to(path: Path, user: int, group: int) -> Path | None:
    """Return the first folder or file on a path that keeps a user out; `None`: he may read it.

    `group` is his if the system does not know him. Raises `OSError` when it can't be found out.
    """
    asks = _Asker(user, group)
    if asks("-r", path):
        return None
    for folder in (*reversed(path.parents), *reversed(path.resolve().parents)):
        if not asks("-x", folder):
            return folder
    return path


class _Asker:
    def __init__(self, user: int, group: int) -> None:
        self._user, self._group = user, group
        self._groups = [group]
        try:
            entry = pwd.getpwuid(user)
        except KeyError:
            return
        self._group = entry.pw_gid
        self._groups = os.getgrouplist(entry.pw_name, entry.pw_gid)

    def __call__(self, right: str, path: Path) -> bool:
        """Return whether the user has a right, as `test` names it."""
        if os.geteuid() != ROOT:  # who may ask for nobody else
            return os.access(path, os.R_OK if right == "-r" else os.X_OK)
        program = shutil.which("test", path=os.defpath)
        if program is None:
            raise FileNotFoundError("the program test is not installed")
        try:
            asked = subprocess.run(  # noqa: S603 - a program of the system's
                [program, right, str(path)],
                user=self._user,
                group=self._group,
                extra_groups=self._groups,
                env={},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                timeout=_TIMEOUT_SECS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"no answer within {_TIMEOUT_SECS:g} s") from None
        return asked.returncode == 0
