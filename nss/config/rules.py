"""What sections must be to each other, and values of one section that are each right."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from formats.errors import Problem
from nss.config import portal
from nss.config.kafka import KafkaConfig, kafka_problems
from nss.config.model import FeedConfig, McasConfig, MemorySpoolConfig, SpoolConfig
from nss.config.portal import PortalConfig
from nss.config.setting import Held, Role, held_by
from nss.config.sinks import CloudDiscoverySinkConfig, KafkaSinkConfig
from nss.config.sources import (
    CommonSourceConfig,
    HttpSourceConfig,
    KafkaSourceConfig,
    StdinSourceConfig,
)
from nss.config.toml import key_path
from nss.config.values import Address, canonical, is_every_interface, is_loopback

MAX_SOCKET_PATH_BYTES = 107
"""`sun_path` has 108 bytes, one of them for the NUL at the end (unix(7))."""

# The journal is there only until the file is in WAL mode.
_BESIDE_SPOOL = ("-wal", "-shm", "-journal", ".lock")


def section_problems(
    sections: Sequence[tuple[str, object]], spool: SpoolConfig | None
) -> Iterator[Problem]:
    """Yield what is wrong between values that are each right.

    `sections` are all that are right by themselves, each with its place; `spool` is `None` if it
    is not.
    """
    for where, section in sections:
        for held in held_by(section, where):
            if held.role is Role.SOCKET:
                yield from _socket_problems(held)
        if isinstance(section, HttpSourceConfig):
            yield from _http_problems(section, where)
        if isinstance(section, KafkaConfig):
            yield from _kafka_problems(section, spool, where)
        if isinstance(section, PortalConfig):
            yield from portal.problems(section, where)
    yield from _claimed_twice([claim for at, part in sections for claim in _claims(at, part)])
    for where, section in sections:
        if spool is None or not isinstance(section, CommonSourceConfig):
            continue
        if section.max_record_bytes > spool.max_bytes:
            reason = f"one record must fit into the spool, which has max_bytes = {spool.max_bytes}"
            yield Problem(f"{where}.max_record_bytes", section.max_record_bytes, reason)


def _kafka_problems(
    section: KafkaConfig, spool: SpoolConfig | None, where: str
) -> Iterator[Problem]:
    yield from kafka_problems(section, where)
    is_source = isinstance(section, KafkaSourceConfig) and section.commit == "accepted"
    if is_source and isinstance(spool, MemorySpoolConfig):
        reason = (
            "a spool in memory loses what it has accepted when the process ends, and Kafka would "
            'not send it again; set commit = "delivered", or kind = "durable" in [spool]'
        )
        yield Problem(f"{where}.commit", "accepted", reason)
    packed = section.pack_bytes if isinstance(section, KafkaSinkConfig) else None
    if isinstance(section, KafkaSinkConfig) and (packed or 0) > section.max_message_bytes:
        reason = f"a message may have max_message_bytes = {section.max_message_bytes}"
        yield Problem(f"{where}.pack_bytes", packed, reason)


def unused(names: Iterable[str], feeds: Iterable[FeedConfig]) -> Iterator[Problem]:
    """Yield the sources whose records no feed would take."""
    used = {name for feed in feeds for name in feed.sources}
    for name in names:
        if name not in used:
            yield Problem(key_path("sources", name), None, "no feed takes its records")


def uploading(mcas: McasConfig, feeds: Iterable[FeedConfig]) -> Iterator[Problem]:
    """Yield what is wrong when another machine is said to upload, and a feed does so here."""
    here = [feed.name for feed in feeds if isinstance(feed.sink, CloudDiscoverySinkConfig)]
    if mcas.uploaded_by is not None and here:
        reason = f"feed {here[0]} uploads from this machine; remove this key, or that feed"
        yield Problem("mcas.uploaded_by", mcas.uploaded_by, reason)


def _socket_problems(held: Held) -> Iterator[Problem]:
    path = str(held.value or "")
    size = len(path.encode())
    if size > MAX_SOCKET_PATH_BYTES:
        most = f"the path of a socket may have {MAX_SOCKET_PATH_BYTES}, counted from the root"
        yield Problem(held.key, path, f"has {size} bytes; {most}")


def _http_problems(source: HttpSourceConfig, where: str) -> Iterator[Problem]:
    known_senders = source.token_file or source.basic_file
    if known_senders is None and not is_loopback(source.listen.host):
        reason = "is not on loopback, so it needs token_file or basic_file as well"
        yield Problem(f"{where}.listen", str(source.listen), reason)
    unpacked = source.max_decompressed_bytes
    if unpacked < source.max_body_bytes:
        reason = f"a body that is not compressed may have max_body_bytes = {source.max_body_bytes}"
        yield Problem(f"{where}.max_decompressed_bytes", unpacked, reason)
    if unpacked < source.max_record_bytes:
        reason = f"one record must fit into a body, which has max_decompressed_bytes = {unpacked}"
        yield Problem(f"{where}.max_record_bytes", source.max_record_bytes, reason)


@dataclass(frozen=True, slots=True)
class _Claim:
    """A file, an address or a stream that a key names."""

    key: str
    wanted: str | Address
    suffixes: tuple[str, ...] = ()
    """Further files are the wanted one with each of these at the end of its name,"""
    rotated: int = 0
    """or with `.1` to this number."""
    is_shared: bool = False
    """Whether it is only read, as others may do too."""

    def takes_beside(self, path: str) -> bool:
        """Return whether `path` is one of the further files."""
        if not isinstance(self.wanted, str) or not path.startswith(self.wanted):
            return False
        suffix = path[len(self.wanted) :]
        number = re.fullmatch(r"\.([1-9][0-9]{0,8})", suffix)
        return suffix in self.suffixes or (number is not None and int(number[1]) <= self.rotated)


def _claims(where: str, section: object) -> Iterator[_Claim]:
    if isinstance(section, StdinSourceConfig):
        yield _Claim(f"{where}.kind", section.kind)
    for held in held_by(section, where):
        path = "" if held.file is None else os.path.normpath(held.file)
        match held.role:
            case Role.LISTENER if held.value is not None:
                yield _Claim(held.key, held.value)
            case Role.OUTPUT if not path:
                yield _Claim(held.key, "standard output")
            case Role.OUTPUT:
                rotated = 0 if held.section.rotate_bytes is None else held.section.rotate_keep
                yield _Claim(held.key, path, rotated=rotated)
            case Role.SPOOL:
                yield _Claim(held.key, path, suffixes=_BESIDE_SPOOL)
            case Role.INPUT | Role.SOCKET | Role.LIST if path:
                yield _Claim(held.key, path)
            case role if role.is_read and path:
                yield _Claim(held.key, path, is_shared=True)
            case _:
                pass


def _claimed_twice(claims: Sequence[_Claim]) -> Iterator[Problem]:
    """Yield the files, addresses and streams that two keys want for themselves.

    A file that one key writes and another reads would be an endless loop, a file read twice would
    double the records, and a secret that is written to would no longer be the secret.
    """
    for earlier, later in combinations(claims, 2):
        reason = _clash(earlier, later)
        if reason and not (earlier.is_shared and later.is_shared):
            yield Problem(later.key, str(later.wanted), reason)


def _clash(earlier: _Claim, later: _Claim) -> str | None:
    match earlier.wanted, later.wanted:
        case Address() as first, Address() as second:
            return f"is taken by {earlier.key}" if _same_port(first, second) else None
        case str(first), str(second):
            if first == second:
                return f"is taken by {earlier.key}"
            if earlier.takes_beside(second):
                return f"is taken by {earlier.key}, which needs more files beside {first}"
            if later.takes_beside(first):
                return f"needs {first} beside it, which is taken by {earlier.key}"
    return None


def _same_port(first: Address, second: Address) -> bool:
    hosts = {canonical(first.host), canonical(second.host)}
    return first.port == second.port != 0 and (
        len(hosts) == 1 or any(map(is_every_interface, hosts))
    )
