"""The disk: a partition table, GRUB for BIOS and for UEFI, the root, and the spool at the end.

Nothing is mounted and no loop device is taken: mke2fs fills its file system from an archive, mtools
the one of UEFI, and GRUB's two parts of BIOS are written where the partition table keeps room.
"""

import struct
import tempfile
import uuid
from collections.abc import Sequence
from pathlib import Path

from base import HERE, SUITE, Failed, extracted, run

MIB = 1 << 20
SECTOR = 512

BIOS_MIB, UEFI_MIB, ROOT_MIB, SPOOL_MIB = 1, 64, 4096, 4030
DISK_MIB = 1 + BIOS_MIB + UEFI_MIB + ROOT_MIB + SPOOL_MIB
"""8192: the table takes the first MiB, and what is left at the end is for its copy."""

_SEED = uuid.UUID("8f6d3a52-5c1b-4f0e-9c35-6a1f0d2b7e94")
"""All identities of disk and file systems follow from it: two builds have the same ones."""

_BIOS_MODULES = (
    *("biosdisk", "part_gpt", "ext2", "search", "search_label", "normal", "configfile", "linux"),
    *("serial", "terminal", "test", "echo", "reboot", "halt", "ls", "cat", "gzio", "minicmd"),
)
_BIOS_CONFIG = "search --label --set=root nss-root\nset prefix=($root)/boot/grub\n"
_UEFI_CONFIG = f"{_BIOS_CONFIG}configfile $prefix/grub.cfg\n"

_BOOT_CODE = 440
"""So many bytes of the first sector are the boot loader's; the partition table's follow."""

_KERNEL_SECTOR = 0x5C
"""In GRUB's boot.img: the sector of core.img, 64 bits (GRUB_BOOT_MACHINE_KERNEL_SECTOR)."""

_DRIVE_CHECK = 0x66
"""In boot.img: a jump for floppies, which GRUB's own set-up overwrites with two NOPs for disks."""

_BLOCK_LIST = SECTOR - 12
"""In core.img's first sector: the sector of its rest, 64 bits; length and segment follow."""


def write(
    raw: Path,
    archive: Path,
    owner: tuple[int, int],
    cache: Path,
    mirror: Sequence[str],
    epoch: int,
) -> None:
    """Write the disk `raw`, whose root has what is in `archive`.

    `owner` is user and group of the spool; `cache` keeps the tools from one build to the next.
    """
    with raw.open("wb") as file:
        file.truncate(DISK_MIB * MIB)
    run("sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", raw, data=_table().encode())
    bios, uefi = 1, 1 + BIOS_MIB
    root, spool = uefi + UEFI_MIB, uefi + UEFI_MIB + ROOT_MIB
    boot = ("grub-pc-bin", "grub-common", "grub-efi-amd64-signed", "shim-signed")
    grub = extracted(cache, SUITE, boot, mirror)
    with tempfile.TemporaryDirectory(dir=raw.parent) as folder:
        work = Path(folder)
        _write_bios(raw, grub, bios * MIB // SECTOR)
        _write_uefi(raw, grub, uefi, work)
        tools = extracted(cache, "trixie", ("e2fsprogs", "libarchive13t64"), ())
        _write_ext4(raw, tools, "nss-root", archive, (root, ROOT_MIB), epoch)
        spool_root = _only_a_root(work, owner, epoch)
        _write_ext4(raw, tools, "nss-spool", spool_root, (spool, SPOOL_MIB - 1), epoch)


def identity(name: str) -> str:
    """Return the fixed UUID of a part of the disk."""
    return str(uuid.uuid5(_SEED, name))


def _table() -> str:
    """Return the partition table in the language of sfdisk."""
    parts = (
        ("bios", BIOS_MIB, "21686148-6449-6E6F-744E-656564454649"),
        ("uefi", UEFI_MIB, "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"),
        ("nss-root", ROOT_MIB, "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709"),
        ("nss-spool", SPOOL_MIB - 1, "0FC63DAF-8483-4772-8E79-3D69D8477DE4"),
    )
    lines = ["label: gpt", f"label-id: {identity('disk')}", "first-lba: 2048", ""]
    start = 1
    for name, mib, kind in parts:
        place = f"start={start * MIB // SECTOR}, size={mib * MIB // SECTOR}"
        lines.append(f'{place}, type={kind}, uuid={identity("part " + name)}, name="{name}"')
        start += mib
    return "\n".join(lines) + "\n"


def _write_bios(raw: Path, grub: Path, start: int) -> None:
    """Write GRUB's boot sector, and its core at the sector `start`."""
    (grub / "tmp/early.cfg").write_text(_BIOS_CONFIG, encoding="utf-8")
    made = (
        "--format=i386-pc",
        "--prefix=/boot/grub",
        "--config=/tmp/early.cfg",
        "--output=/tmp/core.img",
    )
    run("chroot", grub, "grub-mkimage", *made, *_BIOS_MODULES)
    core = bytearray((grub / "tmp/core.img").read_bytes())
    boot = bytearray((grub / "usr/lib/grub/i386-pc/boot.img").read_bytes())
    if len(core) > BIOS_MIB * MIB:
        raise Failed(f"GRUB's core has {len(core)} bytes and does not fit into its partition.")
    struct.pack_into("<Q", boot, _KERNEL_SECTOR, start)
    boot[_DRIVE_CHECK : _DRIVE_CHECK + 2] = b"\x90\x90"
    struct.pack_into("<Q", core, _BLOCK_LIST, start + 1)
    with raw.open("r+b") as file:
        file.write(boot[:_BOOT_CODE])
        file.seek(start * SECTOR)
        file.write(core)


def _write_uefi(raw: Path, grub: Path, start_mib: int, work: Path) -> None:
    """Write the partition of UEFI: shim and GRUB as Debian signed them."""
    image = work / "uefi.img"
    with image.open("wb") as file:
        file.truncate(UEFI_MIB * MIB)
    number = identity("uefi")[:8]
    run("mkfs.vfat", "--invariant", "-F", "32", "-s", "1", "-n", "NSS-UEFI", "-i", number, image)
    folder = work / "uefi"
    files = {
        "EFI/BOOT/BOOTX64.EFI": (grub / "usr/lib/shim/shimx64.efi.signed").read_bytes(),
        "EFI/BOOT/grubx64.efi": (
            grub / "usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed"
        ).read_bytes(),
        # Where Debian's signed GRUB looks for its configuration.
        "EFI/debian/grub.cfg": _UEFI_CONFIG.encode(),
    }
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    environ = {"SOURCE_DATE_EPOCH": "315532800", "MTOOLS_SKIP_CHECK": "1"}  # 1980: FAT's first day
    for path in ("EFI", "EFI/BOOT", "EFI/debian"):
        run("mmd", "-i", image, f"::{path}", environ=environ)
    for name in files:
        run("mcopy", "-i", image, folder / name, f"::{name}", environ=environ)
    run("dd", f"if={image}", f"of={raw}", "bs=1M", f"seek={start_mib}", "conv=notrunc,sparse")


def _write_ext4(
    raw: Path, tools: Path, label: str, archive: Path, place: tuple[int, int], epoch: int
) -> None:
    """Write a file system with the content of `archive` at `place`: start and length in MiB.

    Debian 12's mke2fs keeps the builder's times of change and its order of folders, and
    reads no archive; that of Debian 13 does better.
    """
    start_mib, mib = place
    seed = identity("hash " + label)
    options = f"offset={start_mib * MIB},hash_seed={seed},lazy_itable_init=1,nodiscard"
    libraries = f"{tools}/usr/lib/x86_64-linux-gnu"
    run(
        *(f"{tools}/usr/lib64/ld-linux-x86-64.so.2", "--library-path", libraries),
        *(f"{tools}/usr/sbin/mke2fs", "-q", "-F", "-t", "ext4", "-L", label),
        # GRUB and the e2fsprogs of Debian 12 know no younger features.
        *("-O", "^orphan_file,^metadata_csum_seed", "-m", "1", "-U", identity("fs " + label)),
        *("-E", options, "-d", archive, raw, f"{mib}M"),
        environ={"E2FSPROGS_FAKE_TIME": str(epoch), "MKE2FS_CONFIG": str(HERE / "mke2fs.conf")},
    )


def _only_a_root(work: Path, owner: tuple[int, int], epoch: int) -> Path:
    """Return an archive with nothing but a root folder, which belongs to the service alone."""
    archive, folder = work / "spool.tar", work / "spool"
    folder.mkdir(mode=0o700)
    user, group = owner
    owned = (
        f"--owner=:{user}",
        f"--group=:{group}",
        "--numeric-owner",
        f"--mtime=@{epoch}",
        "--mode=0700",
    )
    run("tar", "--create", *owned, "-f", archive, "-C", folder, ".")
    return archive
