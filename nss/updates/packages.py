"""dpkg: what is installed, the package of it made again, and the exchange of packages.

dpkg does not keep packages, so the way back is a package made of the files that are installed,
which must be those that the package brought. It needs no network, and is what really ran.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from nss.updates.failures import UpdateFailed
from nss.updates.plan import PACKAGE

_INFO = Path("/var/lib/dpkg/info")
_LOCK = Path("/var/lib/dpkg/lock-frontend")
_CONTROL = ("preinst", "postinst", "prerm", "postrm", "md5sums", "triggers")
_DOCUMENTS = "/usr/share/"
_SECS = 900.0
_LOCK_SECS = 60.0
_REPACK_SHARE = 1.1
"""What the tree and the package of it take at most, of the installed size twice."""


def installed() -> str | None:
    """Return the version that is installed completely; `None`: none is."""
    shown = _run(
        *("dpkg-query", "--show", "--showformat=${db:Status-Abbrev} ${Version}", PACKAGE)
    ).stdout.split()
    return shown[1] if len(shown) == len(("ii", "version")) and shown[0] == "ii" else None


def field(name: str) -> str:
    """Return a field of the installed package, empty if it has none."""
    return _run("dpkg-query", "--show", f"--showformat=${{{name}}}", PACKAGE).stdout.strip()


def is_newer(version: str, than: str) -> bool:
    """Whether a version is newer than another."""
    return _run("dpkg", "--compare-versions", version, "gt", than).returncode == 0


def check(package: Path, version: str) -> None:
    """Raise `UpdateFailed` unless a file is our package, of a version, for this machine."""
    wanted = {"Package": PACKAGE, "Version": version, "Architecture": "amd64"}
    for field, value in wanted.items():
        found = _run("dpkg-deb", "--field", str(package), field)
        if found.returncode or found.stdout.strip() != value:
            raise UpdateFailed(
                f"update: the package says {field} {_first(found)!r}, not {value!r}",
                tip="who runs the repository must publish it anew",
            )


def check_room(folder: Path, size: int, installed_size: int) -> None:
    """Raise `UpdateFailed` when the disk has no room: for the packages and for the new files."""
    for place, needed in ((folder, 2 * size + installed_size), (Path("/opt"), installed_size)):
        at = place if place.exists() else place.parent
        status = os.statvfs(at)
        free = status.f_bavail * status.f_frsize
        wanted = int(needed * _REPACK_SHARE)
        if free < wanted:
            raise UpdateFailed(
                f"update: the disk has no room: {wanted >> 20} MiB are needed at {at}, and "
                f"{free >> 20} MiB are free",
                tip=f"make room: df -h {at}",
            )


def repack(into: Path, work: Path, *, strict: bool) -> None:
    """Make the package of what is installed.

    Raises `UpdateFailed` if files are missing or, when it is `strict`, changed. Documents may be
    missing: dpkg can be told not to lay them out.

    Configuration files are not in it: there is no text of theirs but the administrator's, and dpkg
    would take that for what the package brings. So it would count as unchanged, and the next
    version would put its own in its place. What a package does not bring, dpkg leaves alone.
    """
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(mode=0o755)
    _copy_files(work)
    if strict:
        _check_sums(work)
    _copy_control(work / "DEBIAN")
    draft = into.with_name(f".{into.name}.new")
    options = ("--root-owner-group", "-Zgzip", "-z1")
    made = _run("dpkg-deb", *options, "--build", str(work), str(draft))
    shutil.rmtree(work)
    if made.returncode:
        raise UpdateFailed(f"update: the way back can't be kept: {_first(made)}")
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    draft.replace(into)


def _copy_files(work: Path) -> None:
    brought = conffiles()
    for name in _listed():
        if name in brought:
            continue
        source, target = Path(name), work / name.lstrip("/")
        if source.is_symlink():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(source.readlink())
        elif source.is_dir():
            target.mkdir(parents=True, exist_ok=True)
            target.chmod(0o755)
        elif source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
        elif not name.startswith(_DOCUMENTS):
            raise UpdateFailed(f"update: a file of the installed package is missing ({name})")


def _copy_control(control: Path) -> None:
    control.mkdir(mode=0o755)
    for name in _CONTROL:
        found = _INFO / f"{PACKAGE}.{name}"
        if found.exists():
            shutil.copy2(found, control / name)
    (control / "control").write_text(_control(), encoding="utf-8")


def _listed() -> Iterator[str]:
    for line in _run("dpkg-query", "--listfiles", PACKAGE).stdout.splitlines():
        if line.startswith("/") and line != "/.":
            yield line


def _check_sums(work: Path) -> None:
    """Raise `UpdateFailed` when files are not those that the package brought."""
    ran = _run("md5sum", "--check", "--quiet", str(_INFO / f"{PACKAGE}.md5sums"), cwd=work)
    brought = conffiles()
    changed = [line.partition(":")[0] for line in ran.stdout.splitlines() if ": FAILED" in line]
    changed = [
        name
        for name in changed
        if f"/{name}" not in brought and not f"/{name}".startswith(_DOCUMENTS)
    ]
    if changed:
        raise UpdateFailed(
            f"update: files of the installed package were changed: {', '.join(changed[:3])}",
            tip="put back what was installed, or accept the loss: sudo nss force-update-now",
        )


def conffiles() -> dict[str, str]:
    """Return the configuration files of the package, with the MD5 of what it brought for each."""
    lines = map(str.split, field("Conffiles").splitlines())
    return {words[0]: words[1] for words in lines if len(words) > 1}


def keep_conffiles(into: Path) -> None:
    """Keep the configuration files as they are. Raises `OSError`."""
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(mode=0o700)
    for name in conffiles():
        source, kept = Path(name), into / name.lstrip("/")
        if source.is_file():
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, kept)
            os.chown(kept, source.stat().st_uid, source.stat().st_gid)


def restore_conffiles(kept_in: Path) -> None:
    """Put back those kept that a newer version has replaced by its own. Raises `OSError`.

    It does so where nobody had changed them; what somebody wrote stays.
    """
    for name, brought in conffiles().items():
        path, kept = Path(name), kept_in / name.lstrip("/")
        if not kept.is_file() or not path.is_file() or _md5(path) != brought:
            continue
        draft = path.with_name(f".{path.name}.new")
        shutil.copy2(kept, draft)
        os.chown(draft, kept.stat().st_uid, kept.stat().st_gid)
        draft.replace(path)


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def _control() -> str:
    """Return the control file, without what dpkg adds to it."""
    lines = _run("dpkg-query", "--status", PACKAGE).stdout.splitlines()
    kept, drops = [], False
    for line in lines:
        if not line.startswith(" "):
            drops = line.split(":")[0] in {"Status", "Conffiles", "Config-Version"}
        if not drops and line:
            kept.append(line)
    return "\n".join(kept) + "\n"


@contextlib.contextmanager
def only_package_tool(secs: float = _LOCK_SECS) -> Iterator[None]:
    """Keep every other package tool away. Raises `UpdateFailed` when one is at work for long."""
    number = os.open(_LOCK, os.O_RDWR | os.O_CREAT, 0o640)
    try:
        _wait_for_lock(number, secs)
        yield
    finally:
        os.close(number)


def _wait_for_lock(number: int, secs: float) -> None:
    deadline = time.monotonic() + secs
    while True:
        try:
            fcntl.lockf(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() > deadline:
                raise UpdateFailed(
                    "update: another package tool is at work",
                    tip="wait for its end, then again: sudo nss update-now",
                ) from None
            time.sleep(0.5)
        else:
            return


def install(package: Path) -> str:
    """Install a package over what is there; returns what dpkg says if it fails, else nothing.

    The caller keeps other package tools away. What an earlier dpkg left half done is finished or
    replaced.
    """
    options = ("--force-confold", "--force-confdef", "--force-downgrade")
    ran = _run("dpkg", *options, "--install", str(package), secs=_SECS)
    if ran.returncode == 0:
        return ""
    lines = (ran.stdout + ran.stderr).strip().splitlines()
    said = [line for line in lines if "error" in line] or lines[-1:]
    return said[0] if said else f"dpkg ended with {ran.returncode}"


def _first(ran: subprocess.CompletedProcess[str]) -> str:
    return ((ran.stdout + ran.stderr).strip().splitlines() or ["nothing"])[0][:200]


def _run(
    *command: str, secs: float = 300.0, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # noqa: S603 - the system's own
            command,
            cwd=cwd,
            env={
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                "LC_ALL": "C",
                "DEBIAN_FRONTEND": "noninteractive",
                "DPKG_FRONTEND_LOCKED": "1",
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=secs,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 124, "", f"{command[0]} did not end")
