"""The image in its formats, and disks over them: an image is never written to."""

import os
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, get_args

Format = Literal["raw", "qcow2", "ova", "vhd"]
FORMATS: tuple[Format, ...] = get_args(Format)
DRIVERS: Mapping[Format, str] = {"raw": "raw", "qcow2": "qcow2", "ova": "vmdk", "vhd": "vpc"}
"""What QEMU calls the format of the disk."""

FOLDER = "NSS_APPLIANCE"
"""This variable names the folder with the images."""


def image(kind: Format) -> Path:
    """Return the image of a format; `raw` may be there compressed alone."""
    folder = Path(os.environ[FOLDER])
    ends = ("raw", "raw.zst") if kind == "raw" else (kind,)
    found = [path for end in ends for path in sorted(folder.glob(f"nss-appliance-*.{end}"))]
    assert found, f"no image in {folder} ends with {' or '.join(ends)}"
    return found[0]


def disk(kind: Format, folder: Path, grown_to: str | None = None) -> Path:
    """Make a disk that begins as the image; `grown_to` is its size if it is larger: "12G"."""
    base = image(kind)
    if kind == "ova":
        base = _vmdk(base, folder)
    elif base.suffix == ".zst":
        base = _unpacked(base, folder)
    made = folder / "disk.qcow2"
    _run("qemu-img", "create", "-q", "-f", "qcow2", "-F", DRIVERS[kind], "-b", str(base), str(made))
    if grown_to is not None:
        _run("qemu-img", "resize", "-q", str(made), grown_to)
    return made


def seed(folder: Path, files: Mapping[str, str]) -> Path:
    """Make the disk that cloud-init reads as its source NoCloud: `user-data` and its siblings."""
    content = folder / "seed"
    content.mkdir()
    for name, text in files.items():
        (content / name).write_text(text, encoding="utf-8")
    made = folder / "seed.iso"
    _run(
        "xorriso",
        "-as",
        "mkisofs",
        "-quiet",
        "-V",
        "CIDATA",
        "-J",
        "-r",
        "-o",
        str(made),
        str(content),
    )
    return made


def _vmdk(ova: Path, folder: Path) -> Path:
    """Take the disk out of an OVA."""
    with tarfile.open(ova) as archive:
        names = [name for name in archive.getnames() if name.endswith(".vmdk")]
        assert len(names) == 1, names
        archive.extract(names[0], folder, filter="data")
    return folder / names[0]


def _unpacked(compressed: Path, folder: Path) -> Path:
    made = folder / compressed.stem
    _run("zstd", "-q", "-d", "--sparse", str(compressed), "-o", str(made))
    return made


def _run(*command: str) -> None:
    ran = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    assert ran.returncode == 0, f"{command}: {ran.stderr}"
