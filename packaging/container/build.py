"""Build the container image, from Debian's packages and ours; no other image is its base.

    python packaging/container/build.py --into build/image

writes nss-streamer-VERSION.oci.tar (an OCI image layout), nss-streamer-VERSION.docker.tar (the same
layer and configuration as `docker save` has them), nss-streamer-VERSION.spdx.json (what it consists
of), its digest and SHA256SUMS. With one SOURCE_DATE_EPOCH, one package of ours and one state of
Debian's archive it is twice the same bytes.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent))

import inventory
import layout
import root
import sbom

PROJECT = Path(__file__).parent.parent.parent
NAME = "localhost/nss-streamer"

HEALTH = "nss status --json | grep -Eq '\"alive\": ?true'"
"""Asks what /livez asks: a dead collector or a full disk is nothing that a restart ends."""


def image_config(version: str, created: str) -> dict[str, Any]:
    """Return what the image starts, as whom, and what describes it."""
    return {
        "User": f"{root.USER}:{root.USER}",
        "Entrypoint": ["/usr/bin/nss"],
        "Cmd": ["run", "--config", "/etc/nss/nss.toml"],
        "WorkingDir": "/var/lib/nss",
        "StopSignal": "SIGTERM",
        "Volumes": {"/var/lib/nss": {}},
        "Env": [
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG=C.UTF-8",
            "HOME=/var/lib/nss",
            "CREDENTIALS_DIRECTORY=/run/secrets",
        ],
        # OCI has no health check; Docker reads it here, Podman from the docker archive.
        "Healthcheck": {
            "Test": ["CMD-SHELL", HEALTH],
            "Interval": 30_000_000_000,
            "Timeout": 10_000_000_000,
            "StartPeriod": 300_000_000_000,
            "Retries": 3,
        },
        "Labels": {
            "org.opencontainers.image.title": "nss-streamer",
            "org.opencontainers.image.description": "An open Nanolog Streaming Service",
            "org.opencontainers.image.version": version,
            "org.opencontainers.image.created": created,
            "org.opencontainers.image.licenses": "Apache-2.0",
            "org.opencontainers.image.vendor": "The NSS authors",
        },
    }


def build(package: Path, into: Path, cache: Path, epoch: int) -> layout.Image:
    """Build the image from our package into the folder `into`. Raises `root.Failed`."""
    with (PROJECT / "pyproject.toml").open("rb") as file:
        version: str = tomllib.load(file)["project"]["version"]
    created = datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="nss-image-") as folder:
        work = Path(folder)
        work.chmod(0o755)  # the user of apt reads packages in it
        tar = root.make(package.absolute(), work, cache.absolute(), epoch)
        config = image_config(version, created)
        image = layout.build(tar, config, created, f"{NAME}:{version}", work)
        stem = f"nss-streamer-{version}"
        names = [f"{stem}.{kind}" for kind in ("oci.tar", "docker.tar", "spdx.json")]
        found = inventory.read(tar)
        about = ("nss-streamer-image", "CONTAINER", version, epoch)
        sbom.write(into / names[2], *about, found.debian, found.python)
        layout.write_oci_archive(image, into / names[0], epoch)
        layout.write_docker_archive(image, into / names[1], epoch)
        (into / "digest").write_text(f"{image.digest}\n", encoding="ascii")
    _write_sums(into, names)
    return image


def _write_sums(folder: Path, names: list[str]) -> None:
    rows = []
    for name in names:
        with (folder / name).open("rb") as file:
            rows.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {name}\n")
    (folder / "SHA256SUMS").write_text("".join(rows), encoding="ascii")


def source_date_epoch() -> int:
    """Return SOURCE_DATE_EPOCH, or the time of the last commit, or 0 without either."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given is not None:
        if not given.isdecimal():
            raise root.Failed("SOURCE_DATE_EPOCH is not a number of seconds")
        return int(given)
    ran = subprocess.run(
        ["git", "log", "-1", "--format=%ct"],  # noqa: S607 - the git of the builder
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    return int(ran.stdout) if ran.returncode == 0 else 0


def main() -> None:
    """Read the arguments and build."""
    parser = argparse.ArgumentParser(description="Build the container image.")
    parser.add_argument("--into", type=Path, default=PROJECT / "build/image", metavar="FOLDER")
    parser.add_argument("--package", type=Path, required=True, help="made by packaging/deb.py")
    parser.add_argument("--cache", type=Path, default=PROJECT / ".machine/container/archives")
    arguments = parser.parse_args()
    try:
        epoch = source_date_epoch()
        image = build(arguments.package, arguments.into, arguments.cache, epoch)
    except root.Failed as error:
        sys.exit(f"image: {error}")
    mib = image.layer.size / (1 << 20)
    print(f"{arguments.into}: {image.digest}, {mib:.1f} MiB compressed")  # noqa: T201 - its result


if __name__ == "__main__":
    main()
