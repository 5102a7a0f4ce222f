"""Packages of other versions, made from the one under test."""

import subprocess
from pathlib import Path

SCHEMA = "opt/*/lib/*/site-packages/nss/spool/durable/schema.py"
MAIN = "opt/*/lib/*/site-packages/nss/__main__.py"

DIES = "import sys\nsys.exit('this version does not start')\n"
"""For `main`: a service that ends at once."""


def transcript(version: str) -> list[str]:
    """Return what `nss update-now` says of an update to a version that works."""
    return [
        "Connecting to server...",
        f"Downloading latest version {version}",
        f"Installing build {version}",
        "Verifying that the service is healthy and that records flow",
        "Finished installation!",
    ]


def other_version(
    package: Path, folder: Path, version: str, *, form: bool = False, main: str = ""
) -> Path:
    """Return a package of another version.

    It has a newer form of the spool if wanted, and `main` in front of what the service runs.
    """
    root = folder / version
    subprocess.run(["dpkg-deb", "--raw-extract", str(package), str(root)], check=True)  # noqa: S603, S607 - Debian's
    control = root / "DEBIAN/control"
    lines = control.read_text().splitlines()
    for at, line in enumerate(lines):
        if line.startswith("Version:"):
            lines[at] = f"Version: {version}"
        if line.startswith("Spool-Form:") and form:
            lines[at] = f"Spool-Form: {int(line.split()[1]) + 1}"
    control.write_text("\n".join(lines) + "\n")
    for schema in root.glob(SCHEMA) if form else ():
        text = schema.read_text()
        migrations = "MIGRATIONS: Sequence[str] = ("
        assert text.count(migrations) == 1
        end = text.index("\n)\n", text.index(migrations))
        newer = '\n    "CREATE TABLE of_the_future (number INTEGER PRIMARY KEY) STRICT",'
        schema.write_text(text[:end] + newer + text[end:])
    if main:
        found = list(root.glob(MAIN))
        assert found
        for path in found:
            path.write_text(main + path.read_text())
    _sums(root)
    built = folder / f"nss-streamer_{version}_amd64.deb"
    command = ["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", str(root), str(built)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - Debian's
    return built


def _sums(root: Path) -> None:
    """Write the checksums anew."""
    command = "find opt usr etc -type f -print0 | xargs -0 md5sum >DEBIAN/md5sums"
    subprocess.run(["sh", "-c", command], cwd=root, check=True)  # noqa: S603, S607 - of the test
