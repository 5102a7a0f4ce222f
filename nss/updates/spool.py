"""The spool's file over an update that changes its form: kept beside, and put back without a loss.

An older version of NSS refuses a spool of a newer form. So before a version with another form
starts for the first time, the file is copied, as it was when the version before had stopped. Going
back puts that copy in its place, but only if it has all that is still to be delivered:

- the newer version has accepted nothing, or
- each feed is done with everything that was accepted for it since; a stop delivers what is pending.

Otherwise the newer version stays, as records that were acknowledged are in its file alone. If it
can't even run, its file is set aside whole, and reported: the version that wrote it can deliver it.

The spool is a file of the service's user, in a folder of that user's: each of these steps is a
process of that user, so that root is led nowhere.
"""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from nss.updates.failures import UpdateFailed

KEPT = ".before-update"
"""Is added to the name of the file that is kept beside."""

_SECS = 3600.0

_AT_WORK = """\
import json, os, shutil, sqlite3, struct, sys
verb, path, *rest = sys.argv[1:]
kept = path + ".before-update"
BESIDE = ("", "-wal", "-shm")

def form(name):
    if not os.path.exists(name):
        return None
    with open(name, "rb") as file:
        head = file.read(64)
    return struct.unpack(">I", head[60:64])[0] if len(head) == 64 else 0

def synced(name):
    for each in (name, os.path.dirname(name)):
        number = os.open(each, os.O_RDONLY)
        os.fsync(number)
        os.close(number)

def settle(name):
    \"\"\"Have all of it in the one file: nobody else has it open.\"\"\"
    connection = sqlite3.connect(name, isolation_level=None)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.close()

def account(name):
    connection = sqlite3.connect("file:" + name + "?mode=ro", uri=True)
    feeds = {feed: [accepted, accepted + unpacked - done] for feed, accepted, unpacked, done
             in connection.execute("SELECT feed, accepted, unpacked, delivered + filtered"
                                   " + rejected + dropped FROM cursors")}
    rejects = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'rejects'")
    rejects = rejects.fetchone()
    connection.close()
    return {"feeds": feeds, "rejects": rejects[0] if rejects else 0}

if verb == "form":
    if os.path.exists(path) and os.path.exists(path + "-wal"):
        settle(path)
    print(json.dumps([form(path), form(kept)]))
elif verb == "keep":
    settle(path)
    draft = kept + ".new"
    shutil.copyfile(path, draft)
    synced(draft)
    os.replace(draft, kept)
    synced(kept)
elif verb == "account":
    settle(path)
    print(json.dumps([account(path), account(kept)]))
elif verb == "restore":
    aside = rest[0]
    if os.path.exists(kept):
        for each in BESIDE:
            if os.path.exists(path + each):
                os.replace(path + each, aside + each)
        os.replace(kept, path)
        synced(path)
    for each in (aside, aside + "-wal", aside + "-shm") if rest[1] == "forget" else ():
        if os.path.exists(each):
            os.unlink(each)
elif verb == "forget":
    for each in (kept, kept + ".new"):
        if os.path.exists(each):
            os.unlink(each)
"""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What going back to the kept file would mean."""

    waiting: int | None
    """Records that only the newer file has and that wait for a feed; `None`: nobody can tell."""
    has_more: bool
    """Whether the newer file has something else that the kept one lacks: rejected records."""


class SpoolFile:
    """The spool's file at `path`, of a user."""

    def __init__(self, path: str, user: str) -> None:
        self.path = Path(path)
        self._user = user

    def forms(self) -> tuple[int | None, int | None]:
        """Return the form of the file and that of the one kept beside; `None`: it is not there.

        Raises `UpdateFailed`.
        """
        form, kept = json.loads(self._work("form"))
        return form, kept

    def check_room(self, reserve: int) -> None:
        """Raise `UpdateFailed` when there is no room for a second file beside `reserve` bytes."""
        try:
            size = self.path.stat().st_size
            status = os.statvfs(self.path.parent)
        except OSError as error:
            raise UpdateFailed(f"update: the spool can't be seen: {error.strerror}") from None
        free = status.f_bavail * status.f_frsize
        if free < size + reserve:
            raise UpdateFailed(
                "update: the new version changes the form of the spool, and there is no room to "
                f"keep the file beside: {size >> 20} MiB of {free >> 20} MiB free, of which "
                f"{reserve >> 20} MiB stay free",
                tip=f"make room, or a smaller spool: df -h {self.path.parent}",
            )

    def keep(self) -> None:
        """Copy the file, which nobody uses now. Raises `UpdateFailed`."""
        self._work("keep")

    def outlook(self) -> Outlook:
        """Return what going back would mean; the service is stopped."""
        try:
            newer, kept = json.loads(self._work("account"))
        except (UpdateFailed, ValueError):
            return Outlook(None, has_more=True)
        waiting = 0
        for feed, (accepted, pending) in newer["feeds"].items():
            before, _ = kept["feeds"].get(feed, (0, 0))
            waiting += min(pending, accepted - before) if accepted > before else 0
        return Outlook(waiting, has_more=newer["rejects"] > kept["rejects"])

    def restore(self, aside: str, *, forget: bool) -> None:
        """Put the kept file back; the newer one gets the name `aside`, or goes."""
        self._work("restore", str(self.path) + aside, "forget" if forget else "keep")

    def forget(self) -> None:
        """Remove the file that was kept. Raises `UpdateFailed`."""
        self._work("forget")

    def _work(self, verb: str, *arguments: str) -> str:
        user = self._user if os.geteuid() == 0 and self._user not in {"", "root"} else None
        try:
            ran = subprocess.run(  # noqa: S603 - the text above
                ["/usr/bin/python3", "-I", "-c", _AT_WORK, verb, str(self.path), *arguments],
                user=user,
                group=user,
                extra_groups=None if user is None else [],
                cwd="/",
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
                umask=0o077,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_SECS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise UpdateFailed(f"update: the spool can't be looked at: {error}") from None
        if ran.returncode:
            last = (ran.stderr.strip().splitlines() or ["no reason"])[-1]
            raise UpdateFailed(f"update: the spool: {verb}: {last[:200]}")
        return ran.stdout
