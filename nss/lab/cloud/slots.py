"""The places in a storage that upload URLs were issued for, and the files that were put there."""

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from starlette.requests import ClientDisconnect, Request

from nss.lab.cloud.notes import Notes

_START_OF_MULTIPART = b"--"


@dataclass(frozen=True, slots=True)
class Stored:
    """A body that was written to a file of its own."""

    path: Path
    size_bytes: int
    md5: bytes


@dataclass(slots=True)
class Slot:
    """A place for one file, with the URL that was issued for it."""

    name: str
    source_type: str
    url: str
    expires_at: float
    path: Path | None = None
    """Where the file is that was put last, `None` before."""
    size_bytes: int = 0
    md5: bytes | None = None
    """Of that file; `None` for one that was put in blocks."""
    etag: str = ""
    modified_at: float = 0.0
    is_finalized: bool = False
    puts: int = 0
    blocks: dict[str, Path] = field(default_factory=dict)
    """Blocks that no list has named yet."""
    committed: dict[str, Path] = field(default_factory=dict)
    """Blocks that the file consists of."""

    def commit(self, path: Path, size_bytes: int, md5: bytes | None, now: float) -> None:
        """Let a file take the place of what was put before."""
        self.path, self.size_bytes, self.md5 = path, size_bytes, md5
        self.etag, self.modified_at = f'"0x{secrets.token_hex(8).upper()}"', now


class Slots:
    """The places of one storage; every PUT gets a file of its own in `folder`."""

    def __init__(self, folder: Path, notes: Notes) -> None:
        self._folder = folder
        self._notes = notes
        self._by_path: dict[str, Slot] = {}

    def add(self, slot: Slot) -> None:
        """Keep a place for the URL of a slot."""
        self._by_path[urlsplit(slot.url).path] = slot

    def at(self, path: str) -> Slot | None:
        """Return what is at a URL's path, `None` if no URL was issued for it."""
        return self._by_path.get(path)

    def find(self, url: str) -> Slot | None:
        """Return the place of a URL, `None` if exactly this one was not issued."""
        found = self.at(urlsplit(url).path)
        return found if found is not None and found.url == url else None

    def expire(self) -> None:
        """Expire all URLs issued so far."""
        for slot in list(self._by_path.values()):
            slot.expires_at = 0.0

    async def store(self, request: Request, slot: Slot) -> Stored:
        """Write a body to a file as it comes; a body that breaks off leaves none."""
        if request.headers.get("content-type", "").startswith("multipart/"):
            self._notes.complaints.append("a PUT to the storage is multipart form data")
        path = self.next_path(slot)
        digest = hashlib.md5(usedforsecurity=False)
        size_bytes = 0
        try:
            with path.open("wb") as file:
                first = b""
                async for piece in request.stream():
                    first = first or piece[: len(_START_OF_MULTIPART)]
                    digest.update(piece)
                    size_bytes += file.write(piece)
        except ClientDisconnect:
            path.unlink(missing_ok=True)
            raise
        if first == _START_OF_MULTIPART:
            self._notes.complaints.append("a file begins with --, as multipart form data does")
        return Stored(path, size_bytes, digest.digest())

    def next_path(self, slot: Slot) -> Path:
        """Return where the next thing that is put at a place is kept."""
        slot.puts += 1
        return self._folder / f"{urlsplit(slot.url).path.rpartition('/')[2]}-{slot.puts}"


def base64_text(data: bytes) -> str:
    """Return bytes as headers have them."""
    return base64.b64encode(data).decode()


def stated_md5(request: Request) -> bytes | None:
    """Return the MD5 that a request states of its body, `None` where it states none.

    Raises `ValueError` for one that is none.
    """
    text = request.headers.get("content-md5")
    if text is None:
        return None
    found = base64.b64decode(text, validate=True)
    if len(found) != hashlib.md5(usedforsecurity=False).digest_size:
        raise ValueError("an MD5 has 16 bytes")
    return found
