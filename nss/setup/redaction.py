"""What is removed from a text before it leaves the machine."""

import base64
import contextlib
import os
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote_from_bytes

from nss.config import load as configuration
from nss.config.files import MAX_BYTES
from nss.config.model import SECTION_TYPES, ServiceConfig
from nss.config.setting import Role, declared
from nss.errors import NssError
from nss.files.private import FileFault, read_bounded
from nss.mcas.access import credentials_store
from nss.mcas.credentials import CredentialsStore
from nss.secret import Secret
from nss.zia.credentials import ZiaCredentialsStore

STARS = b"***"

_SHORTEST = 6
"""Anything shorter is no secret, and removing it would remove ordinary words."""

_VARIABLES = (
    *("NSS_MCAS_CLIENT_SECRET", "NSS_MCAS_PASSPHRASE"),
    *("NSS_ZIA_CLIENT_SECRET", "NSS_ZIA_PASSPHRASE", "NSS_ZIA_PASSWORD", "NSS_ZIA_API_KEY"),
)

_SETTINGS = [entry for section in SECTION_TYPES for entry in declared(section)]
_SECRET_KEYS = "|".join({entry.key for entry in _SETTINGS if entry.role.is_secret})
_STATE_KEY = next(entry.key for entry in _SETTINGS if entry.role is Role.STATE_FOLDER)
# The misspelled key of a file counts too.
_KEYS = f"{_SECRET_KEYS}|[a-z_]+_file|{_STATE_KEY}"
_NAMED = re.compile(rf"""({_KEYS})["']?\s*=\s*["']([^"'\n]+)["']""")

# The time that each pattern needs grows with the length of a text alone, whatever is in it.
_ASSIGNED = (
    rb"(?i)(?<![a-z_])([\"']?[a-z_]*(?:secret|password|passphrase|token|api_?key)[\"']?\s*[:=]\s*)"
    rb"([\"'])(?!/)[^\"'\n]{6,}\2"
)
_SECRET_LINE = (
    rb"(?im)^([ \t]*[a-z_.]*(?:secret|password|passphrase|token|api_?key)[\"']?[ \t]*=[ \t]*)"
)
# In a file that is no TOML: without quotes, and what several lines have.
_UNQUOTED = _SECRET_LINE + rb"(?![\"'/\[{*])[^\s\"'#][^\n#]*"
_OVER_LINES = _SECRET_LINE + rb"(\"\"\"|''')[\s\S]*?(?:\2|\Z)"
_PATTERNS = [
    (re.compile(pattern), instead)
    for pattern, instead in (
        (
            rb"(?i)(authorization[\"']?\s*[:=]\s*[\"']?(?:bearer|basic|token)\s+)[^\s\"',]+",
            rb"\1***",
        ),
        (rb"(JSESSIONID=)[^\s;\"',]+", rb"\1***"),
        (rb"(?i)\b((?:bearer|basic)\s+)[a-z0-9._~+/=-]{16,}", rb"\1***"),
        (rb"(?i)([?&](?:sig|se|sp|sv|skoid|token|code|secret|password)=)[^&\s\"']+", rb"\1***"),
        (rb"(://)[^/\s:@\"']*:[^/\s\"']+@", rb"\1***@"),
        (rb"\beyJ[A-Za-z0-9_-]{4,4000}+\.[A-Za-z0-9_.-]+", STARS),
        (_ASSIGNED, rb"\1\2***\2"),
        (_UNQUOTED, rb"\1***"),
        (_OVER_LINES, rb"\1\2***\2"),
        (
            rb"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
            STARS,
        ),
    )
]


class Redactor:
    """Removes known secrets, and what looks like a secret, from text."""

    def __init__(self, secrets: Iterable[bytes]) -> None:
        known = {
            form
            for secret in secrets
            if len(secret) >= _SHORTEST
            for form in (secret, base64.b64encode(secret), quote_from_bytes(secret, "").encode())
        }
        # The longest first: a secret may contain another.
        self._known = sorted(known, key=len, reverse=True)

    def clean(self, data: bytes) -> bytes:
        """Return text without secrets."""
        for secret in self._known:
            data = data.replace(secret, STARS)
        for pattern, instead in _PATTERNS:
            data = pattern.sub(instead, data)
        return data


def redactor_of(path: Path) -> Redactor:
    """Return a redactor that knows every secret of a configuration; never raises."""
    found = [os.environ.get(variable, "").encode() for variable in _VARIABLES]
    state_directory = ServiceConfig().state_directory
    for key, name in _named(path):
        if key == _STATE_KEY:
            state_directory = path.parent / name
        else:
            found += _texts(path.parent / name)
    found += _stored(CredentialsStore(state_directory, os.environ))
    found += _stored_for_zia(state_directory)
    try:
        config = configuration.load(path)
    except NssError:
        return Redactor(found)
    for held in config.settings():
        if held.role.is_secret and held.file is not None:
            found += _texts(held.file)
    found += _stored(credentials_store(config.service.state_directory, config.mcas))
    found += _stored_for_zia(config.service.state_directory)
    return Redactor(found)


def _named(path: Path) -> list[tuple[str, str]]:
    """Return the files that a configuration names, however wrong the rest of it is."""
    try:
        text = read_bounded(path, configuration.MAX_BYTES).decode(errors="replace")
    except (OSError, FileFault):
        return []
    return [(key, name) for key, name in _NAMED.findall(text) if "\0" not in name]


def _texts(file: Path) -> Iterable[bytes]:
    """Yield what is in a secret file, whole and the part behind a user's name."""
    try:
        data = read_bounded(file, MAX_BYTES).strip()
    except (OSError, FileFault):
        return
    yield data
    yield data.partition(b":")[2]


def _stored(store: CredentialsStore) -> Iterable[bytes]:
    secrets: list[Secret | None] = []
    with contextlib.suppress(NssError):
        secrets.append(store.token())
    with contextlib.suppress(NssError):
        stored = store.load()
        if stored is not None:
            secrets += (stored.client_secret, stored.passphrase)
    return [secret.reveal().encode() for secret in secrets if secret is not None]


def _stored_for_zia(folder: Path) -> Iterable[bytes]:
    with contextlib.suppress(NssError):
        stored = ZiaCredentialsStore(folder, os.environ).load()
        for name in ("client_secret", "passphrase", "password", "api_key") if stored else ():
            secret: Secret | None = getattr(stored, name)
            if secret is not None:
                yield secret.reveal().encode()
