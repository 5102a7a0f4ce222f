"""From the configuration to MCAS: the network, the folder of uploads, and shared sessions."""

import os
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    load_pem_private_key,
    pkcs12,
)
from cryptography.x509 import load_pem_x509_certificate

from nss.config.load import parse
from nss.config.model import Config, McasConfig
from nss.config.stored import StoredError
from nss.errors import NssError, ServiceError
from nss.https.limiter import Limiter
from nss.https.network import Network
from nss.mcas import RequestRefused, SignInRefused
from nss.mcas.access import (
    McasAccess,
    audit_log,
    credentials_store,
    network_of,
    uploads_folder,
)
from nss.mcas.credentials import CredentialsStore, McasCredentials
from nss.mcas.session import McasSession, TokenAuthorization
from nss.secret import Secret

TOKEN = "0123456789abcdef" * 4


def test_the_network_is_as_configured(tmp_path: Path) -> None:
    assert network_of(McasConfig()) == Network()
    config = McasConfig(ca_file=tmp_path / "ca.pem", timeout_secs=7, proxy="http://proxy:8080")
    network = network_of(config)
    assert (network.ca_file, network.timeout_secs) == (tmp_path / "ca.pem", 7)
    assert network.proxy is not None
    assert network.proxy.reveal() == "http://proxy:8080"


def test_user_and_password_of_a_proxy_are_quoted(tmp_path: Path) -> None:
    path = tmp_path / "auth"
    path.write_bytes("us/er:p@ss:wörd\n".encode())
    path.chmod(0o600)
    network = network_of(McasConfig(proxy="http://proxy:8080", proxy_auth_file=path))
    assert network.proxy is not None
    assert network.proxy.reveal() == "http://us%2Fer:p%40ss%3Aw%C3%B6rd@proxy:8080"


def test_uploads_have_a_folder_for_one_user(tmp_path: Path) -> None:
    folder = uploads_folder(tmp_path)
    assert (folder, folder.stat().st_mode & 0o777) == (tmp_path / "uploads", 0o700)
    assert uploads_folder(tmp_path) == folder


def test_no_folder_for_uploads_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ServiceError) as caught:
        uploads_folder(tmp_path / "missing")
    assert str(caught.value) == (
        "uploads: no folder can be made: no such file or directory "
        f"({tmp_path / 'missing' / 'uploads'})\n"
        "Try: run nss check: it says what is wrong with service.state_directory"
    )


def test_what_is_kept_lies_in_the_state_directory(tmp_path: Path) -> None:
    store = credentials_store(tmp_path, McasConfig(token_file=tmp_path / "token"))
    assert (store.path, store.token_path) == (tmp_path / "mcas.json", tmp_path / "token")
    assert audit_log(tmp_path).path == tmp_path / "audit.log"


def config(folder: Path, more: str = "") -> Config:
    return parse(
        f'[service]\nstate_directory = "{folder}"\n[mcas]\n{more}\n'
        '[sources.in]\nkind = "stdin"\n'
        '[feeds.out]\nformat = "MCAS"\nsink = {kind = "file", path = "/x"}\n',
        folder,
    )


async def test_feeds_with_the_same_settings_share_a_session(tmp_path: Path) -> None:
    access = McasAccess()
    first = access.session(config(tmp_path, "requests_per_minute = 20"))
    same = access.session(config(tmp_path, "requests_per_minute = 20"))
    other = access.session(config(tmp_path, "requests_per_minute = 10"))
    assert first is same
    assert other is not first
    assert other.limiter is first.limiter
    assert first.limiter.requests_per_minute == 10
    await access.close()


def session(folder: Path, url: str | None) -> McasSession:
    path = folder / "mcas-token"
    path.write_text(TOKEN)
    path.chmod(0o600)
    store = CredentialsStore(folder, {})
    return McasSession(store, Network(), Limiter(10), token_api_url=url)


@pytest.mark.parametrize(
    ("url", "refused"),
    [
        (
            None,
            (
                "there is a legacy token for MCAS, and no API URL to use it at",
                "run sudo nss configure-mcas2, or set token_api_url in [mcas]",
            ),
        ),
        (
            "http://plain.example",
            ("the API URL begins with http, which is not encrypted", "use https"),
        ),
    ],
)
async def test_a_legacy_token_needs_the_url_it_is_for(
    tmp_path: Path, url: str | None, refused: tuple[str, str]
) -> None:
    found = session(tmp_path, url)
    with pytest.raises(SignInRefused) as caught:
        await found.api()
    await found.close()
    assert caught.value.field == "api_url"
    assert (caught.value.sentence, caught.value.tip) == refused


async def test_a_legacy_token_is_used_at_its_url(tmp_path: Path) -> None:
    found = session(tmp_path, "contoso.us3.portal.cloudappsecurity.com")
    api = await found.api()
    assert (api.api_url, found.uses_token) == (
        *("https://contoso.us3.portal.cloudappsecurity.com",),
        True,
    )
    assert await found.api() is api
    await found.close()


async def test_without_credentials_the_command_is_named(tmp_path: Path) -> None:
    found = McasSession(CredentialsStore(tmp_path, {}), Network(), Limiter(10))
    with pytest.raises(SignInRefused) as caught:
        await found.api()
    assert (caught.value.sentence, caught.value.tip) == (
        "there are no credentials for MCAS",
        "run: sudo nss configure-mcas2",
    )


async def test_a_legacy_token_is_sent_as_one() -> None:
    header = await TokenAuthorization(Secret(TOKEN)).header()
    assert header.reveal() == f"Token {TOKEN}"


async def test_a_legacy_token_that_was_revoked_is_reported_as_that() -> None:
    with pytest.raises(RequestRefused) as caught:
        TokenAuthorization(Secret(TOKEN)).refused()
    assert (caught.value.field, caught.value.status) == ("token", 401)
    assert caught.value.sentence == (
        "MCAS does not accept the legacy token: it was revoked, or its owner's account is gone"
    )
    assert caught.value.tip == (
        "run: sudo nss configure-mcas2; legacy tokens can't be made any more"
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give folders away")
@pytest.mark.parametrize(("uid", "name"), [(0, "root"), (54_321, "54321")])
def test_who_may_store_credentials_is_named(tmp_path: Path, uid: int, name: str) -> None:
    os.chown(tmp_path, uid, 0)
    store = CredentialsStore(tmp_path, {}, user=uid + 1)
    with pytest.raises(StoredError) as caught:
        store.check_writable()
    assert str(caught.value) == (
        f"credentials: this needs root or the user {name} ({tmp_path})\n"
        "Try: run the command with sudo"
    )


URL = "https://contoso.us3.portal.cloudappsecurity.com"
STORED = McasCredentials(
    method="secret",
    client_id="11111111-2222-3333-4444-555555555555",
    client_secret=Secret("Abc8Q~aBcDeFgHiJkLmNoPqRsTuVwXyZ01234567"),
    authentication_url=(
        "https://login.microsoftonline.com/99999999-8888-7777-6666-abcdefabcdef/oauth2/v2.0/token"
    ),
    api_url=URL,
)


async def test_a_configured_url_is_that_of_the_legacy_token(tmp_path: Path) -> None:
    session(tmp_path, None)
    access = McasAccess()
    found = access.session(config(tmp_path, f'token_api_url = "{URL}"'))
    assert (await found.api()).api_url == URL
    await access.close()


async def test_stored_credentials_go_before_a_legacy_token(tmp_path: Path) -> None:
    found = session(tmp_path, None)
    CredentialsStore(tmp_path, {}).save(STORED)
    assert ((await found.api()).api_url, found.uses_token) == (URL, False)
    await found.close()


async def test_new_credentials_have_an_api_of_their_own_and_old_ones_are_closed_later(
    tmp_path: Path,
) -> None:
    store = CredentialsStore(tmp_path, {})
    found = McasSession(store, Network(), Limiter(10))
    apis = []
    for number in range(3):
        store.save(replace(STORED, tested_at=float(number)))
        apis.append(await found.api())
        assert await found.api() is apis[-1]
    assert len(set(map(id, apis))) == 3
    assert [api._client.is_closed for api in apis] == [True, False, False]
    await found.close()
    assert [api._client.is_closed for api in apis] == [True, True, True]


async def test_new_credentials_end_a_pause_that_the_old_ones_were_asked_for(
    tmp_path: Path,
) -> None:
    store = CredentialsStore(tmp_path, {})
    store.save(STORED)
    found = McasSession(store, Network(), Limiter(10))
    await found.api()
    found.limiter.hold(600)
    await found.api()
    before = found.limiter.held_secs
    store.save(replace(STORED, tested_at=2.0))
    await found.api()
    after = found.limiter.held_secs
    await found.close()
    assert (before > 590, after) == (True, 0)


async def test_a_session_is_made_anew_when_a_file_of_the_configuration_changes(
    tmp_path: Path,
) -> None:
    """Whether the file was written in place or replaced."""
    CredentialsStore(tmp_path, {}).save(STORED)
    authorities, password = tmp_path / "ca.pem", tmp_path / "auth"
    trustme.CA().cert_pem.write_to_path(authorities)
    password.touch(0o600)
    password.write_text("user:old")
    access = McasAccess()
    found = access.session(
        config(
            tmp_path,
            'ca_file = "ca.pem"\nproxy = "http://proxy:8080"\nproxy_auth_file = "auth"',
        )
    )
    first, stamp = await found.api(), found.stamp()
    assert (await found.api(), found.stamp()) == (first, stamp)

    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    other.replace(authorities)
    assert found.stamp() != stamp
    second, stamp = await found.api(), found.stamp()
    assert second is not first

    password.write_text("user:new")
    assert found.stamp() != stamp
    third = await found.api()
    assert third is not second
    assert found._network.proxy == Secret("http://user:new@proxy:8080")
    assert await found.api() is third
    await access.close()


async def test_a_session_is_made_anew_when_certificate_or_key_changes(tmp_path: Path) -> None:
    certificate, key = tmp_path / "app.pem", tmp_path / "app.key"
    certificate.write_text("old")
    store = CredentialsStore(tmp_path, {})
    store.save(
        replace(
            STORED,
            method="certificate",
            client_secret=None,
            certificate=certificate,
            private_key=key,
        )
    )
    found = McasSession(store, Network(), Limiter(10))
    apis = [await found.api()]
    for path in (certificate, key):
        assert await found.api() is apis[-1]
        stamp = found.stamp()
        path.write_text("new and longer")
        assert found.stamp() != stamp
        apis.append(await found.api())
    assert len(set(map(id, apis))) == 3
    await found.close()


async def test_a_password_file_that_is_no_good_leaves_the_session_as_it_was(
    tmp_path: Path,
) -> None:
    CredentialsStore(tmp_path, {}).save(STORED)
    password = tmp_path / "auth"
    password.touch(0o600)
    password.write_text("user:old")
    access = McasAccess()
    found = access.session(
        config(tmp_path, 'proxy = "http://proxy:8080"\nproxy_auth_file = "auth"')
    )
    first = await found.api()
    password.write_text("")
    with pytest.raises(NssError, match="user and password"):
        await found.api()
    password.write_text("user:new")
    assert await found.api() is not first
    await access.close()


def ends(found: McasSession) -> list[tuple[str, str, float]]:
    return [(each.credential, each.place, each.ends_at) for each in found.expiries()]


def test_a_session_knows_when_the_secret_ends(tmp_path: Path) -> None:
    store = CredentialsStore(tmp_path, {})
    found = McasSession(store, Network(), Limiter(10))
    assert ends(found) == []
    store.save(STORED)
    assert ends(found) == []
    store.save(replace(STORED, client_secret_expires=date(2027, 5, 31)))
    june = datetime(2027, 6, 1, tzinfo=UTC).timestamp()
    assert ends(found) == [("client_secret", "", june)]
    store.path.write_text("damaged")
    assert ends(found) == []
    store.save(replace(STORED, method="managed_identity", client_secret=None))
    assert ends(found) == []


@pytest.mark.parametrize("form", ["pem", "pfx"])
def test_a_session_knows_when_the_certificate_ends_and_that_it_was_renewed(
    tmp_path: Path, form: str
) -> None:
    path = tmp_path / "app"

    def issue(ends_at: datetime) -> None:
        issued = trustme.CA().issue_cert(
            "nss.example", key_type=trustme.KeyType.RSA, not_after=ends_at
        )
        data = issued.private_key_and_cert_chain_pem.bytes()
        if form == "pfx":
            key = load_pem_private_key(issued.private_key_pem.bytes(), None)
            assert isinstance(key, RSAPrivateKey)
            certificate = load_pem_x509_certificate(issued.cert_chain_pems[0].bytes())
            lock = BestAvailableEncryption(b"sesame")
            data = pkcs12.serialize_key_and_certificates(b"nss", key, certificate, None, lock)
        path.write_bytes(data)

    store = CredentialsStore(tmp_path, {})
    store.save(
        replace(
            STORED,
            method="certificate",
            client_secret=None,
            certificate=path,
            passphrase=Secret("sesame"),
        )
    )
    found = McasSession(store, Network(), Limiter(10))
    assert ends(found) == [], "it is not there yet"
    for ends_at in (datetime(2027, 5, 31, 12, tzinfo=UTC), datetime(2028, 5, 31, tzinfo=UTC)):
        issue(ends_at)
        assert ends(found) == [("app_certificate", str(path), ends_at.timestamp())]
    path.write_text("no certificate")
    assert ends(found) == []
