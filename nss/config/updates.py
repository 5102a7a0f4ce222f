"""The section of updates: which repository newer packages come from, and how it is reached."""

import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from nss.config.kinds import Kind, seconds, texts, texts_that
from nss.config.setting import Example, Role, needs
from nss.config.values import proxy_url
from nss.wording import error_text

_URL = re.compile(
    r"[A-Za-z0-9._~:/%@+,=-]{1,500}|(?:https?://)\[[0-9a-fA-F:.]+\][A-Za-z0-9._~:/%-]*"
)
_SUITE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}(?:/[A-Za-z0-9._+-]{1,64}){0,4}")


def repository_url() -> Kind:
    """Return the kind of addresses of apt repositories, read without the slash at the end."""
    expected = "https://HOST/PATH, http://HOST/PATH or file:///PATH, without a user"

    def read(text: str) -> str | None:
        if not _URL.fullmatch(text) or "@" in text:
            return None
        try:
            parts = urlsplit(text)
            _ = parts.port
        except ValueError:
            return None
        is_web = parts.scheme in {"http", "https"} and bool(parts.hostname)
        is_file = parts.scheme == "file" and not parts.netloc and parts.path.startswith("/")
        return text.rstrip("/") if is_web or is_file else None

    return texts(expected, read)


def suite_name() -> Kind:
    """Return the kind of names of suites."""
    return texts_that("the name of a suite: letters, digits and . _ + -", _SUITE.fullmatch)


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdatesConfig:
    """Where `nss checkversion` and `nss update-now` find newer packages.

    Only these commands use it, as root; the service never does. What is wrong with its files is a
    warning of `nss check`: it never keeps records from flowing. See [Updates](updates.md).
    """

    repository: Annotated[
        str | None,
        repository_url(),
        Example('"https://updates.example.com/nss"', "none: apt's own sources count"),
    ] = None
    """The address of the apt repository; no other source of the machine is used."""
    suite: Annotated[str, suite_name()] = "stable"
    """The suite in it."""
    key_file: Annotated[
        Path | None,
        Role.UPDATE_FILE,
        needs("repository"),
        Example('"updates.asc"', "required with `repository`"),
    ] = None
    """The public key that the repository is signed with, armored or not. No other key counts."""
    client_certificate_file: Annotated[
        Path | None,
        Role.UPDATE_FILE,
        needs("client_key_file"),
        Example('"updates-client.pem"', "none"),
    ] = None
    """The certificate, PEM, by which the repository knows this machine."""
    client_key_file: Annotated[
        Path | None,
        Role.UPDATE_KEY,
        needs("client_certificate_file"),
        Example('"updates-client.key"', "none"),
    ] = None
    """Its private key, PEM, not encrypted; readable by root alone."""
    trust_file: Annotated[
        Path | None, Role.UPDATE_FILE, Example('"company-ca.pem"', "the system's")
    ] = None
    """PEM with the authorities that the repository's own certificate may be from."""
    proxy: Annotated[
        str | None, proxy_url(), Example('"http://proxy.example.com:3128"', "none")
    ] = None
    """The HTTP proxy to connect through. Proxy settings in the environment are ignored."""
    proxy_auth_file: Annotated[
        Path | None, Role.UPDATE_KEY, needs("proxy"), Example('"proxy-auth"', "none")
    ] = None
    """The file with `USER:PASSWORD` for the proxy."""
    timeout_secs: Annotated[float, seconds(1, 3600)] = 60.0
    """How long to wait for the repository before it counts as not answering."""
    verify_secs: Annotated[float, seconds(5, 3600)] = 120.0
    """How long the new version has to show that it is healthy and that records flow; after that
    the version before is put back."""


def warnings(updates: UpdatesConfig) -> Iterator[str]:
    """Yield sentences on what would keep an update from being made, as far as it can be seen."""
    if updates.repository is None:
        return
    if updates.key_file is None:
        yield (
            "updates.repository needs updates.key_file, the public key that it is signed with: "
            "without it there are no updates"
        )
    named = {
        "key_file": updates.key_file,
        "client_certificate_file": updates.client_certificate_file,
        "client_key_file": updates.client_key_file,
        "trust_file": updates.trust_file,
        "proxy_auth_file": updates.proxy_auth_file,
    }
    for key, path in named.items():
        fault = None if path is None else _fault(path, secret=key in _SECRETS)
        if fault:
            yield f"updates.{key}: {fault} ({path}): there are no updates until that is fixed"


_SECRETS = {"client_key_file", "proxy_auth_file"}


def _fault(path: Path, *, secret: bool) -> str | None:
    """Return what is wrong with a file without opening it: it may be root's alone."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return error_text(error)
    if not stat.S_ISREG(mode):
        return "is not a regular file"
    if secret and mode & stat.S_IRWXO:
        return "is open to everyone; chmod o= it"
    return None
