"""What a valid configuration needs of the machine: files that are there, readable, and fit.

`nss check` reports these problems beside those of `nss.config.load`, and the service before it
starts. Nothing is changed, no connection is made and no name is resolved.
"""

import os
import ssl
import stat
from collections.abc import Iterator
from pathlib import Path

from formats.errors import Problem
from nss.config.files import (
    MAX_PEM_BYTES,
    Unfit,
    format_text,
    read_basic,
    read_bounded,
    read_obfuscation_key,
    read_token,
)
from nss.config.model import Config, DurableSpoolConfig, FeedConfig
from nss.config.setting import key_path
from nss.config.sinks import CloudDiscoverySinkConfig, FileSinkConfig, SyslogTcpSinkConfig
from nss.config.sources import (
    FileSourceConfig,
    HttpSourceConfig,
    ListeningSourceConfig,
    SourceConfig,
)
from nss.config.values import FormatChoice
from nss.wording import error_text


def check_environment(config: Config) -> list[Problem]:
    """Return everything about the machine that stands in the way of `config`, by key path."""
    problems: list[Problem] = []
    if config.service.control_socket is not None:
        problems += _socket_problems(config.service.control_socket)
    if isinstance(config.spool, DurableSpoolConfig):
        problems += _spool_problems(config.spool.path)
    problems += _mcas_problems(config)
    for source in config.sources:
        problems += _source_problems(source, key_path("sources", source.name))
    for feed in config.feeds:
        problems += _feed_problems(feed, key_path("feeds", feed.name))
    return problems


def _socket_problems(path: Path) -> Iterator[Problem]:
    key = "service.control_socket"
    tip = 'create it for the user that nss runs as, or set service.control_socket, perhaps to "off"'
    try:
        why = _folder_fault(path.parent, tip)
        if not why and path.exists() and not path.is_socket():
            why = "is something else than a socket already"
    except OSError as error:
        why = error_text(error)
    if why:
        yield Problem(key, str(path), why)


def _spool_problems(path: Path) -> Iterator[Problem]:
    """SQLite needs the folder too: it makes and removes files beside the spool."""
    tip = (
        "create it for the user that nss runs as, or set spool.path, or spool.kind = "
        '"memory" if losing records in a crash does not matter'
    )
    try:
        why = _folder_fault(path.parent, tip)
        if not why and path.exists():
            if not path.is_file():
                why = "is not a regular file"
            elif not os.access(path, os.R_OK | os.W_OK):
                why = "permission denied: the user that nss runs as must read and write it"
    except OSError as error:
        why = error_text(error)
    if why:
        yield Problem("spool.path", str(path), why)


def _mcas_problems(config: Config) -> Iterator[Problem]:
    mcas, folder = config.mcas, config.service.state_directory
    if any(isinstance(feed.sink, CloudDiscoverySinkConfig) for feed in config.feeds):
        tip = "create it for the user that nss runs as, or set service.state_directory"
        try:
            why = _folder_fault(folder, tip)
        except OSError as error:
            why = error_text(error)
        if why:
            yield Problem("service.state_directory", str(folder), why)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    yield from _authority_problems(context, mcas.ca_file, "mcas.ca_file")
    if mcas.proxy_auth_file is not None:
        try:
            read_basic(mcas.proxy_auth_file)
        except Unfit as unfit:
            yield Problem("mcas.proxy_auth_file", str(mcas.proxy_auth_file), unfit.why)


def _folder_fault(folder: Path, tip: str) -> str | None:
    """Return why no file can be made in a folder; `tip` is what to do when it is not there."""
    if not folder.is_dir():
        return f"there is no folder {folder}\nTry: {tip}"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"permission denied: the user that nss runs as must write in the folder {folder}"
    return None


def _source_problems(source: SourceConfig, where: str) -> Iterator[Problem]:
    yield from _format_problems(source.format, where, for_source=True)
    match source:
        case FileSourceConfig():
            yield from _input_problems(source, f"{where}.path")
        case ListeningSourceConfig():
            if isinstance(source, HttpSourceConfig):
                yield from _credential_problems(source, where)
            yield from _listener_problems(source, where)
        case _:
            pass


def _feed_problems(feed: FeedConfig, where: str) -> Iterator[Problem]:
    yield from _format_problems(feed.format, where, for_source=False)
    path = feed.obfuscation_key_file
    if path is not None:
        try:
            read_obfuscation_key(path)
        except Unfit as unfit:
            yield Problem(f"{where}.obfuscation_key_file", str(path), unfit.why)
    match feed.sink:
        case FileSinkConfig(path=Path() as path, rotate_bytes=rotate_bytes):
            rotated = rotate_bytes is not None
            yield from _output_problems(path, f"{where}.sink.path", rotated=rotated)
        case SyslogTcpSinkConfig() as sink if sink.tls:
            yield from _connector_problems(sink, f"{where}.sink")
        case _:
            pass


def _format_problems(choice: FormatChoice, where: str, *, for_source: bool) -> Iterator[Problem]:
    if choice.kind != "file":
        return
    try:
        format_text(Path(choice.value), for_source=for_source)
    except Unfit as unfit:
        yield Problem(f"{where}.format", choice.value, unfit.why)


def _input_problems(source: FileSourceConfig, key: str) -> Iterator[Problem]:
    """A followed file may come later, but only into a folder that is there."""
    path = source.path
    try:
        if not path.exists() and source.follow:
            if not path.parent.is_dir():
                yield Problem(key, str(path), f"there is no folder {path.parent}")
            return
        mode = path.stat().st_mode
    except OSError as error:
        yield Problem(key, str(path), error_text(error))
        return
    if stat.S_ISDIR(mode):
        yield Problem(key, str(path), "is a folder; must be a file")
    elif not os.access(path, os.R_OK):
        yield Problem(key, str(path), "permission denied")


def _output_problems(path: Path, key: str, *, rotated: bool) -> Iterator[Problem]:
    try:
        why = _output_fault(path, rotated=rotated)
    except OSError as error:
        why = error_text(error)
    if why:
        yield Problem(key, str(path), why)


def _output_fault(path: Path, *, rotated: bool) -> str | None:
    folder = path.parent
    if not folder.is_dir():
        return f"there is no folder {folder}"
    if path.is_dir():
        return "is a folder; must be a file"
    if not os.access(path if path.exists() else folder, os.W_OK):
        return "permission denied"
    if rotated and path.exists() and not path.is_file():
        return "is not a regular file, which rotate_bytes needs"
    if rotated and not os.access(folder, os.W_OK | os.X_OK):
        return f"permission denied: rotate_bytes needs to write in the folder {folder}"
    return None


def _credential_problems(source: HttpSourceConfig, where: str) -> Iterator[Problem]:
    wanted = (
        ("token_file", source.token_file, read_token),
        ("basic_file", source.basic_file, read_basic),
    )
    for key, path, read in wanted:
        if path is not None:
            try:
                read(path)
            except Unfit as unfit:
                yield Problem(f"{where}.{key}", str(path), unfit.why)


def _listener_problems(source: ListeningSourceConfig, where: str) -> Iterator[Problem]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    yield from _identity_problems(context, source.tls_certificate, source.tls_key, where)
    yield from _authority_problems(context, source.tls_client_ca, f"{where}.tls_client_ca")


def _connector_problems(sink: SyslogTcpSinkConfig, where: str) -> Iterator[Problem]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    yield from _authority_problems(context, sink.tls_ca, f"{where}.tls_ca")
    yield from _identity_problems(context, sink.tls_certificate, sink.tls_key, where)


def _identity_problems(
    context: ssl.SSLContext, certificate: Path | None, key: Path | None, where: str
) -> Iterator[Problem]:
    if certificate is None or key is None:
        return
    unread = [
        *_unreadable(certificate, f"{where}.tls_certificate"),
        *_unreadable(key, f"{where}.tls_key", secret=True),
    ]
    yield from unread
    if not unread:
        yield from _pair_problems(context, certificate, key, where)


def _authority_problems(
    context: ssl.SSLContext, authorities: Path | None, key: str
) -> Iterator[Problem]:
    if authorities is None:
        return
    unread = [*_unreadable(authorities, key)]
    yield from unread
    if not unread:
        try:
            context.load_verify_locations(authorities)
        except OSError:  # ssl.SSLError is one
            yield Problem(key, str(authorities), "has no certificate in PEM")


def _unreadable(path: Path, key: str, *, secret: bool = False) -> Iterator[Problem]:
    try:
        read_bounded("TLS", path, MAX_PEM_BYTES, secret=secret)
    except Unfit as unfit:
        yield Problem(key, str(path), unfit.why)


def _pair_problems(
    context: ssl.SSLContext, certificate: Path, key: Path, where: str
) -> Iterator[Problem]:
    try:
        context.load_cert_chain(certificate, key, password=_refuse_password)
    except _Encrypted:
        yield Problem(f"{where}.tls_key", str(key), "is encrypted; must be a key without password")
    except OSError as error:  # ssl.SSLError is one
        if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
            yield Problem(f"{where}.tls_key", str(key), f"is not the key of {certificate}")
        else:
            why = f"has no certificate in PEM, or {key} has no private key"
            yield Problem(f"{where}.tls_certificate", str(certificate), why)


class _Encrypted(Exception):  # noqa: N818 - it is a fact about the key
    """The private key asks for a password."""


def _refuse_password() -> str:
    """Keep OpenSSL from asking at the terminal."""
    raise _Encrypted
