"""The disk in the formats of those who run machines, and the sums of all files."""

import hashlib
import tarfile
from pathlib import Path
from string import Template

from base import HERE, run

ENDINGS = {"raw": ".raw.zst", "qcow2": ".qcow2", "ova": ".ova", "vhd": ".vhd"}
FORMATS = tuple(ENDINGS)


def write(kind: str, raw: Path, name: Path, version: str, epoch: int) -> Path:
    """Write one of `FORMATS` of the disk `raw`, beside `name` with its own ending."""
    path = name.with_name(f"{name.name}{ENDINGS[kind]}")
    match kind:
        case "raw":
            return _raw(raw, path)
        case "qcow2":
            return _qcow2(raw, path)
        case "ova":
            return _ova(raw, path, version, epoch)
        case "vhd":
            return _vhd(raw, path)
    raise ValueError(kind)


def sums(folder: Path) -> Path:
    """Write SHA256SUMS for the files in `folder`, as `sha256sum --check` reads it."""
    listed = folder / "SHA256SUMS"
    lines = [
        f"{_sha256(path)}  {path.name}\n"
        for path in sorted(folder.iterdir())
        if path.is_file() and path != listed
    ]
    listed.write_text("".join(lines), encoding="utf-8")
    return listed


def _raw(raw: Path, path: Path) -> Path:
    run("zstd", "--quiet", "--force", "-T0", "-9", raw, "-o", path)
    return path


def _qcow2(raw: Path, path: Path) -> Path:
    packed = ("-c", "-o", "compression_type=zstd")
    run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", "-m", "4", "-W", *packed, raw, path)
    return path


def _vhd(raw: Path, path: Path) -> Path:
    # A fixed size of whole MiB, with a footer of 512 bytes after it: what Azure demands. Without
    # force_size the size would be rounded to cylinders.
    fixed = ("-o", "subformat=fixed,force_size=on")
    run("qemu-img", "convert", "-f", "raw", "-O", "vpc", *fixed, raw, path)
    return path


def _ova(raw: Path, path: Path, version: str, epoch: int) -> Path:
    """Write an archive of a description, the sums of its files, and the disk, in this order."""
    disk = path.with_suffix(".vmdk")
    stream = ("-o", "subformat=streamOptimized,adapter_type=lsilogic,hwversion=13")
    run("qemu-img", "convert", "-f", "raw", "-O", "vmdk", *stream, raw, disk)
    description = path.with_suffix(".ovf")
    template = Template((HERE / "nss-appliance.ovf").read_text(encoding="utf-8"))
    description.write_text(
        template.substitute(
            disk=disk.name,
            disk_bytes=disk.stat().st_size,
            capacity=raw.stat().st_size,
            version=version,
        ),
        encoding="utf-8",
    )
    manifest = path.with_suffix(".mf")
    manifest.write_text(
        "".join(f"SHA256({one.name})= {_sha256(one)}\n" for one in (description, disk)),
        encoding="ascii",
    )
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for one in (description, manifest, disk):
            entry = archive.gettarinfo(one, one.name)
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = "root"
            entry.mode, entry.mtime = 0o644, epoch
            with one.open("rb") as file:
                archive.addfile(entry, file)
            one.unlink()
    return path


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
