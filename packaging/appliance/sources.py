"""Which sources an image was made from, so that nobody tests one of other sources unknowingly.

Documentation is in the image as well, but whether it boots does not depend on that: a changed page
makes no image stale.
"""

import hashlib
from pathlib import Path

from base import Failed, run

NAME = ".sources"
"""This file, beside the images, has the digest of what they were made from."""

_PARTS = (
    *("cli", "formats", "nss", "packaging"),
    *("pyproject.toml", "setup.py", "tests/requirements.lock"),
)


def digest(project: Path) -> str | None:
    """Return a digest of what the image is made from: names, modes and contents.

    `None` where git does not know the files.
    """
    options = ("--cached", "--others", "--exclude-standard", "--deduplicate", "-z")
    try:
        listed = run("git", "-C", project, "ls-files", *options, "--", *_PARTS)
    except Failed:
        return None
    found = hashlib.sha256()
    for name in sorted(filter(None, listed.split(b"\0"))):
        path = project / name.decode()
        if path.is_symlink():
            content = b"link " + bytes(path.readlink())
        elif path.is_file():
            mode = b"run " if path.stat().st_mode & 0o100 else b"file "
            content = mode + hashlib.sha256(path.read_bytes()).digest()
        else:  # deleted, and git has not been told
            continue
        found.update(b"%d %s %s\n" % (len(name), name, content))
    return found.hexdigest()


def remember(folder: Path, found: str) -> None:
    """Note in the folder of the images what they were made from."""
    (folder / NAME).write_text(f"{found}\n", encoding="ascii")


def is_current(folder: Path, project: Path) -> bool:
    """Return whether the images in a folder were made from the sources as they are now."""
    try:
        return (folder / NAME).read_text(encoding="ascii").strip() == digest(project)
    except OSError:
        return False
