"""The file with the credentials for ZIA: what comes out is what went in, or a sentence."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nss.config.stored import StoredError
from nss.secret import Secret
from nss.zia.credentials import ZiaCredentials, ZiaCredentialsStore

ONE_API = ZiaCredentials(
    method="oneapi_secret",
    client_id="abc123",
    client_secret=Secret("s3cret-s3cret"),
    token_url="https://acme.zslogin.net/oauth2/v1/token",  # noqa: S106 - a URL
    api_url="https://api.zsapi.net/zia/api/v1",
    tested_at=5.5,
)
BY_KEY = ZiaCredentials(
    method="oneapi_key",
    client_id="abc123",
    private_key=Path("/etc/nss/zia.pem"),
    passphrase=Secret("open sesame"),
    token_url="https://acme.zslogin.net/oauth2/v1/token",  # noqa: S106 - a URL
    api_url="https://api.zsapi.net/zia/api/v1",
)
ENTRA = ZiaCredentials(
    method="entra", scope="api://zia/.default", api_url="https://zsapi.zscaler.net/api/v1"
)
LEGACY = ZiaCredentials(
    method="legacy",
    username="admin@example.com",
    password=Secret("pass word"),
    api_key=Secret("jj7tg80fEGao"),
    api_url="https://zsapi.zscalertwo.net/api/v1",
)


@pytest.fixture
def store(tmp_path: Path) -> ZiaCredentialsStore:
    return ZiaCredentialsStore(tmp_path, {})


@pytest.mark.parametrize("credentials", [ONE_API, BY_KEY, ENTRA, LEGACY])
def test_what_was_stored_comes_back_and_nobody_else_may_read_it(
    store: ZiaCredentialsStore, credentials: ZiaCredentials
) -> None:
    before = store.file.stamp()

    path = store.save(credentials)

    assert store.load() == credentials
    assert path.stat().st_mode & 0o777 == 0o600
    assert store.file.stamp() != before
    assert store.file.remove()
    assert store.load() is None
    assert not store.file.remove()


def test_no_secret_is_shown(store: ZiaCredentialsStore) -> None:
    store.save(LEGACY)
    assert "pass word" not in repr(store.load())
    assert "jj7tg80fEGao" not in repr(store.load())


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "the file is damaged"),
        ('{"method": "other", "api_url": ""}', "the file has a wrong value for method"),
        ('{"method": "legacy"}', "the file has no api_url"),
        ('{"form": 2, "method": "legacy", "api_url": ""}', "the file is of another version"),
        ('{"method": "legacy", "api_url": "zscaler"}', "the user name is empty"),
        ('{"method":"oneapi_key","api_url":"","client_id":"a","token_url":"b","private_key":"c"}',
         "the private key is not an absolute path"),
        ('{"method": "entra", "api_url": "zscaler", "scope": "x"}', "the Scope is not of the form"),
        ('{"method": "entra", "api_url": "zscaler", "more": 1}', "the file is damaged"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_one_sentence(
    store: ZiaCredentialsStore, text: str, sentence: str
) -> None:
    store.file.path.write_text(text)
    store.file.path.chmod(0o600)
    with pytest.raises(StoredError, match=f"credentials for ZIA: {sentence}") as caught:
        store.load()
    assert caught.value.exit_code == 78
    assert caught.value.tip


def test_others_must_not_be_able_to_read_it(store: ZiaCredentialsStore) -> None:
    store.save(LEGACY).chmod(0o644)
    with pytest.raises(StoredError, match="others may read the file"):
        store.load()


def test_what_systemd_gives_counts_and_nothing_is_stored_beside_it(tmp_path: Path) -> None:
    given_folder = tmp_path / "given"
    given_folder.mkdir()
    (given_folder / "zia.json").write_text(
        json.dumps({"method": "entra", "scope": "api://zia/.default", "api_url": "zscaler"})
    )
    store = ZiaCredentialsStore(tmp_path, {"CREDENTIALS_DIRECTORY": str(given_folder)})

    assert store.load() == ENTRA
    with pytest.raises(StoredError, match="they are given from outside"):
        store.save(LEGACY)
    with pytest.raises(StoredError, match="they are given from outside"):
        store.file.remove()


def test_only_root_and_the_owner_of_the_folder_may_store(tmp_path: Path) -> None:
    store = ZiaCredentialsStore(tmp_path, {}, user=tmp_path.stat().st_uid + 4711)
    with pytest.raises(StoredError, match="this needs root or the user"):
        store.save(LEGACY)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    store = ZiaCredentialsStore(tmp_path / "none", {})
    assert store.load() is None
    with pytest.raises(StoredError, match="there is no folder to keep them in"):
        store.save(LEGACY)


@given(st.binary(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_file_is_credentials_or_one_error(store: ZiaCredentialsStore, data: bytes) -> None:
    store.file.path.write_bytes(data)
    store.file.path.chmod(0o600)
    with pytest.raises(StoredError):
        store.load()
