"""Signing in to ZIA: at OneAPI with a secret or a key, or with an administrator's API key.

https://help.zscaler.com/oneapi/understanding-oneapi and
https://help.zscaler.com/zia/getting-started-zia-api describe the two.
"""

import asyncio
import time
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from nss.files.private import MAX_PEM_BYTES, FileFault, read_bounded
from nss.https.network import Network
from nss.secret import Secret
from nss.wording import error_text
from nss.zia import Busy, Field, SignInRefused, Unreachable, ZiaError
from nss.zia.credentials import CONFIGURE, ZiaCredentials
from nss.zia.http import Answer, ask, json_of, makes_no_sense, place_of
from nss.zia.refusals import refusal, retry_after_secs

ASSERTION_SECS = 300.0
"""How long a signed statement is good for; ten minutes are allowed."""

SPARE_SECS = 60.0
"""A token that ends sooner is not used any more."""

USUAL_SECS = 3600.0
"""How long a token is good for if its answer does not say."""

_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_KEY_TIP = "give a PEM file with an RSA key that the user nss runs as may read"
_REFUSED = {400, 401, 403}


class OneApi:
    """Tokens of OneAPI, kept while they are valid."""

    def __init__(
        self,
        credentials: ZiaCredentials,
        network: Network,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._credentials = credentials
        self._client = network.client()
        self._proxy = network.proxy_place
        self._now = now
        self._lock = asyncio.Lock()
        self._token: Secret | None = None
        self._good_until = 0.0

    async def headers(self) -> dict[str, Secret]:
        """Return the headers that a request needs. Raises `ZiaError`."""
        async with self._lock:
            if self._token is None or self._now() >= self._good_until:
                self._token, lasts_secs = await self._ask()
                self._good_until = self._now() + lasts_secs - SPARE_SECS
            return {"authorization": Secret(f"Bearer {self._token.reveal()}")}

    def refused(self) -> None:
        """Ask for a new token next time. Never waits."""
        self._token = None

    async def close(self) -> None:
        """Close the connections; tokens end by themselves."""
        await self._client.aclose()

    async def _ask(self) -> tuple[Secret, float]:
        given = self._credentials
        form = {"grant_type": "client_credentials", "client_id": given.client_id}
        form["audience"] = given.audience
        if given.client_secret is not None:
            form["client_secret"] = given.client_secret.reveal()
        else:
            form["client_assertion"] = await asyncio.to_thread(self._assertion)
            form["client_assertion_type"] = _ASSERTION_TYPE
        answer = await ask(self._client, "POST", given.token_url, {"data": form}, self._proxy)
        place = place_of(given.token_url)
        if answer.status != httpx.codes.OK:
            raise self._refusal(answer, place)
        found = json_of(answer.body, place)
        token = found.get("access_token") if isinstance(found, dict) else None
        lasts = found.get("expires_in", USUAL_SECS) if isinstance(found, dict) else None
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise makes_no_sense(place)
        if " " in token or not token or not isinstance(lasts, int | float) or not lasts > 0:
            raise makes_no_sense(place)
        return Secret(token), float(lasts)

    def _assertion(self) -> str:
        given, now = self._credentials, int(self._now())
        claims = {
            "iss": given.client_id,
            "sub": given.client_id,
            "aud": given.audience,
            "iat": now,
            "exp": now + int(ASSERTION_SECS),
            "jti": str(uuid.uuid4()),
        }
        return jwt.encode(claims, private_key(given), algorithm="RS256")

    def _refusal(self, answer: Answer, place: str) -> ZiaError:
        if answer.status not in _REFUSED:
            return _other_refusal(answer, place)
        is_key = self._credentials.method == "oneapi_key"
        field: Field = "private_key" if is_key else "client_secret"
        what = "the private key" if is_key else "the Client Secret"
        return SignInRefused(
            f"ZIdentity does not accept the Client ID with {what}: HTTP {answer.status} ({place})",
            tip="see the API client in ZIdentity: its ID, its secret or key, whether it is "
            "enabled, and the vanity domain",
            field=field,
            status=answer.status,
        )


class LegacySession:
    """A session that an administrator's name, password and API key begin.

    It is not ended: it does so by itself after five minutes, and whether ending it puts changes of
    others in force is not documented.
    """

    def __init__(
        self,
        credentials: ZiaCredentials,
        network: Network,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._credentials = credentials
        self._client = network.client()
        self._proxy = network.proxy_place
        self._now = now
        self._lock = asyncio.Lock()
        self._session: Secret | None = None

    async def headers(self) -> dict[str, Secret]:
        """Return the headers that a request needs. Raises `ZiaError`."""
        async with self._lock:
            if self._session is None:
                self._session = await self._begin()
            return {"cookie": Secret(f"JSESSIONID={self._session.reveal()}")}

    def refused(self) -> None:
        """Begin another session next time. Never waits."""
        self._session = None

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _begin(self) -> Secret:
        given = self._credentials
        if given.password is None or given.api_key is None:
            raise SignInRefused("the password or the API key is missing", tip=CONFIGURE)
        millis = str(int(self._now() * 1000))
        body = {
            "apiKey": obfuscated(given.api_key.reveal(), millis),
            "username": given.username,
            "password": given.password.reveal(),
            "timestamp": millis,
        }
        url = f"{given.api_url}/authenticatedSession"
        self._client.cookies.clear()
        answer = await ask(self._client, "POST", url, {"json": body}, self._proxy)
        place = place_of(url)
        if answer.status == httpx.codes.TOO_MANY_REQUESTS:
            secs = retry_after_secs(answer.headers, answer.body)
            raise Busy(f"ZIA asks for fewer sign-ins ({place})", retry_after_secs=secs)
        if answer.status in _REFUSED:
            raise self._refusal(answer, place)
        if answer.status != httpx.codes.OK:
            raise _other_refusal(answer, place)
        found = json_of(answer.body, place)
        sessions = [each.value for each in self._client.cookies.jar if each.name == "JSESSIONID"]
        self._client.cookies.clear()  # it is sent as a header, which nobody else writes
        session = sessions[0] if len(sessions) == 1 else None
        if not isinstance(found, dict) or "authType" not in found or not session:
            raise Unreachable(f"ZIA began no session ({place})")
        if not session.isascii() or not session.isprintable():
            raise makes_no_sense(place)
        return Secret(session)

    def _refusal(self, answer: Answer, place: str) -> ZiaError:
        found = refusal(answer.status, answer.headers, answer.body, place)
        if isinstance(found, Busy) or found.code == "INVALID_OPERATION":
            return found
        return SignInRefused(
            f"ZIA does not accept the user name, the password or the API key: HTTP "
            f"{answer.status} ({place})",
            tip="see that the administrator may sign in, and that the API key is enabled in the "
            "admin portal: Administration, Cloud Service API Security",
            field="password",
            status=answer.status,
            code=found.code,
        )


def _other_refusal(answer: Answer, place: str) -> ZiaError:
    """Return what a status means, without the answer's text: it may repeat what was sent."""
    is_busy = answer.status == httpx.codes.TOO_MANY_REQUESTS  # its body may say for how long
    return refusal(answer.status, answer.headers, answer.body if is_busy else b"", place)


def obfuscated(api_key: str, millis: str) -> str:
    """Return an API key as it is sent, mixed with the time in milliseconds."""
    digits = millis[-6:]
    half = f"{int(digits) // 2:06d}"
    mixed = [api_key[int(digit)] for digit in digits] + [api_key[int(digit) + 2] for digit in half]
    return "".join(mixed)


def private_key(credentials: ZiaCredentials) -> RSAPrivateKey:
    """Return the key that signs. Raises `SignInRefused`; reads the file."""
    path = credentials.private_key
    if path is None:
        raise SignInRefused("the private key is missing", tip=CONFIGURE, field="private_key")
    try:
        data = read_bounded(path, MAX_PEM_BYTES)
    except (OSError, FileFault) as error:
        reason = error_text(error) if isinstance(error, OSError) else f"it {error}"
        raise _unusable(f"can't be read: {reason} ({path})") from None
    phrase = credentials.passphrase.reveal().encode() if credentials.passphrase else None
    if b"ENCRYPTED" not in data:
        phrase = None  # it has none: a superfluous passphrase does no harm
    try:
        key: Any = load_pem_private_key(data, phrase)
    except TypeError:
        raise _unusable(f"needs its passphrase ({path})") from None
    except (ValueError, UnsupportedAlgorithm):
        reason = "can't be opened with this passphrase" if phrase else "is none that can be read"
        raise _unusable(f"{reason} ({path})") from None
    if not isinstance(key, RSAPrivateKey):
        raise _unusable(f"is not an RSA key ({path})")
    return key


def _unusable(problem: str) -> SignInRefused:
    return SignInRefused(f"the private key {problem}", tip=_KEY_TIP, field="private_key")
