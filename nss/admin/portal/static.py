"""The files that browsers load: a closed set, read once; an address changes with its content."""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

PREFIX = "/static/"
"""Under which they are; everybody may load them."""

FOLDER = Path(__file__).parent / "static"

CONTENT_TYPES: Mapping[str, str] = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""What is served; licences and the manifest beside them are not."""

_FOREVER = "public, max-age=31536000, immutable"
_ASK = "no-cache"


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file as it is sent; `version`, 8 digits of its checksum, is in its address."""

    content: bytes
    packed: bytes
    content_type: str
    version: str
    etag: str


class StaticFiles:
    """All files of a folder that browsers may load. Nothing is read after the start."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._files = {
            path.name: _read(path)
            for path in sorted(folder.iterdir())
            if path.suffix in CONTENT_TYPES
        }

    def url(self, name: str) -> str:
        """Return the address of a file. Raises `KeyError` for a name that there is not."""
        return f"{PREFIX}{name}?v={self._files[name].version}"

    def routes(self) -> list[Route]:
        """Return the route of all files."""
        return [Route(PREFIX + "{name}", self._answer, methods=["GET"])]

    async def _answer(self, request: Request) -> Response:
        file = self._files.get(request.path_params["name"])
        if file is None:
            return PlainTextResponse("There is no such file.\n", 404)
        lasting = request.query_params.get("v") == file.version
        headers = {
            "cache-control": _FOREVER if lasting else _ASK,
            "etag": file.etag,
            "vary": "accept-encoding",
        }
        if request.headers.get("if-none-match") == file.etag:
            return Response(status_code=304, headers=headers)
        headers["content-type"] = file.content_type
        if accepts_gzip(request.headers.get("accept-encoding", "")):
            return Response(file.packed, headers=headers | {"content-encoding": "gzip"})
        return Response(file.content, headers=headers)


def accepts_gzip(accepted: str) -> bool:
    """Return whether the header Accept-Encoding allows gzip (RFC 9110, 12.5.3)."""
    for each in accepted.split(","):
        coding, _, weight = each.partition(";")
        if coding.strip().lower() == "gzip":
            return weight.replace(" ", "").lower() not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


def _read(path: Path) -> StaticFile:
    content = path.read_bytes()
    version = hashlib.sha256(content).hexdigest()[:8]
    return StaticFile(
        content,
        gzip.compress(content, mtime=0),
        CONTENT_TYPES[path.suffix],
        version,
        f'"{version}"',
    )
