"""What a valid configuration needs of the machine: files that are there, readable, and fit.

`nss check` tells these problems beside those of `nss.config`, and the service before it starts.
Nothing is changed, no connection is made and no name is resolved.
"""

import os
import ssl
import stat
from collections.abc import Iterator
from pathlib import Path

from formats import language, presets
from formats.errors import Problem
from formats.language import FeedFormat
from nss.config_reading import key_path
from nss.config_sections import (
    Config,
    FeedConfig,
    FileSinkConfig,
    FileSourceConfig,
    SourceConfig,
    TcpSourceConfig,
)
from nss.errors import ConfigError
from nss.setting_values import FormatChoice, format_fault

MAX_KEY_BYTES = 64 << 10
MAX_FORMAT_BYTES = 1 << 20
MAX_PEM_BYTES = 1 << 20


class Unfit(ConfigError):  # noqa: N818 - named as the sentence reads
    """A file that the configuration names can't be used; `why` tells it without the path."""

    def __init__(self, what: str, why: str, path: Path) -> None:
        self.why = why
        super().__init__(f"{what} {path}: {why}")


def check_environment(config: Config) -> list[Problem]:
    """Return everything about the machine that stands in the way of `config`, by key path."""
    problems: list[Problem] = []
    for source in config.sources:
        problems += _source_problems(source, key_path("sources", source.name))
    for feed in config.feeds:
        problems += _feed_problems(feed, key_path("feeds", feed.name))
    return problems


def load_format(choice: FormatChoice) -> FeedFormat | None:
    """Return the compiled feed format of a choice, `None` for `auto` and `json`.

    Raises `Unfit` when a `.fof` file can't be read or compiled.
    """
    match choice.kind:
        case "auto" | "json":
            return None
        case "preset":
            return presets.load(choice.value)
        case "string":
            return language.parse(choice.value)
        case "file":
            path = Path(choice.value)
            return language.parse(_format_text(path, for_source=False), name=path.stem)


def read_obfuscation_key(path: Path) -> bytes:
    """Return the key in a file, without one line end at its end. Raises `Unfit`.

    Refuses an empty key and a file that is open to everyone.
    """
    what = "obfuscation key"
    data = _read(what, path, MAX_KEY_BYTES, secret=True)
    key = data.removesuffix(b"\n").removesuffix(b"\r")
    if not key:
        raise Unfit(what, "is empty", path)
    return key


def _format_text(path: Path, *, for_source: bool) -> str:
    """Return what a `.fof` file holds, which compiles."""
    what = "feed format"
    try:
        text = _read(what, path, MAX_FORMAT_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unfit(what, f"byte {error.start + 1} is not UTF-8", path) from None
    why = format_fault(text, for_source=for_source)
    if why:
        raise Unfit(what, why, path)
    return text


def _read(what: str, path: Path, max_bytes: int, *, secret: bool = False) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # before it is opened: a FIFO would wait
            raise Unfit(what, "is not a regular file", path)
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise Unfit(what, _told(error), path) from None
    if secret and mode & stat.S_IRWXO:
        raise Unfit(what, "is open to everyone; chmod o= it", path)
    if len(data) > max_bytes:
        raise Unfit(what, f"has more than {max_bytes} bytes", path)
    return data


def _told(error: OSError) -> str:
    """Return the system's reason, in lower case as the rest of the sentence."""
    reason = error.strerror or str(error)
    return reason[:1].lower() + reason[1:]


def _source_problems(source: SourceConfig, where: str) -> Iterator[Problem]:
    yield from _format_problems(source.format, where, for_source=True)
    match source:
        case FileSourceConfig():
            yield from _input_problems(source, f"{where}.path")
        case TcpSourceConfig():
            yield from _tls_problems(source, where)
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
    if isinstance(feed.sink, FileSinkConfig) and feed.sink.path is not None:
        yield from _output_problems(feed.sink.path, f"{where}.sink.path")


def _format_problems(choice: FormatChoice, where: str, *, for_source: bool) -> Iterator[Problem]:
    if choice.kind != "file":
        return
    try:
        _format_text(Path(choice.value), for_source=for_source)
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
        yield Problem(key, str(path), _told(error))
        return
    if stat.S_ISDIR(mode):
        yield Problem(key, str(path), "is a folder; must be a file")
    elif not os.access(path, os.R_OK):
        yield Problem(key, str(path), "permission denied")


def _output_problems(path: Path, key: str) -> Iterator[Problem]:
    try:
        if not path.parent.is_dir():
            yield Problem(key, str(path), f"there is no folder {path.parent}")
        elif path.is_dir():
            yield Problem(key, str(path), "is a folder; must be a file")
        elif not os.access(path if path.exists() else path.parent, os.W_OK):
            yield Problem(key, str(path), "permission denied")
    except OSError as error:
        yield Problem(key, str(path), _told(error))


def _tls_problems(source: TcpSourceConfig, where: str) -> Iterator[Problem]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate, key = source.tls_certificate, source.tls_key
    if certificate is not None and key is not None:
        unread = [
            *_unreadable(certificate, f"{where}.tls_certificate"),
            *_unreadable(key, f"{where}.tls_key", secret=True),
        ]
        yield from unread
        if not unread:
            yield from _pair_problems(context, certificate, key, where)
    authorities = source.tls_client_ca
    if authorities is not None:
        at = f"{where}.tls_client_ca"
        unread = [*_unreadable(authorities, at)]
        yield from unread
        if not unread:
            try:
                context.load_verify_locations(authorities)
            except OSError:  # ssl.SSLError is one
                yield Problem(at, str(authorities), "has no certificate in PEM")


def _unreadable(path: Path, key: str, *, secret: bool = False) -> Iterator[Problem]:
    try:
        _read("TLS", path, MAX_PEM_BYTES, secret=secret)
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
