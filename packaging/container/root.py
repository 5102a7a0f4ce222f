"""The root of the container: Debian's essential packages, what ours depends on, and our package.

mmdebstrap makes it, from Debian's archive alone, and clamps every time to SOURCE_DATE_EPOCH. It is
a tar, so owners and modes are those of the container whoever builds it.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

PACKAGING = Path(__file__).parent.parent

SUITE = "bookworm"
SOURCES = (
    f"deb http://deb.debian.org/debian {SUITE} main",
    f"deb http://deb.debian.org/debian {SUITE}-updates main",
    f"deb http://deb.debian.org/debian-security {SUITE}-security main",
)
PYTHON = "3.11"
"""Of that suite; the folders of other versions in our package are left out."""

USER = 10514
"""User and group of the service, the same in every image: volumes remember it."""

_MERGED = "/usr/share/mmdebstrap/hooks/merged-usr"
"""Brings a package of no files in the place of usrmerge, which needs the whole of Perl."""

_LEFT_OUT = (
    "/usr/share/doc/*",
    "/usr/share/man/*",
    "/usr/share/info/*",
    "/usr/share/locale/*",
    "/usr/share/lintian/*",
    "/usr/share/bug/*",
    "/usr/share/bash-completion/*",
    "/usr/share/zsh/*",
    "/usr/share/fish/*",
)
_KEPT = ("/usr/share/doc/*/copyright",)

_BEFORE = """\
root=$1
echo "nss:x:{user}:{user}:Streaming:/var/lib/nss:/usr/sbin/nologin" >>"$root/etc/passwd"
echo "nss:x:{user}:" >>"$root/etc/group"
echo "nss:!:::::::" >>"$root/etc/shadow"
echo "nss:!::" >>"$root/etc/gshadow"
"""

# No setuid program: nothing in here ever needs to become root. The sample of the configuration
# goes: without one that is mounted, the start says so. Python's compiled files are made anew by one
# process with a fixed seed, so that they are the same in every build.
_AFTER = """\
root=$1
chroot "$root" dpkg --install /nss-streamer.deb
rm "$root/nss-streamer.deb" "$root/etc/nss/nss.toml"
find "$root" -xdev -type f -perm /6000 -exec chmod ug-s {{}} +
find "$root/usr/lib/python3" "$root/usr/lib/python{python}" "$root/opt" -depth \\
    -name __pycache__ -exec rm -rf {{}} +
chroot "$root" env PYTHONHASHSEED=0 /opt/nss-streamer/bin/python3 -I -m compileall -q -j 1 \\
    --invalidation-mode unchecked-hash \\
    /opt/nss-streamer/lib/python{python}/site-packages /usr/lib/python{python}
rm -rf "$root"/var/cache/* "$root"/var/log/* "$root"/var/lib/apt "$root"/var/lib/dpkg/*-old
rm -f "$root"/etc/*- "$root/etc/machine-id" "$root/etc/ld.so.cache"
rm -f "$root/etc/dpkg/dpkg.cfg.d/99mmdebstrap"
chroot "$root" ldconfig
rm -rf "$root/var/cache/ldconfig"
install -d -o {user} -g {user} -m 0700 "$root/var/lib/nss"
install -d -o {user} -g {user} -m 0750 "$root/run/nss" "$root/var/log/nss"
"""


class Failed(Exception):  # noqa: N818 - the text is all that is shown
    """An image can't be made; the text says why and what to do."""


def make(package: Path, work: Path, archives: Path, epoch: int) -> Path:
    """Make the root with our package in it; return its tar in the folder `work`.

    `archives` keeps Debian's packages from one build to the next. Raises `Failed`.
    """
    mmdebstrap = shutil.which("mmdebstrap")
    if mmdebstrap is None:
        raise Failed("there is no mmdebstrap here\nTry: sudo apt install mmdebstrap")
    archives.mkdir(parents=True, exist_ok=True)
    before, after = work / "before", work / "after"
    before.write_text("#!/bin/sh\nset -eu\n" + _BEFORE.format(user=USER))
    after.write_text("#!/bin/sh\nset -eu\n" + _AFTER.format(user=USER, python=PYTHON))
    for script in (before, after):
        script.chmod(0o755)
    left_out = [*_LEFT_OUT, *_other_pythons()]
    tar = work / "root.tar"
    command = [
        *(mmdebstrap, "--variant=essential", "--format=tar", "--quiet"),
        f"--include={','.join(dependencies())}",
        f"--hook-dir={_MERGED}",
        *(f"--dpkgopt=path-exclude={each}" for each in left_out),
        *(f"--dpkgopt=path-include={each}" for each in _KEPT),
        "--aptopt=Apt::Install-Recommends false",
        *("--skip=download/empty", "--skip=essential/unlink", "--skip=cleanup/run"),
        '--setup-hook=mkdir -p "$1"/var/cache/apt/archives',
        f"--setup-hook=sync-in {archives} /var/cache/apt/archives",
        f"--customize-hook=sync-out /var/cache/apt/archives {archives}",
        f"--customize-hook={before}",
        f"--customize-hook=upload {package} /nss-streamer.deb",
        f"--customize-hook={after}",
        *(SUITE, str(tar), *SOURCES),
    ]
    ran = subprocess.run(  # noqa: S603 - ours
        command,
        env=os.environ | {"SOURCE_DATE_EPOCH": str(epoch)},
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        last = "\n".join(ran.stderr.splitlines()[-12:])
        raise Failed(f"mmdebstrap ended with {ran.returncode}:\n{last}")
    return tar


def dependencies() -> list[str]:
    """Return the names of the packages that ours depends on."""
    control = (PACKAGING / "debian/control").read_text(encoding="utf-8")
    found = re.search(r"^Depends: (.*)$", control, re.MULTILINE)
    if found is None:
        raise Failed("packaging/debian/control has no Depends")
    return sorted({part.split()[0] for part in found[1].split(", ")})


def _other_pythons() -> list[str]:
    # Of the package's own folders, by the versions that packaging/deb.py fills.
    return [
        f"/opt/nss-streamer/lib/python{version}/*"
        for version in ("3.12", "3.13")
        if version != PYTHON
    ]
