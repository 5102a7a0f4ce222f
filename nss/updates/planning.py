"""What an update needs of the configuration, checked before anything begins.

Whoever can change these settings decides which programs root installs. So the file with them, and
the key that packages must be signed by, must be root's alone to write.
"""

import os
import secrets
import stat
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from nss.config.model import Config, DurableSpoolConfig
from nss.config.updates import UpdatesConfig
from nss.errors import ConfigError, InputMissing
from nss.files.private import EVERYONE, MAX_PEM_BYTES, FileFault, read_bounded
from nss.updates.apt import Access
from nss.updates.failures import ClientRefused
from nss.updates.plan import Plan
from nss.wording import error_text, page

_ROOT = 0
_RENEW = "get a new one from who runs the repository"


def access_of(updates: UpdatesConfig, config: Path) -> Access:
    """Return how the repository is reached; `config` is the file that says so.

    Raises `ConfigError`, `InputMissing` and `ClientRefused`.
    """
    if updates.repository is None:
        raise ConfigError(
            f"update: no repository is configured ({config})",
            tip="set repository and key_file in [updates]"
            + ("" if (guide := page("updates.md")) is None else f", as {guide} shows"),
        )
    if updates.key_file is None:
        raise ConfigError(
            f"update: repository needs key_file in [updates] ({config})",
            tip="name the public key that the repository is signed with",
        )
    for path in (config, updates.key_file):
        _check_owner(path)
    certificate = key = None
    if updates.client_certificate_file and updates.client_key_file:
        certificate = _read(updates.client_certificate_file, "client_certificate_file")
        key = _read(updates.client_key_file, "client_key_file", secret=True)
        _check_client(certificate, key, updates.client_certificate_file)
    return Access(
        repository=updates.repository,
        suite=updates.suite,
        key=_read(updates.key_file, "key_file"),
        timeout_secs=updates.timeout_secs,
        client_certificate=certificate,
        client_key=key,
        trust=None if updates.trust_file is None else _read(updates.trust_file, "trust_file"),
        proxy=_proxy(updates),
    )


def plan_of(config: Config, path: Path, *, force: bool, user: str) -> Plan:
    """Return the plan of an update for a valid configuration with a repository."""
    spool, updates = config.spool, config.updates
    durable = spool if isinstance(spool, DurableSpoolConfig) else None
    return Plan(
        number=secrets.token_hex(8),
        repository=updates.repository or "",
        suite=updates.suite,
        timeout_secs=updates.timeout_secs,
        verify_secs=updates.verify_secs,
        config=str(path.absolute()),
        spool=None if durable is None else str(durable.path),
        spool_reserve=0 if durable is None else durable.min_free_bytes,
        user=user,
        force=force,
    )


def _check_owner(path: Path) -> None:
    """Raise `ConfigError` unless only root can write a file, or replace it."""
    try:
        of_file, of_folder = path.stat(), path.absolute().parent.stat()
    except OSError as error:
        raise InputMissing(f"update: {error_text(error)} ({path})") from None
    writable = stat.S_IWGRP | stat.S_IWOTH
    for status, what in ((of_file, path), (of_folder, path.absolute().parent)):
        if status.st_uid != _ROOT or status.st_mode & writable:
            raise ConfigError(
                f"update: others than root may write {what}, and so decide what root installs",
                tip=f"sudo chown root {what}; sudo chmod go-w {what}",
            )


def _read(path: Path, key: str, *, secret: bool = False) -> bytes:
    try:
        return read_bounded(path, MAX_PEM_BYTES, forbidden=EVERYONE if secret else 0)
    except OSError as error:
        tip = "run the command with sudo" if os.geteuid() else f"see updates.{key}"
        raise InputMissing(f"update: {key}: {error_text(error)} ({path})", tip=tip) from None
    except FileFault as fault:
        raise ConfigError(f"update: {key}: {fault} ({path})", tip=f"see updates.{key}") from None


def _check_client(certificate: bytes, key: bytes, path: Path) -> None:
    """Raise `ClientRefused` for a certificate that no server could accept."""
    try:
        first = x509.load_pem_x509_certificates(certificate)[0]
        public = load_pem_private_key(key, password=None).public_key()
    except (ValueError, TypeError, IndexError):
        raise ClientRefused(
            f"update: the client certificate or its key can't be read ({path})",
            tip="both are PEM, and the key has no password",
        ) from None
    if public != first.public_key():
        raise ClientRefused(
            f"update: client_key_file is not the key of the client certificate ({path})",
            tip="see client_certificate_file and client_key_file in [updates]",
        )
    now = datetime.now(UTC)
    if now > first.not_valid_after_utc:
        ended = first.not_valid_after_utc.date().isoformat()
        raise ClientRefused(f"update: the client certificate ended {ended} ({path})", tip=_RENEW)
    if now < first.not_valid_before_utc:
        begins = first.not_valid_before_utc.date().isoformat()
        raise ClientRefused(
            f"update: the client certificate begins {begins} ({path})", tip="see the clock: date"
        )


def _proxy(updates: UpdatesConfig) -> str:
    if updates.proxy is None:
        return "DIRECT"
    if updates.proxy_auth_file is None:
        return updates.proxy

    text = _read(updates.proxy_auth_file, "proxy_auth_file", secret=True).decode(errors="replace")
    user, colon, password = text.strip().partition(":")
    if not colon or not user:
        raise ConfigError("update: proxy_auth_file has no USER:PASSWORD")
    login = f"{quote(user, safe='')}:{quote(password, safe='')}"
    return updates.proxy.replace("://", f"://{login}@", 1)
