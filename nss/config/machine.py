"""What a valid configuration needs of the machine: files that are there, readable, and fit.

`nss check` reports these problems beside those of `nss.config.load`, and the service before it
starts. Nothing is changed, no connection is made and no name is resolved. What is checked follows
from the role that each setting declares.
"""

import os
import ssl
import stat
from collections.abc import Callable
from pathlib import Path

from formats.errors import Problem
from nss.config.discovery import unparsable
from nss.config.files import (
    MAX_PEM_BYTES,
    UnfitFile,
    format_of_file,
    read_basic,
    read_bounded,
    read_obfuscation_key,
    read_token,
)
from nss.config.model import Config
from nss.config.setting import Held, Role, held_by
from nss.config.sinks import CloudDiscoverySinkConfig
from nss.config.sources import CommonSourceConfig
from nss.errors import ERRORS_OF_DEVICES, DeviceFailed
from nss.files.private import FileFault, bounded_copy
from nss.wording import error_text

_READ_ONLY = (
    "nss may not write there: the file system is read-only for it\n"
    "Try: sudo systemctl edit nss-streamer, with ReadWritePaths={folder} below [Service]"
)
_CREATE = "create it for the user that nss runs as, or set"


def check_environment(config: Config) -> list[Problem]:
    """Return everything about the machine that stands in the way of `config`, by key path.

    Raises `DeviceFailed` when that can't be found out.
    """
    uploads = any(isinstance(feed.sink, CloudDiscoverySinkConfig) for feed in config.feeds)
    problems: list[Problem] = []
    for where, section in config.sections():
        for check, roles in _CHECKS:
            for held in held_by(section, where):
                path = held.file if uploads or held.role is not Role.STATE_FOLDER else None
                if path is not None and held.role in roles:
                    fault = _fault(check, path, held)
                    problems += [Problem(held.key, str(path), fault)] if fault else []
    return [*problems, *unparsable(config)]


def _fault(check: Callable[[Path, Held], object], path: Path, held: Held) -> str | None:
    """Run a check, which returns or raises what is wrong."""
    try:
        fault = check(path, held)
    except UnfitFile as error:
        return error.reason
    except OSError as error:
        if error.errno in ERRORS_OF_DEVICES:
            raise DeviceFailed(
                f"{held.key}: {error_text(error)} ({path})",
                tip="check the disk; the configuration may be right",
            ) from None
        return error_text(error)
    return fault if isinstance(fault, str) else None


def _socket_fault(path: Path, held: Held) -> str | None:
    fault = _folder_fault(path.parent, f'{_CREATE} {held.key}, perhaps to "off"')
    if not fault and path.exists() and not path.is_socket():
        return "is something else than a socket already"
    return fault


def _spool_fault(path: Path, held: Held) -> str | None:
    """SQLite needs the folder too: it makes and removes files beside the spool."""
    memory = 'spool.kind = "memory" if losing records in a crash does not matter'
    fault = _folder_fault(path.parent, f"{_CREATE} {held.key}, or {memory}")
    if fault or not path.exists():
        return fault
    if not path.is_file():
        return "is not a regular file"
    if not os.access(path, os.R_OK | os.W_OK):
        return "permission denied: the user that nss runs as must read and write it"
    return None


def _state_fault(path: Path, held: Held) -> str | None:
    return _folder_fault(path, f"{_CREATE} {held.key}")


def _folder_fault(folder: Path, tip: str) -> str | None:
    """Return why no file can be made in a folder; `tip` is what to do when it is not there."""
    if not folder.is_dir():
        return f"there is no folder {folder}\nTry: {tip}"
    if not os.access(folder, os.W_OK | os.X_OK):
        needed = f"permission denied: the user that nss runs as must write in the folder {folder}"
        return _denied(folder, needed)
    return None


def _denied(folder: Path, reason: str) -> str:
    """Return why nothing may be written in a folder, `reason` where that is not its file system's.

    Outside of the paths that the unit names, every file system is read-only for the service.
    """
    is_read_only = os.statvfs(folder).f_flag & os.ST_RDONLY
    return _READ_ONLY.format(folder=folder) if is_read_only else reason


def _format_fault(path: Path, held: Held) -> None:
    format_of_file(path, for_source=isinstance(held.section, CommonSourceConfig))


def _input_fault(path: Path, held: Held) -> str | None:
    """A followed file may come later, but only into a folder that is there."""
    if held.section.follow and not path.exists():
        return None if path.parent.is_dir() else f"there is no folder {path.parent}"
    if stat.S_ISDIR(path.stat().st_mode):
        return "is a folder; must be a file"
    return None if os.access(path, os.R_OK) else "permission denied"


def _output_fault(path: Path, held: Held) -> str | None:
    folder, rotated = path.parent, held.section.rotate_bytes is not None
    if not folder.is_dir():
        return f"there is no folder {folder}"
    if path.is_dir():
        return "is a folder; must be a file"
    if not os.access(path if path.exists() else folder, os.W_OK):
        return _denied(folder, "permission denied")
    if rotated and path.exists() and not path.is_file():
        return "is not a regular file, which rotate_bytes needs"
    if rotated and not os.access(folder, os.W_OK | os.X_OK):
        return f"permission denied: rotate_bytes needs to write in the folder {folder}"
    return None


def _list_fault(path: Path, held: Held) -> str | None:
    """The file is replaced as a whole, which takes the folder."""
    if path.is_dir():
        return "is a folder; must be a file"
    return _folder_fault(path.parent, f"{_CREATE} {held.key}")


def _tls_fault(path: Path, held: Held) -> str | None:
    _read_pem(path, secret=held.role is Role.PRIVATE_KEY)
    if held.role is Role.AUTHORITIES:
        try:
            with bounded_copy(path, MAX_PEM_BYTES) as copy:
                _context().load_verify_locations(copy)
        except (OSError, FileFault):  # ssl.SSLError is an OSError
            return "has no certificate in PEM"
        return None
    role, fault = _pair_fault(held.section.tls_certificate, held.section.tls_key)
    return fault if role is held.role else None


def _pair_fault(certificate: Path, key: Path) -> tuple[Role | None, str]:
    """Return which of a certificate and its key is wrong, and how; neither if one is unread."""
    try:
        _read_pem(certificate)
        if b"ENCRYPTED" in _read_pem(key, secret=True):
            return Role.PRIVATE_KEY, "is encrypted; must be a key without password"
        with (
            bounded_copy(certificate, MAX_PEM_BYTES) as copy,
            bounded_copy(key, MAX_PEM_BYTES) as key_copy,
        ):
            _context().load_cert_chain(copy, key_copy, password="")  # so that OpenSSL never asks
    except (UnfitFile, FileFault):
        return None, ""
    except OSError as error:  # ssl.SSLError is one
        if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
            return Role.PRIVATE_KEY, f"is not the key of {certificate}"
        return Role.CERTIFICATE, f"has no certificate in PEM, or {key} has no private key"
    return None, ""


def _read_pem(path: Path, *, secret: bool = False) -> bytes:
    return read_bounded("TLS", path, MAX_PEM_BYTES, secret=secret)


def _context() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


_CHECKS: tuple[tuple[Callable[[Path, Held], object], frozenset[Role]], ...] = (
    (_socket_fault, frozenset({Role.SOCKET})),
    (_spool_fault, frozenset({Role.SPOOL})),
    (_state_fault, frozenset({Role.STATE_FOLDER})),
    (_format_fault, frozenset({Role.FORMAT})),
    (_input_fault, frozenset({Role.INPUT})),
    (_output_fault, frozenset({Role.OUTPUT})),
    (_list_fault, frozenset({Role.LIST})),
    (lambda path, _: read_token(path), frozenset({Role.TOKEN})),
    (_tls_fault, frozenset({Role.AUTHORITIES, Role.CERTIFICATE, Role.PRIVATE_KEY})),
    (lambda path, _: read_basic(path), frozenset({Role.USER_PASSWORD})),
    (lambda path, _: read_obfuscation_key(path), frozenset({Role.OBFUSCATION_KEY})),
)
"""The files of one section are checked in this order."""
