"""Build a signed apt repository, a folder for any web server, from packages of ours.

    python packaging/repository.py --key KEY build/*.deb

KEY is the id of a secret key in the keyring of whoever calls it, or a file with one. Without it a
key is made for a trial, which nobody should trust: it lies beside the repository.

The folder keeps the versions that are in it already, up to `--keep` of them; what is published
changes last, and at once. `dpkg-scanpackages` writes the index and `gpg` signs it; both are
Debian's (dpkg-dev, gpg).
"""

import argparse
import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from email.utils import formatdate
from functools import cmp_to_key
from pathlib import Path

PACKAGE = "nss-streamer"
VALID_DAYS = 30
KEEP = 5

_TRIAL = """\
***************************************************************************************
  FOR TRIAL ONLY: signed by a key that was made just now, {key}
  Whoever reads that folder can sign what machines install. Publish with a key of yours:
      make repository KEY=<id or file of a secret key>
***************************************************************************************
"""


class Failed(Exception):  # noqa: N818 - it is what happened
    """The repository can't be built; the text says why."""


def main() -> None:
    """Read the arguments and build."""
    parser = argparse.ArgumentParser(description="Build a signed apt repository.")
    parser.add_argument("packages", nargs="+", type=Path, metavar="PACKAGE")
    parser.add_argument("--into", type=Path, default=Path("build/repository"), metavar="FOLDER")
    parser.add_argument("--suite", default="stable")
    parser.add_argument("--key", default="", metavar="ID|FILE")
    parser.add_argument("--valid-days", type=float, default=VALID_DAYS, metavar="DAYS")
    parser.add_argument("--keep", type=int, default=KEEP, metavar="VERSIONS")
    given = parser.parse_args()
    try:
        build(given.into, given.packages, given.suite, given.key, given.valid_days, given.keep)
    except (Failed, OSError) as error:
        sys.exit(f"repository: {error}")
    print(given.into)  # noqa: T201 - its result


def build(
    into: Path, packages: Sequence[Path], suite: str, key: str, valid_days: float, keep: int
) -> None:
    """Add packages to a repository, and publish it. Raises `Failed` and `OSError`."""
    for program in ("dpkg-scanpackages", "dpkg-deb", "gpg"):
        if shutil.which(program) is None:
            raise Failed(f"no {program}; try: sudo apt-get install dpkg-dev gpg")
    pool = into / "pool"
    pool.mkdir(parents=True, exist_ok=True)
    for package in packages:
        _add(package, pool)
    _forget_old(pool, keep)
    index = _run("dpkg-scanpackages", "--multiversion", "--arch", "amd64", "pool", cwd=into)
    with tempfile.TemporaryDirectory(dir=into, prefix=".new-") as folder:
        dist = Path(folder)
        binary = dist / "main/binary-amd64"
        binary.mkdir(parents=True)
        (binary / "Packages").write_bytes(index)
        (binary / "Packages.gz").write_bytes(gzip.compress(index, 9, mtime=0))
        (dist / "Release").write_text(_release(dist, suite, valid_days), encoding="ascii")
        _sign(dist, into, key)
        _publish(dist, into / "dists" / suite)


def _add(package: Path, pool: Path) -> None:
    """Copy a package into the pool. Raises `Failed` for another one of a version that is there."""
    fields = _run("dpkg-deb", "--field", package, "Package", "Version", "Architecture").decode()
    facts = dict(line.split(": ", 1) for line in fields.splitlines())
    if (facts["Package"], facts["Architecture"]) != (PACKAGE, "amd64"):
        raise Failed(f"{package} is no package {PACKAGE} for amd64")
    place = pool / f"{PACKAGE}_{facts['Version'].replace(':', '%3a')}_amd64.deb"
    if place.exists() and place.read_bytes() != package.read_bytes():
        raise Failed(
            f"version {facts['Version']} is in the repository with other content: a version that "
            f"was published never changes; give {package} a new one"
        )
    draft = place.with_name(f".{place.name}.new")
    shutil.copyfile(package, draft)
    draft.chmod(0o644)
    draft.replace(place)


def _forget_old(pool: Path, keep: int) -> None:
    def order(one: Path, other: Path) -> int:
        versions = [path.name.split("_")[1].replace("%3a", ":") for path in (one, other)]
        is_newer = subprocess.run(  # noqa: S603 - Debian's
            ["dpkg", "--compare-versions", versions[0], "gt", versions[1]],  # noqa: S607
            check=False,
        ).returncode
        return -1 if is_newer == 0 else 1

    for path in sorted(pool.glob(f"{PACKAGE}_*.deb"), key=cmp_to_key(order))[max(1, keep) :]:
        path.unlink()


def _release(dist: Path, suite: str, valid_days: float) -> str:
    now = float(os.environ.get("SOURCE_DATE_EPOCH", time.time()))
    lines = [
        "Origin: NSS",
        "Label: NSS",
        f"Suite: {suite}",
        f"Codename: {suite}",
        f"Date: {formatdate(now, usegmt=True)}",
        f"Valid-Until: {formatdate(now + valid_days * 86_400, usegmt=True)}",
        "Architectures: amd64",
        "Components: main",
        "Description: Open Nanolog Streaming Service",
        "SHA256:",
    ]
    for path in sorted(dist.rglob("Packages*")):
        data = path.read_bytes()
        name = path.relative_to(dist)
        lines.append(f" {hashlib.sha256(data).hexdigest()} {len(data)} {name}")
    return "\n".join(lines) + "\n"


def _sign(dist: Path, into: Path, key: str) -> None:
    """Sign the release, and put the public key beside the repository."""
    with tempfile.TemporaryDirectory(prefix="nss-gpg-") as folder:
        home: list[str | Path] = []
        if not key:
            trial = into.parent / f"{into.name}-trial-key"
            trial.mkdir(mode=0o700, exist_ok=True)
            # The sockets of gpg's agent are in it, and the name of one has 107 bytes at most.
            short = Path(folder) / "trial"
            short.symlink_to(trial.resolve())
            home, signer = ["--homedir", short], _trial_key(short)
            sys.stderr.write(_TRIAL.format(key=trial))
        elif Path(key).is_file():
            home = ["--homedir", folder]
            _run("gpg", *home, "--batch", "--quiet", "--import", key)
            signer = _fingerprint(home)
        else:
            signer = key
        local = ("--local-user", signer, "--digest-algo", "SHA256")
        release = dist / "Release"
        _run("gpg", *home, "--batch", *local, "--clearsign", "-o", dist / "InRelease", release)
        _run(
            *("gpg", *home, "--batch", *local, "--armor", "--detach-sign"),
            *("-o", dist / "Release.gpg", release),
        )
        public = _run("gpg", *home, "--batch", "--armor", "--export", signer)
        (into / "key.asc").write_bytes(public)
        if home:
            _run("gpgconf", *home, "--kill", "all")


def _trial_key(trial: Path) -> str:
    home = ["--homedir", trial]
    if not _run("gpg", *home, "--batch", "--list-secret-keys", "--with-colons"):
        name = "NSS trial repository"
        made = ("--passphrase", "", "--quick-generate-key", name, "ed25519", "sign", "30d")
        _run("gpg", *home, "--batch", "--pinentry-mode", "loopback", *made)
    return _fingerprint(home)


def _fingerprint(home: Sequence[str | Path]) -> str:
    listed = _run("gpg", *home, "--batch", "--list-secret-keys", "--with-colons").decode()
    found = [line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr:")]
    if not found:
        raise Failed("the file of the key has no secret key")
    return found[0]


def _publish(dist: Path, place: Path) -> None:
    """Put the index in its place: what it lists first, InRelease, which names it, last."""
    for path in sorted(dist.rglob("*"), key=lambda path: (path.name == "InRelease", str(path))):
        if path.is_file():
            target = place / path.relative_to(dist)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.chmod(0o644)
            path.replace(target)


def _run(*command: str | Path, cwd: Path | None = None) -> bytes:
    arguments = [str(part) for part in command]
    ran = subprocess.run(  # noqa: S603 - Debian's
        arguments, cwd=cwd, capture_output=True, check=False
    )
    if ran.returncode:
        said = ran.stderr.decode(errors="replace").strip().splitlines() or ["no reason"]
        raise Failed(f"{arguments[0]}: {said[-1]}")
    return ran.stdout


if __name__ == "__main__":
    main()
