"""What settings must be to each other: keys of one table, and sections among themselves."""

import ipaddress
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from formats.errors import Problem
from nss.config.model import DurableSpoolConfig, FeedConfig, McasConfig, ServiceConfig, SpoolConfig
from nss.config.setting import declared, key_path
from nss.config.sinks import FileSinkConfig, SyslogTcpSinkConfig
from nss.config.sources import (
    FileSourceConfig,
    HttpSourceConfig,
    ListeningSourceConfig,
    SourceConfig,
    StdinSourceConfig,
    TcpSourceConfig,
)
from nss.config.values import Address, FormatChoice

MAX_SOCKET_PATH_BYTES = 107
"""`sun_path` has 108 bytes, one of them for the NUL at the end (unix(7))."""

_LISTENER_TLS = {
    "tls_certificate": "tls_key",
    "tls_key": "tls_certificate",
    "tls_client_ca": "tls_certificate",
}
_NEEDS: Mapping[type, Mapping[str, str]] = {
    TcpSourceConfig: _LISTENER_TLS,
    HttpSourceConfig: _LISTENER_TLS,
    SyslogTcpSinkConfig: {"tls_certificate": "tls_key", "tls_key": "tls_certificate"},
    FileSinkConfig: {"rotate_keep": "rotate_bytes"},
    McasConfig: {"proxy_auth_file": "proxy"},
}

# The journal is there only until the file is in WAL mode.
_BESIDE_SPOOL = ("-wal", "-shm", "-journal", ".lock")
_EVERY_INTERFACE = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to


def table_problems(kind: type, table: Mapping[str, object], where: str) -> Iterator[Problem]:
    """Tell the keys of one table that don't go together."""
    for key, needed in _NEEDS.get(kind, {}).items():
        if key in table and needed not in table:
            yield Problem(f"{where}.{key}", table[key], f"needs {needed} as well")
    if kind is SyslogTcpSinkConfig and table.get("tls", False) is False:
        for key in table:
            if key.startswith("tls_") and key in {entry.key for entry in declared(kind)}:
                yield Problem(f"{where}.{key}", table[key], "needs tls = true as well")
    if kind is HttpSourceConfig and {"token_file", "basic_file"} <= table.keys():
        why = "token_file and basic_file exclude each other; keep one"
        yield Problem(f"{where}.basic_file", None, why)
    if kind is FileSinkConfig and table.get("path") == "-":
        if "rotate_bytes" in table:
            why = "standard output can't be rotated; leave this out, or name a file as path"
            yield Problem(f"{where}.rotate_bytes", table["rotate_bytes"], why)
        if table.get("sync") is True:
            why = "standard output can't be synced; leave this out, or name a file as path"
            yield Problem(f"{where}.sync", table["sync"], why)


def section_problems(
    service: ServiceConfig,
    mcas: McasConfig,
    spool: SpoolConfig | None,
    sources: Sequence[SourceConfig],
    feeds: Sequence[FeedConfig],
) -> Iterator[Problem]:
    """Tell what is wrong between values that are each right; `spool` is `None` if it is not."""
    yield from _socket_problems(service)
    for source in sources:
        if isinstance(source, HttpSourceConfig):
            yield from _http_problems(source, key_path("sources", source.name))
    yield from _claimed_twice(
        [
            *_service_claims(service, spool),
            *_read_only(mcas, "mcas"),
            *_claims(sources, feeds),
        ]
    )
    if spool is not None:
        yield from _larger_than_spool(sources, spool)


def unused(names: Iterable[str], feeds: Iterable[FeedConfig]) -> Iterator[Problem]:
    """Tell the sources whose records no feed would take."""
    used = {name for feed in feeds for name in feed.sources}
    for name in names:
        if name not in used:
            yield Problem(key_path("sources", name), None, "no feed takes its records")


def _socket_problems(service: ServiceConfig) -> Iterator[Problem]:
    path = str(service.control_socket or "")
    size = len(path.encode())
    if size > MAX_SOCKET_PATH_BYTES:
        why = (
            f"has {size} bytes; the path of a socket may have {MAX_SOCKET_PATH_BYTES}, counted "
            "from the root"
        )
        yield Problem("service.control_socket", path, why)


def _http_problems(source: HttpSourceConfig, where: str) -> Iterator[Problem]:
    known_senders = source.token_file or source.basic_file
    if known_senders is None and not _on_loopback(source.listen):
        why = "is not on loopback, so it needs token_file or basic_file as well"
        yield Problem(f"{where}.listen", str(source.listen), why)
    unpacked = source.max_decompressed_bytes
    if unpacked < source.max_body_bytes:
        why = f"a body that is not compressed may have max_body_bytes = {source.max_body_bytes}"
        yield Problem(f"{where}.max_decompressed_bytes", unpacked, why)
    if unpacked < source.max_record_bytes:
        why = f"one record must fit into a body, which has max_decompressed_bytes = {unpacked}"
        yield Problem(f"{where}.max_record_bytes", source.max_record_bytes, why)


def _larger_than_spool(sources: Iterable[SourceConfig], spool: SpoolConfig) -> Iterator[Problem]:
    for source in sources:
        if source.max_record_bytes > spool.max_bytes:
            why = f"one record must fit into the spool, which has max_bytes = {spool.max_bytes}"
            key = f"{key_path('sources', source.name)}.max_record_bytes"
            yield Problem(key, source.max_record_bytes, why)


@dataclass(frozen=True, slots=True)
class _Claim:
    """A file, an address or a stream that a key names."""

    key: str
    wanted: str | Address
    suffixes: tuple[str, ...] = ()
    """Further files are the wanted one with each of these at the end of its name,"""
    rotated: int = 0
    """or with `.1` to so many."""
    shared: bool = False
    """Whether it is only read, as others may do too."""

    def takes_beside(self, path: str) -> bool:
        """Return whether `path` is one of the further files."""
        if not isinstance(self.wanted, str) or not path.startswith(self.wanted):
            return False
        suffix = path[len(self.wanted) :]
        number = re.fullmatch(r"\.([1-9][0-9]{0,8})", suffix)
        return suffix in self.suffixes or (number is not None and int(number[1]) <= self.rotated)


def _claimed_twice(claims: Sequence[_Claim]) -> Iterator[Problem]:
    """Tell the files, addresses and streams that two keys want for themselves.

    A file that one writes and another reads would be an endless loop, a file read twice would
    double the records, a secret written to would be none any more.
    """
    for earlier, later in combinations(claims, 2):
        why = _clash(earlier, later)
        if why and not (earlier.shared and later.shared):
            yield Problem(later.key, str(later.wanted), why)


def _clash(earlier: _Claim, later: _Claim) -> str | None:
    match earlier.wanted, later.wanted:
        case Address() as one, Address() as other:
            return f"is taken by {earlier.key}" if _same_port(one, other) else None
        case str(one), str(other):
            if one == other:
                return f"is taken by {earlier.key}"
            if earlier.takes_beside(other):
                return f"is taken by {earlier.key}, which needs more files beside {one}"
            if later.takes_beside(one):
                return f"needs {one} beside it, which is taken by {earlier.key}"
    return None


def _service_claims(service: ServiceConfig, spool: SpoolConfig | None) -> Iterator[_Claim]:
    if service.control_socket is not None:
        yield _Claim("service.control_socket", os.path.normpath(service.control_socket))
    if service.metrics_listen is not None:
        yield _Claim("service.metrics_listen", service.metrics_listen)
    if isinstance(spool, DurableSpoolConfig):
        yield _Claim("spool.path", os.path.normpath(spool.path), suffixes=_BESIDE_SPOOL)


def _claims(sources: Iterable[SourceConfig], feeds: Iterable[FeedConfig]) -> Iterator[_Claim]:
    for source in sources:
        where = key_path("sources", source.name)
        match source:
            case FileSourceConfig():
                yield _Claim(f"{where}.path", os.path.normpath(source.path))
            case StdinSourceConfig():
                yield _Claim(f"{where}.kind", source.kind)
            case ListeningSourceConfig():
                yield _Claim(f"{where}.listen", source.listen)
        yield from _read_only(source, where)
    for feed in feeds:
        where = key_path("feeds", feed.name)
        sink = feed.sink
        if isinstance(sink, FileSinkConfig) and sink.path is None:
            yield _Claim(f"{where}.sink.path", "standard output")
        elif isinstance(sink, FileSinkConfig) and sink.path is not None:
            rotated = 0 if sink.rotate_bytes is None else sink.rotate_keep
            yield _Claim(f"{where}.sink.path", os.path.normpath(sink.path), rotated=rotated)
        yield from _read_only(sink, f"{where}.sink")
        yield from _read_only(feed, where)


def _read_only(section: object, where: str) -> Iterator[_Claim]:
    """Return the claims on files that are read at the start: formats, certificates, secrets."""
    kind: type = type(section)
    for entry in declared(kind):
        match getattr(section, entry.field):
            case Path() as path if entry.key != "path":
                yield _Claim(f"{where}.{entry.key}", os.path.normpath(path), shared=True)
            case FormatChoice(kind="file", value=value) if entry.key == entry.field:
                yield _Claim(f"{where}.{entry.key}", os.path.normpath(value), shared=True)
            case _:
                pass


def _same_port(one: Address, other: Address) -> bool:
    hosts = {_canonical(one.host), _canonical(other.host)}
    return one.port == other.port != 0 and (len(hosts) == 1 or bool(hosts & _EVERY_INTERFACE))


def _on_loopback(address: Address) -> bool:
    try:
        return ipaddress.ip_address(_canonical(address.host)).is_loopback
    except ValueError:
        return False


def _canonical(host: str) -> str:
    """Return a host in the one form that it is compared in."""
    name = host.lower().removesuffix(".")
    try:
        return str(ipaddress.ip_address("127.0.0.1" if name == "localhost" else name))
    except ValueError:
        return name
