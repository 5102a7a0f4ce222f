"""Build `nss-streamer_<version>_amd64.deb`, which installs without a network.

    python packaging/deb.py --into build

The package brings its own environment, /opt/nss-streamer, with the wheels of every Python that its
distributions have: an environment is a pyvenv.cfg, a link to the system's Python and a folder of
packages for each version. The packages in it have the versions of tests/requirements.lock, which
were tested together. NSS itself is the wheel of wheels.py: compiled for each version of Python that
the builder has, and in Python for one that it has not.
"""

import argparse
import gzip
import hashlib
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path

import wheels

PROJECT = Path(__file__).parent.parent
PACKAGING = PROJECT / "packaging"

PYTHONS = wheels.PYTHONS
"""Of Debian 12 and of Ubuntu 24.04."""

NEWEST_GLIBC = 36
"""Of Debian 12, the older one; wheels for older ones do as well."""

PREFIX = Path("opt/nss-streamer")

_PLATFORMS = [f"manylinux_2_{minor}_x86_64" for minor in range(5, NEWEST_GLIBC + 1)]
_PLATFORMS += ["manylinux1_x86_64", "manylinux2010_x86_64", "manylinux2014_x86_64"]

_COMMAND = """\
#!/opt/nss-streamer/bin/python3 -I
from cli.main import main

main()
"""

_ENVIRONMENT = """\
home = /usr/bin
include-system-site-packages = false
"""

_COPYRIGHT = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: nss-streamer

Files: *
Copyright: The NSS authors
License: Apache-2.0
 On Debian systems the text of this license is in /usr/share/common-licenses/Apache-2.0. The
 packages below /opt/nss-streamer/lib have licenses of their own, beside them in *.dist-info.
"""


def main() -> None:
    """Read the arguments and build."""
    parser = argparse.ArgumentParser(description="Build the Debian package.")
    parser.add_argument("--into", type=Path, default=PROJECT / "build", metavar="FOLDER")
    parser.add_argument(
        "--version", metavar="VERSION", help="Another one than the project's, for a trial."
    )
    arguments = parser.parse_args()
    into: Path = arguments.into
    into.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory() as folder:
            print(build(Path(folder), into, arguments.version))  # noqa: T201 - its result
    except wheels.Failed as error:
        sys.exit(str(error))


def build(work: Path, into: Path, version: str | None = None) -> Path:
    """Lay the package out in the folder `work` and pack it; returns the path of the package.

    `version` stands in place of the project's, which NSS itself goes on to report.
    """
    with (PROJECT / "pyproject.toml").open("rb") as file:
        version = version or str(tomllib.load(file)["project"]["version"])
    root = work / "root"
    found = wheels.interpreters(PYTHONS)
    for python in PYTHONS:
        if python not in found:
            why_not = wheels.why_not()
            print(f"With Python {python} the package runs in Python: {why_not}")  # noqa: T201
    _environment(root / PREFIX, wheels.build(found, work, work / "wheels"))
    _files(root)
    _reference(root)
    _control(root, version)
    package = into / f"nss-streamer_{version}_amd64.deb"
    _run("dpkg-deb", "--root-owner-group", "--build", root, package)
    return package


def _environment(prefix: Path, built: wheels.Wheels) -> None:
    """Lay out the virtual environment."""
    binaries = prefix / "bin"
    binaries.mkdir(parents=True)
    (binaries / "python3").symlink_to("/usr/bin/python3")
    _write(binaries / "nss", _COMMAND, mode=0o755)
    _write(prefix / "pyvenv.cfg", _ENVIRONMENT)
    for python in PYTHONS:
        packages = prefix / "lib" / f"python{python}" / "site-packages"
        platforms = [f"--platform={platform}" for platform in _PLATFORMS]
        _pip(
            "install",
            f"--target={packages}",
            f"--python-version={python}",
            "--implementation=cp",
            "--only-binary=:all:",
            "--no-compile",
            *platforms,
            f"--constraint={PROJECT / 'tests' / 'requirements.lock'}",
            f"{built.best_for(python)}[kafka]",
        )
        shutil.rmtree(packages / "bin", ignore_errors=True)  # for the Python of this machine
        for left in packages.rglob("__pycache__"):
            shutil.rmtree(left)
        _forget_the_builder(packages)


def _forget_the_builder(packages: Path) -> None:
    """Remove the paths of this machine that pip has installed wheels from."""
    for path in packages.glob("*.dist-info/direct_url.json"):
        path.unlink()
        record = path.with_name("RECORD")
        rows = record.read_text(encoding="utf-8").splitlines(keepends=True)
        record.write_text("".join(row for row in rows if path.name not in row), encoding="utf-8")


def _files(root: Path) -> None:
    """Lay out what is outside the environment."""
    command = root / "usr/bin/nss"
    command.parent.mkdir(parents=True)
    command.symlink_to(Path("/") / PREFIX / "bin/nss")
    for unit in ("nss-streamer.service", "nss-streamer@.service"):
        _copy(PACKAGING / unit, root / "usr/lib/systemd/system")
    folders = (PACKAGING / "nss-streamer.tmpfiles").read_bytes()
    _write(root / "usr/lib/tmpfiles.d/nss-streamer.conf", folders)
    _copy(PACKAGING / "nss.toml", root / "etc/nss")
    share = root / "usr/share/nss-streamer"
    _copy(PACKAGING / "grafana/nss.json", share / "grafana")
    _copy(PACKAGING / "prometheus/nss.rules.yml", share / "prometheus")
    documents = root / "usr/share/doc/nss-streamer"
    _write(documents / "copyright", _COPYRIGHT)
    _write(documents / "changelog.gz", _packed((PROJECT / "CHANGELOG.md").read_bytes()))
    _copy(PACKAGING / "nss.toml", documents / "examples")
    _copy(PROJECT / "README.md", documents)
    for page in (PROJECT / "docs").rglob("*.md"):
        _copy(page, documents / page.relative_to(PROJECT).parent)


def _reference(root: Path) -> None:
    """Lay out man pages and completions, from the declarations of the commands."""
    share = root / "usr/share"
    _run(sys.executable, "-m", "cli.reference", "man", share / "man/man1")
    for page in (share / "man/man1").iterdir():
        _write(page.with_name(f"{page.name}.gz"), _packed(page.read_bytes()))
        page.unlink()
    manual = _run(sys.executable, "-m", "nss.config.manual")
    _write(share / "man/man5/nss.toml.5.gz", _packed(manual))
    _run(sys.executable, "-m", "cli.reference", "completions", share)


def _control(root: Path, version: str) -> None:
    """Lay out what dpkg itself reads; the files are complete by now."""
    _modes(root)
    files = sorted(path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    sums = [
        f"{hashlib.md5(path.read_bytes()).hexdigest()}  {path.relative_to(root)}\n"  # noqa: S324 - dpkg's
        for path in files
    ]
    kib = sum(path.stat().st_size for path in files) // 1024
    debian = root / "DEBIAN"
    debian.mkdir()
    control = (PACKAGING / "debian/control").read_text(encoding="utf-8")
    control = control.replace("@VERSION@", version).replace("@KIB@", str(kib))
    control = control.replace("@FORM@", _spool_form())
    _write(debian / "control", control)
    _write(debian / "md5sums", "".join(sums))
    _copy(PACKAGING / "debian/conffiles", debian)
    for script in ("postinst", "prerm", "postrm"):
        _copy(PACKAGING / "debian" / script, debian, mode=0o755)


def _spool_form() -> str:
    """Return the form of the spool that this version writes, as an update wants to know it."""
    code = "from nss.spool.durable.schema import MIGRATIONS; print(len(MIGRATIONS))"
    return _run(sys.executable, "-c", code).decode().strip()


def _modes(root: Path) -> None:
    """Give everything the modes of a package, whatever the umask of the builder was."""
    for path in [root, *root.rglob("*")]:
        if not path.is_symlink():
            may_run = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
            path.chmod(0o755 if may_run else 0o644)


def _write(path: Path, content: str | bytes, *, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(mode)


def _copy(path: Path, folder: Path, *, mode: int = 0o644) -> None:
    _write(folder / path.name, path.read_bytes(), mode=mode)


def _packed(data: bytes) -> bytes:
    return gzip.compress(data, 9, mtime=0)


def _pip(*arguments: str | Path) -> None:
    quiet = ("--quiet", "--disable-pip-version-check")
    _run(sys.executable, "-m", "pip", arguments[0], *quiet, *arguments[1:])


def _run(*command: str | Path) -> bytes:
    """Run a command from the project's folder; its output is shown only when it fails.

    Returns what it wrote to its stdout.
    """
    arguments: Sequence[str] = [str(one) for one in command]
    ran = subprocess.run(  # noqa: S603 - ours
        arguments,
        cwd=PROJECT,
        env=os.environ | {"SOURCE_DATE_EPOCH": "0"}
        if "SOURCE_DATE_EPOCH" not in os.environ
        else None,
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        sys.exit(
            f"{' '.join(arguments[:4])} ... ended with {ran.returncode}:\n{ran.stdout}{ran.stderr}"
        )
    return ran.stdout.encode()


if __name__ == "__main__":
    main()
