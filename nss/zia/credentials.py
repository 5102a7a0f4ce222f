"""The credentials for ZIA: what they are, and the file that keeps them.

    {"form": 1, "method": "oneapi_secret", "client_id": "..", "client_secret": "..",
     "token_url": "https://acme.zslogin.net/oauth2/v1/token", "audience": "https://api.zscaler.com",
     "api_url": "https://api.zsapi.net/zia/api/v1", "tested_at": 1763942400.5}

`oneapi_key` has `private_key`, an absolute path, instead of the secret, and perhaps a `passphrase`;
`entra` has a `scope`, and signs in as the application that is stored for MCAS; `legacy` has
`username`, `password` and `api_key`. A file that somebody wrote by hand for systemd has the same
form; `form`, `audience` and `tested_at` may be missing.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from formats.dataclass import dataclass
from nss.answers import BadAnswer
from nss.config.stored import StoredFile, StoredForm
from nss.secret import Secret
from nss.zia import fields

FILE_NAME = "zia.json"

Method = Literal["oneapi_secret", "oneapi_key", "entra", "legacy"]

CONFIGURE = "run: sudo nss configure-zia"


@dataclass(frozen=True, slots=True, kw_only=True)
class ZiaCredentials:
    """How to sign in and where to go. All texts are in their normal form (see nss.zia.fields)."""

    method: Method
    api_url: str
    """The base of all paths: `https://api.zsapi.net/zia/api/v1`."""
    client_id: str = ""
    token_url: str = ""
    audience: str = fields.AUDIENCE
    scope: str = ""
    username: str = ""
    client_secret: Secret | None = None
    private_key: Path | None = None
    """PEM; the public half is registered with the API client."""
    passphrase: Secret | None = None
    """Of the private key."""
    password: Secret | None = None
    api_key: Secret | None = None
    tested_at: float | None = None
    """When the connection test passed, seconds since the epoch; `None`: never tested."""


class _Stored(StoredForm, frozen=True, kw_only=True, forbid_unknown_fields=True):
    method: Method
    api_url: str
    client_id: str = ""
    token_url: str = ""
    audience: str = fields.AUDIENCE
    scope: str = ""
    username: str = ""
    client_secret: str | None = None
    private_key: str | None = None
    passphrase: str | None = None
    password: str | None = None
    api_key: str | None = None
    tested_at: float | None = None


class ZiaCredentialsStore:
    """Keeps them in a folder; see `nss.config.stored`."""

    def __init__(
        self, folder: Path, environ: Mapping[str, str], *, user: int | None = None
    ) -> None:
        self.file = StoredFile(
            folder, FILE_NAME, environ, what="credentials for ZIA", tip=CONFIGURE, user=user
        )

    def load(self) -> ZiaCredentials | None:
        """Return the credentials, `None` if there are none. Raises `StoredError`."""
        stored = self.file.load(_Stored)
        if stored is None:
            return None
        try:
            return _normal(stored)
        except BadAnswer as bad:
            raise self.file.error(bad.sentence, self.file.origin, bad.tip or None) from None

    def save(self, credentials: ZiaCredentials) -> Path:
        """Replace the stored credentials, atomically. Raises `StoredError`."""
        return self.file.save(credentials)


def _normal(stored: _Stored) -> ZiaCredentials:
    """Return credentials in their normal form. Raises `BadAnswer`."""
    method, secret, key = stored.method, None, None
    client_id = token_url = scope = username = ""
    password = api_key = None
    is_one_api = method in {"oneapi_secret", "oneapi_key"}
    if is_one_api:
        client_id, token_url = (
            fields.client_id(stored.client_id),
            fields.token_url(stored.token_url),
        )
    if method == "oneapi_secret":
        secret = fields.client_secret(stored.client_secret or "")
    elif method == "oneapi_key":
        key = _path(stored.private_key)
    elif method == "entra":
        scope = fields.scope(stored.scope)
    else:
        username = fields.username(stored.username)
        password = fields.password(stored.password or "")
        api_key = fields.api_key(stored.api_key or "")
    return ZiaCredentials(
        method=method,
        api_url=(fields.one_api_url if is_one_api else fields.api_url)(stored.api_url),
        client_id=client_id,
        token_url=token_url,
        audience=stored.audience,
        scope=scope,
        username=username,
        client_secret=secret,
        private_key=key,
        passphrase=Secret(stored.passphrase) if stored.passphrase else None,
        password=password,
        api_key=api_key,
        tested_at=stored.tested_at,
    )


def _path(text: str | None) -> Path:
    if not text or not text.startswith("/") or "\0" in text:
        raise BadAnswer("the private key is not an absolute path", field="private_key")
    return Path(text)
