"""An OCI image of one layer, written as the image specification says.

An image is a layer (a tar, packed), a configuration, a manifest that names both by their digests,
and an index that names the manifest. https://github.com/opencontainers/image-spec, version 1.1.
"""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_KIND = "application/vnd.oci.image"
_CHUNK_BYTES = 1 << 20
_LEVEL = 6


@dataclass(frozen=True, slots=True)
class Blob:
    """A file of an image."""

    path: Path
    digest: str
    """SHA-256, as 64 hexadecimal digits."""
    size: int


@dataclass(frozen=True, slots=True)
class Image:
    """The blobs of an image, which its archives share."""

    layer: Blob
    config: Blob
    manifest: Blob
    index: dict[str, Any]
    name: str
    """Its name with its tag."""

    @property
    def digest(self) -> str:
        """By this a registry names the image."""
        return f"sha256:{self.manifest.digest}"


def build(tar: Path, config: Mapping[str, Any], created: str, name: str, work: Path) -> Image:
    """Return the image whose only layer is `tar`, with blobs in `work`.

    `config` is what starts and describes it, `created` a time of RFC 3339.
    """
    layer, diff = _packed(tar, work / "layer")
    described = {
        "created": created,
        "architecture": "amd64",
        "os": "linux",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{diff}"]},
        "history": [{"created": created, "created_by": "packaging/container/build.py"}],
    }
    made = _json(described, work / "config")
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{_KIND}.manifest.v1+json",
        "config": _descriptor(f"{_KIND}.config.v1+json", made),
        "layers": [_descriptor(f"{_KIND}.layer.v1.tar+gzip", layer)],
        "annotations": config.get("Labels", {}),
    }
    named = _json(manifest, work / "manifest")
    entry = _descriptor(f"{_KIND}.manifest.v1+json", named)
    entry["platform"] = {"architecture": "amd64", "os": "linux"}
    entry["annotations"] = {"org.opencontainers.image.ref.name": name}
    index = {"schemaVersion": 2, "mediaType": f"{_KIND}.index.v1+json", "manifests": [entry]}
    return Image(layer, made, named, index, name)


def write_oci_archive(image: Image, path: Path, epoch: int) -> None:
    """Write the image layout of OCI, as a tar."""
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        _add(archive, "oci-layout", _bytes({"imageLayoutVersion": "1.0.0"}), epoch)
        _add(archive, "index.json", _bytes(image.index), epoch)
        for blob in (image.manifest, image.config, image.layer):
            _add(archive, f"blobs/sha256/{blob.digest}", blob.path, epoch)


def write_docker_archive(image: Image, path: Path, epoch: int) -> None:
    """Write what `docker save` writes: the same blobs, with the health check."""
    config = f"{image.config.digest}.json"
    layer = f"{image.layer.digest}.tar.gz"
    manifest = [{"Config": config, "RepoTags": [image.name], "Layers": [layer]}]
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        _add(archive, config, image.config.path, epoch)
        _add(archive, layer, image.layer.path, epoch)
        _add(archive, "manifest.json", _bytes(manifest), epoch)


def _packed(tar: Path, into: Path) -> tuple[Blob, str]:
    """Pack a layer; return it, and the digest of what was packed."""
    diff = hashlib.sha256()
    with (
        tar.open("rb") as file,
        into.open("wb") as raw,
        gzip.GzipFile("", "wb", _LEVEL, raw, mtime=0) as packed,
    ):
        for chunk in _chunks(file):
            diff.update(chunk)
            packed.write(chunk)
    return _blob(into), diff.hexdigest()


def _json(value: object, path: Path) -> Blob:
    path.write_bytes(_bytes(value))
    return _blob(path)


def _bytes(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _blob(path: Path) -> Blob:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for chunk in _chunks(file):
            digest.update(chunk)
    return Blob(path, digest.hexdigest(), path.stat().st_size)


def _chunks(file: io.BufferedReader) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK_BYTES):
        yield chunk


def _descriptor(kind: str, blob: Blob) -> dict[str, Any]:
    return {"mediaType": kind, "digest": f"sha256:{blob.digest}", "size": blob.size}


def _add(archive: tarfile.TarFile, name: str, content: bytes | Path, epoch: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.mtime, entry.mode = epoch, 0o644
    if isinstance(content, bytes):
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
        return
    entry.size = content.stat().st_size
    with content.open("rb") as file:
        archive.addfile(entry, file)
