"""What is in the image, and what is not."""

import gzip
import hashlib
import io
import stat
import tarfile
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.container.podman import USER

MAX_BYTES = 150_000_000


def members(image: Path, kind: str) -> dict[str, bytes]:
    """Return the files of one of the archives."""
    with tarfile.open(next(image.glob(f"*.{kind}.tar"))) as archive:
        found = {}
        for entry in archive:
            file = archive.extractfile(entry)
            assert file is not None
            found[entry.name] = file.read()
    return found


@pytest.fixture(scope="module")
def layout(image: Path) -> dict[str, bytes]:
    return members(image, "oci")


@pytest.fixture(scope="module")
def described(layout: dict[str, bytes]) -> tuple[Any, Any]:
    """The manifest and the configuration."""
    index = orjson.loads(layout["index.json"])
    manifest = orjson.loads(blob(layout, index["manifests"][0]))
    return manifest, orjson.loads(blob(layout, manifest["config"]))


def blob(layout: dict[str, bytes], descriptor: dict[str, Any]) -> bytes:
    """Return what a descriptor names, which is what it says."""
    digest = descriptor["digest"].removeprefix("sha256:")
    data = layout[f"blobs/sha256/{digest}"]
    assert (hashlib.sha256(data).hexdigest(), len(data)) == (digest, descriptor["size"])
    return data


def test_it_is_one_layer_of_at_most_150_mb(
    layout: dict[str, bytes], described: tuple[Any, Any]
) -> None:
    manifest, config = described
    (layer,) = manifest["layers"]
    assert layer["size"] < MAX_BYTES
    diff = hashlib.sha256(gzip.decompress(blob(layout, layer))).hexdigest()
    assert config["rootfs"]["diff_ids"] == [f"sha256:{diff}"]


def test_the_docker_archive_is_the_same_image(image: Path, layout: dict[str, bytes]) -> None:
    docker = members(image, "docker")
    (manifest,) = orjson.loads(docker["manifest.json"])
    for name in (manifest["Config"], *manifest["Layers"]):
        assert docker[name] == layout[f"blobs/sha256/{name.split('.')[0]}"]


def test_it_says_what_it_is_and_starts_the_service_as_its_user(
    described: tuple[Any, Any],
) -> None:
    config = described[1]["config"]
    assert config["User"] == f"{USER}:{USER}"
    assert (config["Entrypoint"], config["Cmd"][0]) == (["/usr/bin/nss"], "run")
    for label in ("title", "version", "licenses", "created", "description"):
        assert config["Labels"][f"org.opencontainers.image.{label}"]


def test_nothing_in_it_gives_rights_or_is_left_over(
    layout: dict[str, bytes], described: tuple[Any, Any]
) -> None:
    layer = blob(layout, described[0]["layers"][0])
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(layer))) as archive:
        entries = {entry.name.removeprefix("."): entry for entry in archive}
    rights = [name for name, entry in entries.items() if entry.mode & (stat.S_ISUID | stat.S_ISGID)]
    assert not [name for name in rights if entries[name].isfile()]
    writable = {
        name
        for name, entry in entries.items()
        if entry.mode & stat.S_IWOTH and not entry.issym() and not entry.mode & stat.S_ISVTX
    }
    assert not {name for name in writable if not name.startswith("/dev/")}
    for left in ("/etc/nss/nss.toml", "/etc/machine-id", "/usr/bin/apt", "/nss-streamer.deb"):
        assert left not in entries
    assert not [name for name in entries if name.startswith("/opt/nss-streamer/lib/python3.12/")]
    assert not [name for name in entries if name.startswith("/var/lib/apt/lists/deb")]
    state = entries["/var/lib/nss"]
    assert (state.uid, state.gid, state.mode) == (USER, USER, 0o700)


def test_the_bill_of_materials_lists_what_is_in_it(image: Path) -> None:
    bill = orjson.loads(next(image.glob("*.spdx.json")).read_bytes())
    names = {each["SPDXID"] for each in bill["packages"]}
    for name in ("deb-nss-streamer", "deb-python3", "deb-libc6", "pypi-cryptography"):
        assert f"SPDXRef-{name}" in names
    assert not names & {f"SPDXRef-deb-{name}" for name in ("apt", "gcc", "systemd")}
    contained = {each["relatedSpdxElement"] for each in bill["relationships"]}
    assert contained == names
    sums = (image / "SHA256SUMS").read_text(encoding="ascii").splitlines()
    for row in sums:
        digest, name = row.split("  ")
        assert hashlib.sha256((image / name).read_bytes()).hexdigest() == digest
