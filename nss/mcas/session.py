"""The sessions with MCAS: always with the credentials stored now, and rate-limited."""

import asyncio

from nss.https.limiter import Limiter
from nss.https.network import Network
from nss.mcas import SignInRefused, fields
from nss.mcas.api import McasApi
from nss.mcas.credentials import CredentialsStore
from nss.mcas.entra import SignIn
from nss.secret import Secret


class TokenAuthorization:
    """A legacy API token."""

    def __init__(self, token: Secret) -> None:
        self._token = token

    async def header(self) -> Secret:
        """Return `Token TOKEN`."""
        return Secret(f"Token {self._token.reveal()}")

    def refused(self) -> None:
        """A legacy token can't be renewed here."""


class McasSession:
    """Gives the API of the tenant in the stored credentials, and another when those change.

    Feeds with the same settings share one. `token_api_url` is the API that a legacy token is for.
    """

    def __init__(
        self,
        store: CredentialsStore,
        network: Network,
        limiter: Limiter,
        *,
        token_api_url: str | None = None,
    ) -> None:
        self.limiter = limiter
        self.uses_token = False
        """Whether the session uses a legacy token."""
        self._store = store
        self._network = network
        self._token_api_url = token_api_url
        self._renewing = asyncio.Lock()
        self._api: McasApi | None = None
        self._before: McasApi | None = None
        self._stamp: object = None

    def stamp(self) -> object:
        """Return a value that is equal as long as the stored credentials stay the same."""
        return self._store.stamp()

    async def api(self) -> McasApi:
        """Return the API with the credentials that are stored now. Raises `NssError`.

        Other credentials end a pause that was asked of the former.
        """
        async with self._renewing:
            stamp = self.stamp()
            if self._api is None or stamp != self._stamp:
                renewed = self._connect()
                if self._api is not None:
                    self.limiter.release()
                await _close(self._before)  # others may still wait for answers of the last one
                self._before, self._api, self._stamp = self._api, renewed, stamp
            return self._api

    async def close(self) -> None:
        """Close all connections."""
        await _close(self._api)
        await _close(self._before)
        self._api = self._before = None

    def _connect(self) -> McasApi:
        credentials = self._store.load()
        token = self._store.token() if credentials is None else None
        self.uses_token = token is not None
        if credentials is not None:
            sign_in = SignIn(credentials, self._network)
            return McasApi(credentials.api_url, sign_in, self._network, self.limiter)
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
        except fields.BadAnswer as bad:
            raise SignInRefused(bad.sentence, tip=bad.tip, field="api_url") from None
        return McasApi(api_url, TokenAuthorization(token), self._network, self.limiter)


async def _close(api: McasApi | None) -> None:
    if api is not None:
        await api.close()
