"""The credentials for MCAS: what they are, and the file that keeps them.

    {"form": 1, "method": "secret", "client_id": "..", "client_secret": "..", "scope": "..",
     "authentication_url": "https://..", "api_url": "https://..", "tested_at": 1763942400.5,
     "client_secret_expires": "2027-05-31"}

With a certificate, `certificate` and perhaps `private_key` are absolute paths, and `passphrase` may
stand there too. A file that somebody wrote by hand for systemd has the same form; `form`, `scope`,
`tested_at` and `client_secret_expires` may be missing.
"""

import contextlib
import grp
import os
import pwd
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

import msgspec

from nss import foreign
from nss.answers import BadAnswer
from nss.errors import NssError
from nss.files import private
from nss.files.beneath import ROOT, open_folder
from nss.files.readable import closed_to
from nss.mcas import fields
from nss.mcas.dates import read_date
from nss.secret import Secret
from nss.wording import error_text

FILE_NAME = "mcas.json"
TOKEN_NAME = "mcas-token"  # noqa: S105 - a file's name

MAX_BYTES = 64 << 10

Method = Literal["secret", "certificate", "managed_identity"]

_TOKEN = re.compile(r"[0-9a-zA-Z=]{64,192}")
_FORM = 1

_CONFIGURE = "run: sudo nss configure-mcas2"
_SUDO = "run the command with sudo"


@dataclass(frozen=True, slots=True, kw_only=True)
class McasCredentials:
    """How to sign in and where to go. All texts are in their normal form (see nss.mcas.fields)."""

    method: Method
    client_id: str
    """A GUID in lower case; empty for the identity that a machine has of its own."""
    authentication_url: str
    """`https://HOST/TENANT/oauth2/v2.0/token`; empty for a managed identity."""
    scope: str = fields.DEFAULT_SCOPE
    api_url: str
    """`https://TENANT.REGION.portal.cloudappsecurity.com`, without a path."""
    client_secret: Secret | None = None
    client_secret_expires: date | None = None
    """The last day that the secret is good, as somebody typed it; `None`: not known."""
    certificate: Path | None = None
    """PEM with the certificate, and its key unless `private_key` names another; or PFX."""
    private_key: Path | None = None
    passphrase: Secret | None = None
    """Of the private key or the PFX."""
    tested_at: float | None = None
    """When the connection test passed, seconds since the epoch; `None`: never tested."""


class CredentialsError(NssError):
    """Credentials can't be read or stored."""

    exit_code = 78


class _Stored(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    form: int = _FORM
    method: Method
    client_id: str = ""
    authentication_url: str = ""
    scope: str = fields.DEFAULT_SCOPE
    api_url: str
    client_secret: str | None = None
    client_secret_expires: str | None = None
    certificate: str | None = None
    private_key: str | None = None
    passphrase: str | None = None
    tested_at: float | None = None


class CredentialsStore:
    """Keeps credentials in a folder, in a file that only its owner may read.

    `mcas.json` in `$CREDENTIALS_DIRECTORY` of `environ` (systemd's LoadCredential) takes precedence
    over what is stored. A file that root writes belongs to the folder's owner, the user that nss
    runs as. `user` is the number of the user at work, by default that of this process.
    """

    def __init__(
        self,
        folder: Path,
        environ: Mapping[str, str],
        *,
        token_file: Path | None = None,
        user: int | None = None,
    ) -> None:
        self.path = folder / FILE_NAME
        self.token_path = token_file or folder / TOKEN_NAME
        self._folder = folder
        self._user = os.geteuid() if user is None else user
        given = environ.get("CREDENTIALS_DIRECTORY")
        self._given_path = None if not given else Path(given) / FILE_NAME

    @property
    def origin(self) -> str:
        """The path of the file that `load` reads."""
        return str(self._given_path if self._is_given() else self.path)

    def load(self) -> McasCredentials | None:
        """Return the credentials, `None` if there are none. Raises `CredentialsError`."""
        path = Path(self.origin)
        data = _read(path, forbidden=0 if path == self._given_path else private.OTHERS)
        if data is None:
            return None
        try:
            stored = foreign.decode(data, _Stored)
        except msgspec.DecodeError as error:
            raise _damaged(_fault(error), path) from None
        if stored.form != _FORM:
            raise _damaged("is of another version", path)
        try:
            return _normal(stored)
        except BadAnswer as bad:
            raise _error(bad.sentence, path, bad.tip or _CONFIGURE) from None

    def save(self, credentials: McasCredentials) -> Path:
        """Replace the stored credentials, atomically. Raises `CredentialsError`."""
        self.check_writable()
        self.remove_drafts()
        stored = {"form": _FORM, **msgspec.to_builtins(credentials, enc_hook=_plain)}
        try:
            private.write_private(self.path, msgspec.json.encode(stored))
        except OSError as error:
            tip = f"{_SUDO}, and see that the disk has space"
            raise _error(f"can't be stored: {error_text(error)}", self.path, tip) from None
        return self.path

    def clear(self) -> bool:
        """Remove the stored credentials; returns whether there were any."""
        self._check_not_given()
        self.remove_drafts()
        return _remove(self.path)

    def token(self) -> Secret | None:
        """Return the legacy token, `None` if there is none. Raises `CredentialsError`."""
        data = _read(self.token_path, forbidden=private.EVERYONE)
        if data is None:
            return None
        text = data.decode("ascii", "replace").strip()
        if not _TOKEN.fullmatch(text):
            raise _error("this is no legacy token of MCAS", self.token_path)
        return Secret(text)

    def remove_token(self) -> bool:
        """Remove the legacy token; returns whether there was one."""
        return _remove(self.token_path)

    def remove_drafts(self) -> None:
        """Remove what a command that was killed while it stored credentials left of them.

        What can't be removed stays: the next command or start tries again.
        """
        with contextlib.suppress(OSError), open_folder(self._folder) as folder:
            folder.remove_drafts(FILE_NAME)

    def stamp(self) -> tuple[object, ...]:
        """Return a value that changes whenever `load` or `token` may return something else."""
        paths = (self._given_path, self.path, self.token_path)
        return tuple(None if path is None else private.stamp(path) for path in paths)

    def check_writable(self) -> None:
        """Raise `CredentialsError` when storing would fail, or have no effect."""
        self._check_not_given()
        if not os.path.isdir(self._folder):  # noqa: PTH112 - False also where it can't be reached
            raise _error(
                "there is no folder to keep them in",
                self._folder,
                "create it for the user that nss runs as, for example: sudo install -d -o nss "
                f"-m 0750 {self._folder}; or set state_directory in [service]",
            )
        owner = self._folder.stat().st_uid
        if self._user not in {0, owner}:
            needed = f"this needs root or the user {_user_name(owner)}"
            raise _error(needed, self._folder, _SUDO)

    def check_files(self, credentials: McasCredentials) -> None:
        """Raise `CredentialsError` for a certificate or key that the user nss runs as can't read.

        That user is the folder's owner. What root can read is not enough for him.
        """
        status = self._folder.stat()
        kinds = {"certificate": credentials.certificate, "private key": credentials.private_key}
        for what, path in kinds.items():
            if path is None or status.st_uid == ROOT:
                continue
            try:
                closed = closed_to(path, status.st_uid, status.st_gid)
            except OSError as error:
                raise _error(f"the {what} can't be checked: {error_text(error)}", path) from None
            if closed is not None:
                raise _unreadable(what, path, closed, status)

    def _is_given(self) -> bool:
        return self._given_path is not None and os.path.lexists(self._given_path)

    def _check_not_given(self) -> None:
        if self._is_given():
            raise _error(
                "systemd gives them, what is stored is not used",
                self.origin,
                "change what LoadCredential= of the unit names, or take that line away",
            )


def _normal(stored: _Stored) -> McasCredentials:
    """Return credentials in their normal form. Raises `BadAnswer`; a wrong URL is never called."""
    is_identity = stored.method == "managed_identity"
    client_id = stored.client_id
    if client_id or not is_identity:
        client_id = fields.client_id(client_id)
    url = "" if is_identity else fields.authentication_url(stored.authentication_url)
    secret = expires = None
    if stored.method == "secret":
        secret = fields.client_secret(stored.client_secret or "", client_id)
        expires = read_date(stored.client_secret_expires or "")
    if stored.method == "certificate" and not stored.certificate:
        raise BadAnswer("the certificate is missing", field="certificate")
    credentials = McasCredentials(
        method=stored.method,
        client_id=client_id,
        authentication_url=url,
        scope=fields.scope(stored.scope),
        api_url=fields.api_url(stored.api_url),
        client_secret=secret,
        client_secret_expires=expires,
        certificate=_path(stored.certificate),
        private_key=_path(stored.private_key),
        passphrase=Secret(stored.passphrase) if stored.passphrase else None,
        tested_at=stored.tested_at,
    )
    fields.check_clouds(url, credentials.api_url, credentials.scope)
    return credentials


def _path(text: str | None) -> Path | None:
    if not text:
        return None
    if not text.startswith("/") or "\0" in text:
        raise BadAnswer("the certificate or its key is not an absolute path", field="certificate")
    return Path(text)


def _read(path: Path, *, forbidden: int) -> bytes | None:
    """Return what is in a file, `None` if it is not there. Raises `CredentialsError`.

    `forbidden` are bits of a mode that would let others read it.
    """
    try:
        return private.read_bounded(path, MAX_BYTES, forbidden=forbidden)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _error(f"can't be read: {error_text(error)}", path, _SUDO) from None
    except private.OpenToOthers:
        tip = f"chmod 600 {path}, and renew the secret in it: others may have read it"
        raise _error("others may read the file", path, tip) from None
    except private.FileFault as fault:
        raise _damaged(str(fault), path) from None


def _remove(path: Path) -> bool:
    try:
        private.remove_file(path)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _error(f"can't be removed: {error_text(error)}", path, _SUDO) from None
    return True


def _fault(error: msgspec.DecodeError) -> str:
    """Return what is wrong, without the error's text: that may quote a value."""
    known = re.search(r"`\$?\.?([a-z_]+)`$", str(error))
    if known is None or known[1] not in _Stored.__struct_fields__:
        return "is damaged"
    if "missing" in str(error):
        return f"has no {known[1]}"
    return f"has a wrong value for {known[1]}"


def _damaged(reason: str, path: Path) -> CredentialsError:
    return _error(f"the file {reason}", path)


def _error(problem: str, path: Path | str, tip: str = _CONFIGURE) -> CredentialsError:
    return CredentialsError(f"credentials: {problem} ({path})", tip=tip)


def _unreadable(what: str, path: Path, closed: Path, owner: os.stat_result) -> CredentialsError:
    user = _user_name(owner.st_uid)
    reason = "its mode and owner keep that user out"
    if closed != path:
        reason = f"the folder {closed} keeps that user out"
    elif not path.exists():
        reason = "there is no such file"
    return _error(
        f"the user {user}, as which nss runs, can't read the {what}: {reason}",
        path,
        f"sudo install -o root -g {_group_name(owner.st_gid)} -m 0640 {path} /etc/nss/, and name "
        "the file there",
    )


def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _plain(value: Secret | Path) -> str:
    """Return what is stored of a value that is no JSON."""
    return value.reveal() if isinstance(value, Secret) else str(value.absolute())
