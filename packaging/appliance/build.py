"""Build the appliance: disk images of a Debian 12 machine with our package, sums and an SBOM.

    SOURCE_DATE_EPOCH=... python packaging/appliance/build.py --into build/appliance --formats qcow2

Needs root, mmdebstrap, fdisk, dosfstools, mtools, qemu-utils and zstd.
The image is a function of the project, SOURCE_DATE_EPOCH (the last commit's time if it is not set)
and the packages that the mirror has; --mirror names one that keeps those of a day.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent))

import disk
import inventory
import root
import sbom
import sources
from base import HERE, Failed, base, run

import formats

PROJECT = HERE.parent.parent
WHAT_IS_NEEDED = {
    "mmdebstrap": "mmdebstrap",
    "sfdisk": "fdisk",
    "mkfs.vfat": "dosfstools",
    "mcopy": "mtools",
    "qemu-img": "qemu-utils",
    "zstd": "zstd",
    "dpkg-deb": "dpkg",
}


def main() -> None:
    """Read the arguments and build."""
    parser = argparse.ArgumentParser(description="Build the appliance.")
    parser.add_argument("--into", type=Path, default=PROJECT / "build/appliance", metavar="FOLDER")
    parser.add_argument("--cache", type=Path, default=PROJECT / ".machine/appliance")
    parser.add_argument("--formats", default=" ".join(formats.FORMATS), help="some of these")
    parser.add_argument("--package", type=Path, help="our package; built if it is not given")
    parser.add_argument("--mirror", action="append", default=[], help="an apt line for mmdebstrap")
    parser.add_argument("--fresh", action="store_true", help="make the base anew")
    parser.add_argument(
        "--is-current",
        action="store_true",
        help="build nothing: end with 0 if the folder has the formats, of these very sources",
    )
    given = parser.parse_args()
    kinds = given.formats.replace(",", " ").split()
    if given.is_current:
        sys.exit(0 if is_current(given.into, kinds) else 1)
    try:
        _check(kinds)
        build(given.into, given.cache, kinds, given.package, given.mirror, fresh=given.fresh)
    except Failed as error:
        sys.exit(str(error))


def is_current(into: Path, kinds: Sequence[str]) -> bool:
    """Return whether a folder has images of these formats, made from the sources as they are."""
    has_all = all(
        kind in formats.ENDINGS and any(into.glob(f"*{formats.ENDINGS[kind]}")) for kind in kinds
    )
    return has_all and sources.is_current(into, PROJECT)


def build(
    into: Path,
    cache: Path,
    kinds: Sequence[str],
    package: Path | None,
    mirror: Sequence[str],
    *,
    fresh: bool,
) -> None:
    """Build the formats `kinds` into the folder `into`, which is emptied before."""
    epoch = _epoch()
    # Before anything is read: what changes while it is built makes the images stale. A package that
    # is given may be of any sources.
    made_from = None if package else sources.digest(PROJECT)
    os.environ["SOURCE_DATE_EPOCH"] = str(epoch)
    os.umask(0o022)
    cache.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        work = Path(folder)
        _say("the base")
        archive = base(cache, mirror, fresh=fresh)
        _say("our package")
        package = package or _package(cache / "package")
        version = package.name.split("_")[1]
        name = into / f"nss-appliance-{version}"
        _say("the root")
        tree = work / "root"
        root.compose(archive, package, tree, epoch)
        root.archived(tree, work / "root.tar", epoch)
        found = inventory.read(work / "root.tar")
        about = ("nss-appliance", "OPERATING-SYSTEM", version, epoch)
        bill = name.with_name(f"{name.name}.spdx.json")
        sbom.write(bill, *about, found.debian, found.python)
        state = (tree / "var/lib/nss").stat()
        _say("the disk")
        raw = work / "disk.raw"
        owner = (state.st_uid, state.st_gid)
        disk.write(raw, work / "root.tar", owner, cache, mirror, epoch)
        for kind in kinds:
            _say(kind)
            formats.write(kind, raw, name, version, epoch)
    formats.sums(into)
    if made_from is not None:
        sources.remember(into, made_from)
    _say("done")


def _epoch() -> int:
    """Return SOURCE_DATE_EPOCH, or the time of the last commit."""
    try:
        given = os.environ.get("SOURCE_DATE_EPOCH")
        return int(given or run("git", "-C", PROJECT, "log", "-1", "--format=%ct"))
    except ValueError:
        raise Failed(f"SOURCE_DATE_EPOCH is {given!r}. Try: seconds since 1970.") from None


def _package(folder: Path) -> Path:
    """Build our package into a folder of its own, where it stays, and return its path."""
    shutil.rmtree(folder, ignore_errors=True)
    run(sys.executable, PROJECT / "packaging/deb.py", "--into", folder)
    return next(folder.glob("*.deb"))


def _check(kinds: Sequence[str]) -> None:
    """Raise `Failed` with all that is missing or wrong, before minutes are spent."""
    problems = [f"no format: {kind}" for kind in kinds if kind not in formats.FORMATS]
    if os.geteuid():
        problems.append("it is made as root")
    missing = [name for tool, name in WHAT_IS_NEEDED.items() if not shutil.which(tool)]
    if missing:
        problems.append(f"missing: apt-get install {' '.join(missing)}")
    if problems:
        raise Failed("The appliance can't be built: " + "; ".join(problems))


_started = time.monotonic()


def _say(what: str) -> None:
    print(f"appliance, {time.monotonic() - _started:3.0f} s: {what}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
