"""The credentials for MCAS: what they are, and the file that keeps them.

    {"form": 1, "method": "secret", "client_id": "..", "client_secret": "..", "scope": "..",
     "authentication_url": "https://..", "api_url": "https://..", "tested_at": 1763942400.5,
     "client_secret_expires": "2027-05-31"}

With a certificate, `certificate` and perhaps `private_key` are absolute paths, and `passphrase` may
stand there too. A file that somebody wrote by hand for systemd has the same form; `form`, `scope`,
`tested_at` and `client_secret_expires` may be missing.
"""

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Literal

from formats.dataclass import dataclass
from nss.answers import BadAnswer
from nss.config.stored import StoredFile, StoredForm
from nss.files import private
from nss.mcas import fields
from nss.mcas.dates import read_date
from nss.secret import Secret

FILE_NAME = "mcas.json"
TOKEN_NAME = "mcas-token"  # noqa: S105 - a file's name

Method = Literal["secret", "certificate", "managed_identity"]

_TOKEN = re.compile(r"[0-9a-zA-Z=]{64,192}")

_CONFIGURE = "run: sudo nss configure-mcas2"
_WHAT = "credentials"


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


class _Stored(StoredForm, frozen=True, kw_only=True, forbid_unknown_fields=True):
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
    """Keeps credentials in a folder (see `nss.config.stored`), with a legacy token beside them.

    `token_file` is where the token is, if it is elsewhere.
    """

    def __init__(
        self,
        folder: Path,
        environ: Mapping[str, str],
        *,
        token_file: Path | None = None,
        user: int | None = None,
    ) -> None:
        self.file = StoredFile(folder, FILE_NAME, environ, what=_WHAT, tip=_CONFIGURE, user=user)
        self.path = self.file.path
        self.token_path = token_file or folder / TOKEN_NAME
        self._token_file = StoredFile(
            self.token_path.parent,
            self.token_path.name,
            {},
            what=_WHAT,
            tip=_CONFIGURE,
            forbidden=private.EVERYONE,
        )

    @property
    def origin(self) -> str:
        """The path of the file that `load` reads."""
        return str(self.file.origin)

    def load(self) -> McasCredentials | None:
        """Return the credentials, `None` if there are none. Raises `StoredError`."""
        stored = self.file.load(_Stored)
        if stored is None:
            return None
        try:
            return _normal(stored)
        except BadAnswer as bad:
            raise self.file.error(bad.sentence, self.file.origin, bad.tip or None) from None

    def save(self, credentials: McasCredentials) -> Path:
        """Replace the stored credentials, atomically. Raises `StoredError`."""
        return self.file.save(credentials)

    def clear(self) -> bool:
        """Remove the stored credentials; returns whether there were any. Raises `StoredError`."""
        return self.file.remove()

    def token(self) -> Secret | None:
        """Return the legacy token, `None` if there is none. Raises `StoredError`."""
        data = self._token_file.read()
        if data is None:
            return None
        text = data.decode("ascii", "replace").strip()
        if not _TOKEN.fullmatch(text):
            raise self.file.error("this is no legacy token of MCAS", self.token_path)
        return Secret(text)

    def remove_token(self) -> bool:
        """Remove the legacy token; returns whether there was one. Raises `StoredError`."""
        return self._token_file.remove()

    def remove_drafts(self) -> None:
        """Remove what a command that was killed while it stored credentials left of them."""
        self.file.remove_drafts()

    def stamp(self) -> tuple[object, ...]:
        """Return a value that changes whenever `load` or `token` may return something else."""
        return *self.file.stamp(), private.stamp(self.token_path)

    def check_writable(self) -> None:
        """Raise `StoredError` when storing would fail, or have no effect."""
        self.file.check_writable()

    def check_files(self, credentials: McasCredentials) -> None:
        """Raise `StoredError` for a certificate or key that the user nss runs as can't read."""
        kinds = {"certificate": credentials.certificate, "private key": credentials.private_key}
        for what, path in kinds.items():
            if path is not None:
                self.file.check_readable(what, path)


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
