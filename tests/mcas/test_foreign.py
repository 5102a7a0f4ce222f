"""Whatever Entra, MCAS, its storage or a file of credentials say: a value, or a clear error."""

import asyncio
import base64
import io
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import httpx
import orjson
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from requests.adapters import BaseAdapter

from nss.config.stored import StoredError
from nss.https.limiter import Limiter
from nss.https.network import Network
from nss.mcas import McasError
from nss.mcas.api import McasApi, Stream
from nss.mcas.api_errors import MAX_WAIT_SECS
from nss.mcas.clouds import MCAS_APP_ID
from nss.mcas.credentials import CredentialsStore, McasCredentials
from nss.mcas.entra import AccessToken, SignIn
from nss.mcas.governance import MAX_TEXT_CHARS, Page
from nss.secret import Secret
from tests import foreign

pytestmark = pytest.mark.long

PLACE = "https://contoso.us3.portal.cloudappsecurity.com"
TENANT = "99999999-8888-7777-6666-abcdefabcdef"
CLIENT = "11111111-2222-3333-4444-555555555555"
LOGIN = f"https://login.microsoftonline.com/{TENANT}/oauth2/v2.0"

STREAM = {
    "displayName": "NSS",
    "lastDataReceived": "2026-01-02T03:04:05Z",
    "logFilesFailsCount": 2,
    "logType": 170,
    "receiverType": "syslog",
    "protocol": "udp",
}
FAILURE = {
    "_id": "6a59",
    "taskName": "DiscoveryParseLogTask",
    "timestamp": 1_700_000_000_500,
    "inputStreamId": "6a58",
    "status": {
        "isSuccess": False,
        "templateMessage": {"template": "no {header}", "parameters": {"header": "LEEF", "n": 5}},
        "message": "x",
    },
}
ANSWERS = foreign.answers(
    STREAM,
    {"streams": [STREAM, STREAM]},
    {"data": [FAILURE, FAILURE], "total": 2},
    {"url": "https://storage.example/x?sig=1", "provider": "azure"},
    {"errorMessageCode": "CONSOLE_X", "code": 5, "error": {"code": "x"}, "detail": "throttled"},
)
STATUSES = st.sampled_from([200, 200, 200, 201, 302, 400, 401, 403, 404, 408, 413, 429, 500, 503])
HEADERS = st.sampled_from(
    [
        *("", "5", "5s", "\xb2", "9" * 400, "-1", "nan", "1e400", "Fri, 31 Dec 9999 23:59:59 GMT"),
        *("Mon, 01 Jan 0001 00:00:00 +1400", "Fri, 31 Dec 9999 23:59:59 -1400", "01 Jan 70"),
        *("Wed, 21 Oct 2015 07:28:00 +9999", "Wed, 99 Oct 99999 99:99:99 GMT", "1 2 3 4 5 6 7"),
    ]
) | st.text(st.characters(max_codepoint=255, exclude_categories=["Cc"]), max_size=30)
"""What `Retry-After` and `Date` may be."""


class Token:
    """A legacy token."""

    async def header(self) -> Secret:
        return Secret("Token t")

    def refused(self) -> None:
        pass


@dataclass
class CannedMcas:
    """A network on which every request gets the same answer; a PUT is taken."""

    body: bytes
    status: int
    retry_after: str

    proxy_place: str | None = None

    def client(self) -> httpx.AsyncClient:
        def answer(request: httpx.Request) -> httpx.Response:
            if request.method == "PUT":
                return httpx.Response(201)
            headers = [(b"retry-after", self.retry_after.encode("latin-1"))]
            return httpx.Response(self.status, content=self.body, headers=headers)

        return httpx.AsyncClient(transport=httpx.MockTransport(answer))


async def _upload(api: McasApi) -> None:
    url = await api.initiate("x.log", "ZSCALER_QRADAR_SYSLOG")
    await api.put(url, io.BytesIO(b"12345"), 5)
    await api.put(url, io.BytesIO(b"12345"), 5, single_put_bytes=2, block_bytes=2)


async def _refused(api: McasApi) -> None:
    """Have the storage say what the API would."""
    await api._store(httpx.URL("https://storage.example/x"), b"", 0, {})


CALLS: dict[str, Callable[[McasApi], Awaitable[object]]] = {
    "streams": lambda api: api.streams(),
    "governance log": lambda api: api.governance(1.0),
    "upload": _upload,
    "finalize": lambda api: api.finalize(Secret("https://storage.example/x"), "NSS"),
}


@pytest.mark.parametrize("call", CALLS)
@foreign.MANY
@given(body=ANSWERS, status=STATUSES, retry_after=HEADERS)
def test_an_answer_of_mcas_is_of_its_form_or_an_error(
    call: str, body: bytes, status: int, retry_after: str
) -> None:
    async def ask() -> object:
        network = cast("Network", CannedMcas(body, status, retry_after))
        api = McasApi(PLACE, Token(), network, Limiter(10_000))
        try:
            return await CALLS[call](api)
        finally:
            await api.close()

    try:
        found = asyncio.run(ask())
    except McasError as error:
        assert_is_plain(error)
        return
    for stream in found if isinstance(found, list) else []:
        assert isinstance(stream, Stream)
        assert isinstance(stream.name, str)
        assert isinstance(stream.receiver, str)
    for entry in found.entries if isinstance(found, Page) else ():
        assert entry.text.isprintable()
        assert len(entry.text) <= MAX_TEXT_CHARS
        assert entry.id.isprintable()


def assert_is_plain(error: McasError) -> None:
    """See that an error can be shown, and waited for."""
    assert error.sentence.isprintable(), error.sentence
    assert error.code is None or error.code.isprintable(), error.code
    secs = error.retry_after_secs
    assert secs is None or 0 <= secs <= MAX_WAIT_SECS, secs


# ---- Entra, and what gives tokens to machines

BY_SECRET = McasCredentials(
    method="secret",
    client_id=CLIENT,
    authentication_url=f"{LOGIN}/token",
    api_url=PLACE,
    client_secret=Secret("Abc8Q~aBcDeFgHiJkLmNoPqRsTuVwXyZ01234567"),
)
METHODS = {
    "secret": BY_SECRET,
    "managed identity": replace(
        BY_SECRET, method="managed_identity", client_secret=None, authentication_url=""
    ),
}
DISCOVERY = {"authorization_endpoint": f"{LOGIN}/authorize", "token_endpoint": f"{LOGIN}/token"}
CLAIMS = {
    "aud": MCAS_APP_ID,
    "tid": TENANT,
    "appid": CLIENT,
    "nbf": 1_790_000_000,
    "exp": 1_790_003_600,
    "roles": ["Discovery.Manage", "Other"],
}


def part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwt_of(claims: bytes) -> str:
    return ".".join((part(b'{"alg":"RS256","typ":"JWT"}'), part(claims), part(b"signature")))


TOKEN = {
    "token_type": "Bearer",
    "expires_in": 3599,
    "expires_on": "1790003600",
    "resource": MCAS_APP_ID,
    "access_token": jwt_of(orjson.dumps(CLAIMS)),
}
REFUSAL = {
    "error": "invalid_client",
    "error_description": "AADSTS7000215: Invalid client secret",
    "error_codes": [7000215, 5],
    "correlation_id": "x",
}
TOKENS = st.sampled_from([0, 0, 1]).flatmap(
    lambda chosen: (
        foreign.answers(TOKEN, REFUSAL)
        if not chosen
        else (foreign.like(CLAIMS) | foreign.ANY).map(
            lambda claims: orjson.dumps(TOKEN | {"access_token": jwt_of(claims)})
        )
    )
)


class CannedEntra(BaseAdapter):
    """Gives one answer to who looks for the way, another to who wants a token."""

    proxy_place: str | None = None

    def __init__(self, discovery: bytes, token: bytes, status: int, header: str) -> None:
        super().__init__()
        self.answers = (discovery, token)
        self.status = status
        self.header = header

    def send(
        self, request: requests.PreparedRequest, *_: object, **__: object
    ) -> requests.Response:
        is_discovery = "openid-configuration" in str(request.url)
        answer = requests.Response()
        answer.status_code = 200 if is_discovery else self.status
        answer._content = self.answers[0 if is_discovery else 1]
        answer.headers.update({"Date": self.header, "Retry-After": self.header})
        answer.url, answer.request = str(request.url), request
        return answer

    def close(self) -> None:
        pass

    def session(self) -> requests.Session:
        """The network's."""
        session = requests.Session()
        session.trust_env = False
        for scheme in ("https://", "http://"):
            session.mount(scheme, self)
        return session


@pytest.mark.parametrize("method", METHODS)
@foreign.MANY
@given(
    discovery=st.sampled_from([0, 0, 0, 1]).flatmap(
        lambda odd: foreign.answers(DISCOVERY) if odd else st.just(orjson.dumps(DISCOVERY))
    ),
    token=TOKENS,
    status=st.sampled_from([200, 200, 200, 400, 401, 429, 500]),
    header=HEADERS,
)
def test_a_sign_in_gives_a_token_or_an_error(
    method: str, discovery: bytes, token: bytes, status: int, header: str
) -> None:
    network = cast("Network", CannedEntra(discovery, token, status, header))
    sign_in = SignIn(METHODS[method], network, now=lambda: 1_790_000_100.0)
    try:
        found = sign_in.token()
    except McasError as error:
        assert_is_plain(error)
        return
    assert isinstance(found, AccessToken)
    texts = (*found.roles, found.audience, found.tenant, found.app_id, found.token_type)
    assert all(isinstance(text, str) and text.isprintable() for text in texts)
    assert isinstance(found.expires_at, float)


# ---- credentials

STORED = {
    "form": 1,
    "method": "secret",
    "client_id": CLIENT,
    "client_secret": "Abc8Q~aBcDeFgHiJkLmNoPqRsTuVwXyZ01234567",
    "scope": f"{MCAS_APP_ID}/.default",
    "authentication_url": f"{LOGIN}/token",
    "api_url": PLACE,
    "tested_at": 1763942400.5,
}
BY_CERTIFICATE = {
    **{name: value for name, value in STORED.items() if name != "client_secret"},
    "method": "certificate",
    "certificate": "/etc/nss/app.pem",
    "private_key": "/etc/nss/app.key",
    "passphrase": "sesame",
}


@foreign.MANY
@given(data=foreign.answers(STORED, BY_CERTIFICATE))
def test_a_file_of_credentials_is_one_or_an_error(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "mcas.json"
    path.write_bytes(data)
    path.chmod(0o600)
    store = CredentialsStore(tmp_path, {})
    found = foreign.result_of(store.load, StoredError)
    assert isinstance(found, McasCredentials | StoredError)
    assert not isinstance(found, StoredError) or "Abc8Q" not in f"{found}{found.tip}"


@foreign.MANY
@given(data=foreign.ANY)
def test_a_file_of_a_token_is_one_or_an_error(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "mcas-token").write_bytes(data)
    (tmp_path / "mcas-token").chmod(0o600)
    found = foreign.result_of(CredentialsStore(tmp_path, {}).token, StoredError)
    assert isinstance(found, StoredError)
