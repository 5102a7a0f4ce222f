"""The sessions with MCAS: always with the credentials stored now, and rate-limited."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import httpx

from nss.answers import BadAnswer
from nss.config.stored import StoredError
from nss.expiry import Expiry
from nss.files import private
from nss.https.limiter import Limiter
from nss.https.network import Network
from nss.mcas import RequestRefused, SignInRefused, fields
from nss.mcas.api import McasApi
from nss.mcas.credentials import CredentialsStore
from nss.mcas.entra import SignIn
from nss.mcas.expiries import expiries_of
from nss.secret import Secret


class TokenAuthorization:
    """A legacy API token."""

    def __init__(self, token: Secret) -> None:
        self._token = token

    async def header(self) -> Secret:
        """Return `Token TOKEN`."""
        return Secret(f"Token {self._token.reveal()}")

    def refused(self) -> None:
        """Raise `RequestRefused`: a legacy token can't be renewed here."""
        raise RequestRefused(
            "MCAS does not accept the legacy token: it was revoked, or its owner's account is gone",
            tip="run: sudo nss configure-mcas2; legacy tokens can't be made any more",
            field="token",
            status=httpx.codes.UNAUTHORIZED,
        )


class McasSession:
    """Gives the API of the tenant in the stored credentials, and another when those change.

    So it does when a file changes that they name, or one of `files`, from which `network` was
    made; `renewed_network` then returns the network anew, or raises `NssError`. Feeds with the same
    settings share a session. `token_api_url` is the API that a legacy token is for.
    """

    def __init__(
        self,
        store: CredentialsStore,
        network: Network,
        limiter: Limiter,
        *,
        token_api_url: str | None = None,
        files: tuple[Path, ...] = (),
        renewed_network: Callable[[], Network] | None = None,
    ) -> None:
        self.limiter = limiter
        self.uses_token = False
        """Whether the session uses a legacy token."""
        self._store = store
        self._network = network
        self._renewed_network = renewed_network
        self._token_api_url = token_api_url
        self._files = files
        self._identity: tuple[Path, ...] = ()
        """The files of certificate and key that the credentials named last."""
        self._certificate: Path | None = None
        self._expiries: tuple[Expiry, ...] = ()
        self._stamp_of_expiries: object = None
        self._renewing = asyncio.Lock()
        self._api: McasApi | None = None
        self._before: list[McasApi] = []
        self._stamp: object = None

    def stamp(self) -> object:
        """Return a value that is equal as long as credentials and files stay the same."""
        return self._store.stamp(), self._stamp_of_files()

    def _stamp_of_files(self) -> object:
        return tuple(map(private.stamp, (*self._files, *self._identity)))

    async def api(self) -> McasApi:
        """Return the API with the credentials and files of now. Raises `NssError`.

        Others end a pause that was asked of the former.
        """
        async with self._renewing:
            if self._api is None or self.stamp() != self._stamp:
                renewed, stamp = self._connect()
                former, self._api, self._stamp = self._api, renewed, stamp
                if former is not None:
                    self.limiter.release()
                    await self._retire(former)
            return self._api

    async def _retire(self, former: McasApi) -> None:
        """Close the APIs before `former`, but for those of which an answer is waited for."""
        idle = [api for api in self._before if not api.is_busy]
        self._before = [api for api in self._before if api.is_busy] + [former]
        for api in idle:
            await api.close()

    def expiries(self) -> tuple[Expiry, ...]:
        """Return when the stored credentials end, as far as is known; reads them if they changed.

        Blocks; may be called from any thread, by one at a time.
        """
        stored = self._store.stamp()
        if (stored, self._stamp_of_certificate()) != self._stamp_of_expiries:
            try:
                credentials = self._store.load()
            except StoredError:  # whoever uploads reports it
                credentials = None
            self._certificate = None if credentials is None else credentials.certificate
            self._stamp_of_expiries = stored, self._stamp_of_certificate()
            self._expiries = () if credentials is None else expiries_of(credentials)
        return self._expiries

    def _stamp_of_certificate(self) -> object:
        return None if self._certificate is None else private.stamp(self._certificate)

    async def close(self) -> None:
        """Close all connections."""
        if self._api is not None:
            self._before.append(self._api)
        self._api = None
        while self._before:
            await self._before.pop().close()

    def _connect(self) -> tuple[McasApi, object]:
        """Return an API, and the stamp of what it was made of: taken before that was read."""
        stored = self._store.stamp()
        credentials = self._store.load()
        files = () if credentials is None else (credentials.certificate, credentials.private_key)
        self._identity = tuple(path for path in files if path is not None)
        stamp = stored, self._stamp_of_files()
        if self._renewed_network is not None:
            self._network = self._renewed_network()
        if credentials is None:
            return self._connect_by_token(), stamp
        self.uses_token = False
        sign_in = SignIn(credentials, self._network)
        return McasApi(credentials.api_url, sign_in, self._network, self.limiter), stamp

    def _connect_by_token(self) -> McasApi:
        token = self._store.token()
        self.uses_token = token is not None
        if token is None:
            raise SignInRefused(
                "there are no credentials for MCAS", tip="run: sudo nss configure-mcas2"
            )
        if self._token_api_url is None:
            raise SignInRefused(
                "there is a legacy token for MCAS, and no API URL to use it at",
                tip="run sudo nss configure-mcas2, or set token_api_url in [mcas]",
                field="api_url",
            )
        try:
            api_url = fields.api_url(self._token_api_url)
        except BadAnswer as bad:
            raise SignInRefused(bad.sentence, tip=bad.tip, field="api_url") from None
        return McasApi(api_url, TokenAuthorization(token), self._network, self.limiter)
