"""The root of the appliance: the base, our package, the files of root/."""

import contextlib
import re
import shutil
from pathlib import Path

from base import HERE, Failed, run

MODES = {"etc/sudoers.d/nss-appliance": 0o440}
"""What git does not keep."""

LEFTOVERS = (
    "boot/*.old-dkms",
    "etc/apt/sources.list",
    "etc/.pwd.lock",
    "etc/*-",
    "etc/ssh/ssh_host_*",
    "etc/chrony/chrony.keys",
    "root/.*_history",
    "run/*",
    "tmp/*",
    "var/backups/*",
    "var/cache/apt/*",
    "var/cache/debconf/*-old",
    "var/cache/ldconfig/*",
    "var/lib/apt/lists/*",
    "var/lib/chrony/*",
    "var/lib/cloud/*",
    "var/lib/dpkg/*-old",
    "var/lib/systemd/random-seed",
    "var/log/*",
    "var/tmp/*",
)
"""What a machine makes by itself, and what differs between two builds."""

LOGS = ("var/log/apt", "var/log/journal", "var/log/unattended-upgrades")
"""Folders of logs that packages bring and expect; the logs in them go."""

_IN_THE_ROOT = """
mount -t proc proc "$0/proc"
mount -t tmpfs tmpfs "$0/dev/shm"
mount -t tmpfs tmpfs "$0/run"
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 TZ=UTC \
    DEBIAN_FRONTEND=noninteractive chroot "$0" "$@"
"""


def compose(base: Path, package: Path, root: Path, epoch: int) -> None:
    """Lay out in the folder `root` what the archive `base` and our `package` make a machine of.

    `epoch` is the time of the image, in seconds.
    """
    root.mkdir()
    run(
        "tar",
        "--extract",
        "--xattrs",
        "--xattrs-include=*",
        "--numeric-owner",
        "-f",
        base,
        "-C",
        root,
    )
    shutil.copy(package, root / "tmp")
    inside(root, "dpkg", "--install", f"/tmp/{package.name}")  # noqa: S108 - of the root
    inside(root, "useradd", "--create-home", "--shell=/bin/bash", "--groups=sudo,nss", "admin")
    _lay_files(HERE / "root", root)
    _enable(root)
    _mark(root, package, epoch)
    _clean(root)
    _forget_days(root, epoch)


def archived(root: Path, archive: Path, epoch: int) -> None:
    """Write `root` as an archive that depends on nothing but its content and `epoch`."""
    order = ("--sort=name", "--numeric-owner", f"--mtime=@{epoch}", "--clamp-mtime")
    pax = ("--format=pax", "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime")
    xattrs = ("--xattrs", "--xattrs-include=security.capability")
    run("tar", "--create", *order, *pax, *xattrs, "-f", archive, "-C", root, ".")


def inside(root: Path, *command: str) -> bytes:
    """Run a command in the root, with processes and mounts of its own; returns its stdout."""
    spaces = ("--mount", "--pid", "--net", "--uts", "--ipc", "--fork", "--kill-child")
    return run("unshare", *spaces, "sh", "-euc", _IN_THE_ROOT, root, *command)


def _lay_files(source: Path, root: Path) -> None:
    for path in sorted(source.rglob("*")):
        name = path.relative_to(source)
        target = root / name
        if path.is_symlink():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            target.symlink_to(path.readlink())
        elif path.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
            executable = path.stat().st_mode & 0o100
            target.chmod(MODES.get(str(name), 0o755 if executable else 0o644))


def _enable(root: Path) -> None:
    """Enable and disable the units that the presets of root/ name."""
    for preset in sorted((root / "usr/lib/systemd/system-preset").glob("*-nss-*.preset")):
        names = re.findall(
            r"^(?:enable|disable) (\S+)$", preset.read_text(encoding="utf-8"), re.MULTILINE
        )
        run("systemctl", "--root", root, "preset", *names)


def _mark(root: Path, package: Path, epoch: int) -> None:
    """Write the marker by which code and tests know the appliance, and its packages."""
    folder = root / "usr/lib/nss-appliance"
    version = package.name.split("_")[1]
    (folder / "release").write_text(f"VERSION={version}\nBUILT={epoch}\n", encoding="utf-8")
    (folder / "release").chmod(0o644)


def _clean(root: Path) -> None:
    for pattern in LEFTOVERS:
        for path in root.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    for name in LOGS:
        (root / name).mkdir(parents=True, exist_ok=True)
    log = root / "var/log/nss"
    log.mkdir()
    run("chown", "--reference", root / "var/lib/nss", log)
    log.chmod(0o750)
    # Empty, not missing: systemd makes one and asks nobody questions of a first boot.
    (root / "etc/machine-id").write_bytes(b"")
    (root / "var/lib/dbus/machine-id").unlink(missing_ok=True)
    resolver = root / "etc/resolv.conf"
    resolver.unlink(missing_ok=True)
    resolver.symlink_to("../run/systemd/resolve/stub-resolv.conf")


def _forget_days(root: Path, epoch: int) -> None:
    """Set the day of each password's last change to that of the image, and lock root."""
    path = root / "etc/shadow"
    rows = [line.split(":") for line in path.read_text(encoding="utf-8").splitlines()]
    for row in rows:
        row[2] = str(epoch // 86400)
        if row[0] in {"root", "admin"}:
            row[1] = "!*" if row[0] == "root" else "!"
        elif row[1] not in {"*", "!", "!*"}:
            raise Failed(f"The user {row[0]} of the base has a password.")
    path.write_text("".join(":".join(row) + "\n" for row in rows), encoding="utf-8")
    for backup in ("shadow-", "gshadow-", "passwd-", "group-"):
        with contextlib.suppress(FileNotFoundError):
            (root / "etc" / backup).unlink()
