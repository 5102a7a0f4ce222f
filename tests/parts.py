"""Sources, sinks and spools for tests: settings and seams by name, what is not named by default."""

from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from nss.config.sources import (
    FileSourceConfig,
    HttpSourceConfig,
    StdinSourceConfig,
    TcpSourceConfig,
)
from nss.config.values import Address
from nss.sources.file.source import FileSource
from nss.sources.http.auth import Credentials
from nss.sources.http.source import HttpSource
from nss.sources.stdin import StdinSource
from nss.sources.tcp.source import TcpSource

S = TypeVar("S")


def section(kind: type[S], options: dict[str, Any]) -> tuple[S, dict[str, Any]]:
    """Return the section that the options make, and those that are not of the section."""
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]  # every section is one
    settings = {name: value for name, value in options.items() if name in names}
    return kind(**settings), {n: v for n, v in options.items() if n not in names}


def file_source(path: Path, **options: Any) -> FileSource:  # noqa: ANN401 - the source's own
    """Return a source called `web`."""
    settings, seams = section(FileSourceConfig, {"name": "web", "path": path, **options})
    return FileSource(settings, **seams)


def stdin_source(**options: Any) -> StdinSource:  # noqa: ANN401 - the source's own
    """Return a source called `stdin`."""
    settings, seams = section(StdinSourceConfig, {"name": "stdin", **options})
    return StdinSource(settings, **seams)


def tcp_source(host: str = "127.0.0.1", port: int = 0, **options: Any) -> TcpSource:  # noqa: ANN401 - the source's own
    """Return a source called `tcp`."""
    listen = Address(host, port)
    settings, seams = section(TcpSourceConfig, {"name": "tcp", "listen": listen, **options})
    return TcpSource(settings, **seams)


def http_source(
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    token: bytes | None = None,
    basic: bytes | None = None,
    **options: Any,  # noqa: ANN401 - the source's own
) -> HttpSource:
    """Return a source called `push`."""
    listen = Address(host, port)
    settings, seams = section(HttpSourceConfig, {"name": "push", "listen": listen, **options})
    credentials = Credentials(token=token, basic=basic)
    return HttpSource(settings, credentials=credentials, **{"is_full": bool} | seams)
