"""The root of a Debian 12 machine, with what packaging/appliance/packages names: a tar archive.

Making it takes minutes, so it is kept, for a day: after that there may be security updates.
"""

import hashlib
import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent
SUITE = "bookworm"
MAX_AGE_SECS = 24 * 3600

BEFORE_PACKAGES = ("etc/dpkg/dpkg.cfg.d/nss-appliance",)
"""Files of root/ that dpkg reads while packages are unpacked."""

BEFORE_KERNEL = (
    "etc/initramfs-tools/conf.d/nss-appliance",
    "etc/initramfs-tools/hooks/nss-appliance",
)
"""Files of root/ that the initramfs is made with."""

UNSAFE_IO = "etc/dpkg/dpkg.cfg.d/zz-builder"
"""Makes dpkg wait for no disk while the root is made; gone afterwards."""


class Failed(Exception):  # noqa: N818 - it ends a build
    """A sentence about what could not be built, with the output of the tool."""


def packages() -> list[str]:
    """Return the names in the file `packages`, without their reasons."""
    lines = (HERE / "packages").read_text(encoding="utf-8").splitlines()
    return [name for line in lines if (name := line.partition("#")[0].strip())]


def base(cache: Path, mirror: Sequence[str], *, fresh: bool) -> Path:
    """Return the archive in the folder `cache`; made if it is too old, unknown or to be `fresh`."""
    key = hashlib.sha256("\n".join([*packages(), *mirror]).encode())
    for name in (*BEFORE_PACKAGES, *BEFORE_KERNEL):
        key.update((HERE / "root" / name).read_bytes())
    archive = cache / f"base-{key.hexdigest()[:16]}.tar"
    if not fresh and archive.exists() and time.time() - archive.stat().st_mtime < MAX_AGE_SECS:
        return archive
    for old in cache.glob("base-*.tar"):
        old.unlink()
    partial = archive.with_suffix(".partial.tar")
    with tempfile.TemporaryDirectory(dir=_memory()) as folder:
        run(
            "mmdebstrap",
            "--mode=root",
            "--variant=apt",
            "--format=tar",
            f"--include={','.join(packages())}",
            *_hooks(),
            SUITE,
            partial,
            *mirror,
            # Constant: what is younger than the image's epoch is made as old as that, in the end.
            environ={"SOURCE_DATE_EPOCH": "1", "TMPDIR": folder},
        )
    partial.rename(archive)
    return archive


def extracted(cache: Path, suite: str, names: Sequence[str], mirror: Sequence[str]) -> Path:
    """Return a folder with the files of packages that the builder needs and the image does not."""
    folder = cache / f"tools-{suite}-{hashlib.sha256(' '.join(names).encode()).hexdigest()[:8]}"
    if not folder.exists():
        partial = folder.with_suffix(".partial")
        run("rm", "-rf", partial)
        variant = ("--mode=root", "--variant=extract", "--format=directory")
        run("mmdebstrap", *variant, f"--include={','.join(names)}", suite, partial, *mirror)
        partial.rename(folder)
    return folder


def run(
    *command: str | Path, environ: dict[str, str] | None = None, data: bytes | None = None
) -> bytes:
    """Run a command and return its stdout; raises `Failed` with its output if it fails."""
    arguments = [str(one) for one in command]
    try:
        ran = subprocess.run(  # noqa: S603 - ours
            arguments,
            env=os.environ | {"LC_ALL": "C.UTF-8", "TZ": "UTC"} | (environ or {}),
            input=data,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        raise Failed(f"There is no {arguments[0]}. Try: apt-get install it.") from None
    if ran.returncode:
        output = (ran.stdout + ran.stderr).decode(errors="replace")
        raise Failed(
            f"{' '.join(arguments[:3])} ... ended with {ran.returncode}:\n{output[-4000:]}"
        )
    return ran.stdout


def _hooks() -> list[str]:
    """Return the hooks that bring files which packages are unpacked and configured with."""
    setup = [f'mkdir -p "$1/{Path(UNSAFE_IO).parent}"', f'echo force-unsafe-io >"$1/{UNSAFE_IO}"']
    setup += _copies(BEFORE_PACKAGES)
    return [
        *(f"--setup-hook={line}" for line in setup),
        *(f"--essential-hook={line}" for line in _copies(BEFORE_KERNEL)),
        f'--customize-hook=rm "$1/{UNSAFE_IO}"',
    ]


def _copies(names: Sequence[str]) -> list[str]:
    return [f'install -D -p "{HERE / "root" / name}" "$1/{name}"' for name in names]


def _memory() -> str | None:
    """Return a folder in memory with room for the root of a machine, if there is one."""
    shared = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
    if not shared.is_dir():
        return None
    free = os.statvfs(shared)
    return str(shared) if free.f_bavail * free.f_frsize > 3 << 30 else None
