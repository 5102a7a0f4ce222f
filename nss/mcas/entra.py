"""Signing in at Entra with msal: by secret, by certificate, or as the machine itself."""

import asyncio
import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import jwt
import msal
import orjson
import requests
from msal.exceptions import MsalError

from nss.expiry import pem_end
from nss.https.network import Network
from nss.mcas import McasError, SignInRefused, Throttled, Unreachable, entra_errors, unreachable
from nss.mcas.api_errors import retry_after_secs
from nss.mcas.certificate import certificate_credential
from nss.mcas.credentials import McasCredentials
from nss.mcas.fields import authority_of
from nss.secret import Secret

UPLOAD_ROLE = "discovery.manage"
"""The application permission that uploads need; its casing in real tokens is not known."""

MAX_SKEW_SECS = 300.0
"""A clock that is wrong by less does no harm."""

MAX_TOKEN_SECS = 366 * 86_400
"""No token is good for longer: Entra's last for a day at most."""

_NONSENSE = (
    *(MsalError, ValueError, LookupError, TypeError, AttributeError, OverflowError),
    RecursionError,  # nested too deeply
)
"""What msal raises for answers that are malformed."""

_WRONG_CLOCK = {"error": "invalid_client", "error_codes": [700024]}
"""What Entra means, whatever it says, when a signature bears a time that is far off."""

_EXPIRED_CERTIFICATE = {"error": "invalid_client", "error_codes": [1000502]}
"""What Entra means, whatever it says, when the certificate is past its end."""

_PASSING = {"temporarily_unavailable", "server_error"}
_NOT_READY = {requests.codes.not_found, requests.codes.gone}
"""Statuses of Azure's metadata service while it is updated, as its documentation says."""

# msal writes answers that it does not understand into its log as they are, with what is in them.
logging.getLogger("msal").setLevel(logging.CRITICAL + 1)


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token, and what is written in it, as far as it can be read.

    `expires_at` is seconds since the epoch.
    """

    value: Secret
    expires_at: float
    roles: tuple[str, ...] = ()
    audience: str = ""
    tenant: str = ""
    app_id: str = ""
    token_type: str = "Bearer"  # noqa: S105 - the name of a kind of token


class SignIn:
    """Signs in with one set of credentials, and keeps the token while it is valid.

    `token` blocks, and may be called from several threads. Nothing is read or sent before the first
    `token`. What is refused is asked again the next time; for a certificate at once, with its files
    read again, when Entra's code says that they may have been renewed.
    """

    def __init__(
        self,
        credentials: McasCredentials,
        network: Network,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._credentials = credentials
        self._now = now
        self._is_identity = credentials.method == "managed_identity"
        self._session = network.session()
        self._proxy = network.proxy_place
        self._session.max_redirects = 0  # a redirect would take the secret along
        self._session.hooks["response"].append(self._note)
        if self._is_identity:
            self._session.proxies = {}  # the address is on the machine's own link
        self._lock = threading.Lock()
        self._client: Any = None
        self._last: requests.Response | None = None
        self._is_refused = False
        self._certificate_ends_at = math.inf

    def token(self) -> AccessToken:
        """Return a token that is good for some minutes. Raises `McasError`."""
        with self._lock:
            if self._is_refused:
                self._is_refused, self._client = False, None
            try:
                return self._first_attempt() or self._attempt()
            finally:
                self._last = None
                self._session.close()  # the next request is due in an hour

    async def header(self) -> Secret:
        """Return `Bearer TOKEN`. Raises `McasError`; a token without the role is refused here."""
        token = await asyncio.to_thread(self.token)
        require_role(token)
        return Secret(f"Bearer {token.value.reveal()}")

    def refused(self) -> None:
        """Ask Entra for a new token next time. Never waits."""
        self._is_refused = True

    def _attempt(self) -> AccessToken:
        try:
            return self._read(self._ask())
        except McasError:
            self._client = None  # msal would repeat the same answer for a while
            raise

    def _first_attempt(self) -> AccessToken | None:
        """Return a token; `None`: refused, but other files may be there than those read before."""
        try:
            return self._attempt()
        except SignInRefused as error:
            by_certificate = self._credentials.method == "certificate"
            if by_certificate and error.code in entra_errors.WORTH_NEW_FILES:
                return None
            raise

    def _ask(self) -> Mapping[str, Any]:
        try:
            if self._client is None:
                self._client = self._connect()
            answer = self._acquire()
        except OSError as error:
            if self._is_identity:
                raise unreachable.no_identity_service(self._place) from None
            raise unreachable.no_sign_in(error, self._place, self._proxy) from None
        except _NONSENSE:
            raise self._refusal(self._last_object()) from None
        if not isinstance(answer, dict) or "access_token" not in answer:
            raise self._refusal(answer)
        return answer

    def _connect(self) -> Any:  # noqa: ANN401 - msal has no types
        credentials = self._credentials
        if self._is_identity:
            identity = msal.SystemAssignedManagedIdentity()
            if credentials.client_id:
                identity = msal.UserAssignedManagedIdentity(client_id=credentials.client_id)
            return msal.ManagedIdentityClient(identity, http_client=self._session)
        return msal.ConfidentialClientApplication(
            credentials.client_id,
            client_credential=self._credential(),
            authority=authority_of(credentials.authentication_url),
            instance_discovery=False,
            http_client=self._session,
        )

    def _acquire(self) -> object:
        scope = self._credentials.scope
        if self._is_identity:
            resource = scope.removesuffix("/.default")
            return self._client.acquire_token_for_client(resource=resource)
        # With these, a token that is still valid is kept when no new token can be had.
        faults = (requests.RequestException, *_NONSENSE)
        return self._client.acquire_token_for_client([scope], http_exceptions=faults)

    def _credential(self) -> str | dict[str, str]:
        if self._credentials.method == "certificate":
            credential = certificate_credential(self._credentials)
            self._certificate_ends_at = pem_end(credential["public_certificate"].encode()) or 0.0
            return credential
        if self._credentials.client_secret is None:
            raise SignInRefused(
                "the Client Secret is missing",
                tip="run: sudo nss configure-mcas2",
                field="client_secret",
            )
        return self._credentials.client_secret.reveal()

    @property
    def _place(self) -> str:
        if self._is_identity:
            return "the identity service of this machine"
        return urlsplit(self._credentials.authentication_url).netloc

    def _note(self, response: requests.Response, **_: object) -> None:
        """Keep an answer: msal hides its status, and when to come again."""
        self._last = response

    def _last_object(self) -> object:
        """Return what the last answer holds, `None` if that is not JSON."""
        try:
            return orjson.loads(b"" if self._last is None else self._last.content)
        except orjson.JSONDecodeError:
            return None

    def _refusal(self, answer: object) -> McasError:
        """Return what an answer without a token means."""
        passing = None if self._last is None else self._passing(self._last)
        if passing is not None:
            return passing
        if isinstance(answer, dict) and "error" in answer:
            if isinstance(answer["error"], str) and answer["error"] in _PASSING:
                return Unreachable(f"Entra has trouble of its own ({self._place})")
            method = self._credentials.method
            known = self._known_here() if method == "certificate" else None
            return entra_errors.refusal(known or answer, method=method)
        if self._last is not None and self._last.content.lstrip()[:1] == b"<":
            return unreachable.web_page("Entra", self._place, field="proxy")
        return self._makes_no_sense()

    def _known_here(self) -> Mapping[str, object] | None:
        """Return the error that explains a refused certificate, if this machine knows it."""
        if abs(self._skew_secs()) > MAX_SKEW_SECS:
            return _WRONG_CLOCK
        return _EXPIRED_CERTIFICATE if self._certificate_ends_at <= self._now() else None

    def _passing(self, last: requests.Response) -> McasError | None:
        """Return what the status of an answer means if that passes with time."""
        status = last.status_code
        if status == requests.codes.too_many_requests:
            return Throttled(
                f"Entra asks for fewer requests ({self._place})",
                "Entra",
                retry_after_secs=retry_after_secs(last.headers),
            )
        if status >= requests.codes.server_error:
            return Unreachable(f"Entra has trouble of its own: HTTP {status} ({self._place})")
        if self._is_identity and status in _NOT_READY:
            return Unreachable(f"no managed identity yet: HTTP {status} ({self._place})")
        return None

    def _makes_no_sense(self) -> Unreachable:
        return Unreachable(f"Entra gave an answer that makes no sense ({self._place})")

    def _read(self, answer: Mapping[str, Any]) -> AccessToken:
        value, lasts_secs = answer["access_token"], answer.get("expires_in", 0)
        if not isinstance(value, str) or not value.isascii() or not value.isprintable():
            raise self._makes_no_sense()
        if " " in value or not value or not isinstance(lasts_secs, int | float | str):
            raise self._makes_no_sense()
        try:
            lasts_secs = int(lasts_secs)
        except (ValueError, OverflowError):
            raise self._makes_no_sense() from None
        if lasts_secs > MAX_TOKEN_SECS:
            raise self._makes_no_sense()
        expires_at = self._now() + lasts_secs
        claims = _claims(value)
        self._check_clock(claims)
        roles = claims.get("roles")
        return AccessToken(
            Secret(value),
            expires_at,
            tuple(map(_text, roles)) if isinstance(roles, list) else (),
            _text(claims.get("aud")),
            _text(claims.get("tid")),
            _text(claims.get("appid") or claims.get("azp")),
            _text(answer.get("token_type")) or "Bearer",
        )

    def _check_clock(self, claims: Mapping[str, object]) -> None:
        """Raise `SignInRefused` for a token that by this machine's clock is not good now."""
        now = self._now()
        ends_at, begins_at = claims.get("exp"), claims.get("nbf")
        if isinstance(ends_at, int | float) and ends_at <= now:
            way = "ahead"
        elif isinstance(begins_at, int | float) and begins_at > now + MAX_SKEW_SECS:
            way = "behind"
        else:
            return
        minutes = round(abs(self._skew_secs()) / 60)
        by = f"{minutes} minutes " if minutes else ""
        raise SignInRefused(
            f"the clock of this machine is {by}{way}: by it, the token is not valid now",
            tip="set the clock, for example with timedatectl set-ntp true",
            field="clock",
        )

    def _skew_secs(self) -> float:
        """Return by how much this machine's clock is ahead, by the date of the last answer."""
        date = "" if self._last is None else self._last.headers.get("date", "")
        try:
            return self._now() - parsedate_to_datetime(date).timestamp()
        except (ValueError, OverflowError):
            return 0.0


def require_role(token: AccessToken) -> None:
    """Raise `SignInRefused` when a token can be read and does not have the role for uploads.

    Entra gives a token also without consent, just without the role.
    """
    if token.audience and UPLOAD_ROLE not in {role.lower() for role in token.roles}:
        raise SignInRefused(
            "the application may sign in, but lacks the role Discovery.manage",
            tip="in Entra, API permissions: add Microsoft Cloud App Security, Discovery.manage "
            "(application permission), and grant admin consent",
            field="role",
        )


def _claims(value: str) -> Mapping[str, object]:
    """Return the claims of a token, none if it can't be read."""
    try:
        # Only to read it: whether it is valid is for MCAS to decide.
        claims: dict[str, object] = jwt.decode(value, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, RecursionError):
        return {}
    return claims


def _text(value: object) -> str:
    return value if isinstance(value, str) and value.isprintable() else ""
