"""The file that keeps the credentials, and the legacy token beside it."""

import os
import pwd
import stat
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from nss.config.stored import StoredError
from nss.mcas.credentials import CredentialsStore, McasCredentials
from nss.secret import Secret

CLIENT = "11111111-2222-3333-4444-555555555555"
TENANT = "99999999-8888-7777-6666-abcdefabcdef"
SECRET_TEXT = "Abc8Q~aBcDeFgHiJkLmNoPqRsTuVwXyZ01234567"  # noqa: S105 - made up
TOKEN_TEXT = "0aZ=" * 16
SCOPE = "05a65629-4c1b-48c1-a78b-804c4abdd4af/.default"
CONFIGURE = "run: sudo nss configure-mcas2"

CREDENTIALS = McasCredentials(
    method="secret",
    client_id=CLIENT,
    authentication_url=f"https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token",
    api_url="https://contoso.us3.portal.cloudappsecurity.com",
    client_secret=Secret(SECRET_TEXT),
    tested_at=1763942400.5,
)
BY_CERTIFICATE = replace(
    CREDENTIALS,
    method="certificate",
    client_secret=None,
    certificate=Path("/etc/nss/mcas.pem"),
    private_key=Path("/etc/nss/mcas.key"),
    passphrase=Secret("open sesame"),
    tested_at=None,
)
AS_MACHINE = replace(
    CREDENTIALS, method="managed_identity", client_id="", authentication_url="", client_secret=None
)
WRITTEN = {
    "method": "secret",
    "client_id": CLIENT.upper(),
    "client_secret": SECRET_TEXT,
    "authentication_url": f"https://login.microsoftonline.com/{TENANT}/",
    "api_url": "contoso.us3.portal.cloudappsecurity.com",
}
"""What somebody writes by hand."""


@pytest.fixture
def store(tmp_path: Path) -> CredentialsStore:
    return CredentialsStore(tmp_path, {})


def put(path: Path, data: bytes, mode: int = 0o600) -> None:
    path.write_bytes(data)
    path.chmod(mode)


def description(error: pytest.ExceptionInfo[StoredError]) -> tuple[str, str | None]:
    """Return the sentence and the tip; what is secret is in neither."""
    text = str(error.value)
    assert SECRET_TEXT not in text
    assert TOKEN_TEXT[:8] not in text
    return text.partition("\nTry: ")[0], error.value.tip


def test_nothing_is_there_at_first(store: CredentialsStore) -> None:
    assert (store.load(), store.token()) == (None, None)


@pytest.mark.parametrize(
    "credentials",
    [
        CREDENTIALS,
        BY_CERTIFICATE,
        AS_MACHINE,
        replace(AS_MACHINE, client_id=CLIENT),
        replace(CREDENTIALS, scope="api://mcas/.default", tested_at=None),
    ],
)
def test_what_was_saved_is_loaded(store: CredentialsStore, credentials: McasCredentials) -> None:
    store.save(credentials)
    assert store.load() == credentials


def test_the_file_is_for_one_user_alone_and_nothing_else_is_left(
    store: CredentialsStore, tmp_path: Path
) -> None:
    old = os.umask(0)
    try:
        path = store.save(CREDENTIALS)
    finally:
        os.umask(old)
    assert (path, store.origin) == (tmp_path / "mcas.json", str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["mcas.json"]


def test_saving_again_replaces_the_file_and_does_not_write_into_it(
    store: CredentialsStore,
) -> None:
    with store.save(CREDENTIALS).open("rb") as before:
        store.save(BY_CERTIFICATE)
        assert orjson.loads(before.read())["client_secret"] == SECRET_TEXT
    assert store.load() == BY_CERTIFICATE


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_root_saves_belongs_to_the_owner_of_the_folder(
    store: CredentialsStore, tmp_path: Path
) -> None:
    os.chown(tmp_path, 1234, 2345)
    status = store.save(CREDENTIALS).stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (1234, 2345, 0o600)


def test_the_path_of_a_certificate_is_made_absolute(store: CredentialsStore) -> None:
    store.save(replace(BY_CERTIFICATE, certificate=Path("mcas.pem"), private_key=None))
    assert store.load() == replace(
        BY_CERTIFICATE, certificate=Path.cwd() / "mcas.pem", private_key=None
    )


def test_what_systemd_gives_goes_before_what_is_stored(tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.mkdir()
    store = CredentialsStore(tmp_path, {"CREDENTIALS_DIRECTORY": str(given)})
    store.save(BY_CERTIFICATE)
    assert store.load() == BY_CERTIFICATE
    put(given / "mcas.json", orjson.dumps(WRITTEN), 0o777)
    assert store.load() == replace(CREDENTIALS, tested_at=None)
    assert store.origin == str(given / "mcas.json")


def test_nothing_is_stored_or_cleared_in_vain_beside_what_systemd_gives(tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.mkdir()
    put(given / "mcas.json", orjson.dumps(WRITTEN))
    store = CredentialsStore(tmp_path, {"CREDENTIALS_DIRECTORY": str(given)})
    for change in (lambda: store.save(CREDENTIALS), store.clear, store.check_writable):
        with pytest.raises(StoredError) as error:
            change()
        problem, tip = description(error)
        assert problem == (
            "credentials: they are given from outside, what is stored is not used "
            f"({given / 'mcas.json'})"
        )
        assert tip == (
            "change the secret of the container, or what LoadCredential= of the unit names; "
            "or take it away"
        )


def test_what_was_written_by_hand_is_brought_into_its_normal_form(store: CredentialsStore) -> None:
    put(store.path, orjson.dumps(WRITTEN))
    assert store.load() == replace(CREDENTIALS, tested_at=None)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_file_that_others_may_read_is_refused(store: CredentialsStore, mode: int) -> None:
    store.save(CREDENTIALS).chmod(mode)
    with pytest.raises(StoredError) as error:
        store.load()
    assert description(error) == (
        f"credentials: others may read the file ({store.path})",
        f"chmod 600 {store.path}, and renew the secret in it: others may have read it",
    )


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is damaged"),
        (b"{", "is damaged"),
        (b"[]", "is damaged"),
        (b"\xff\xfe", "is damaged"),
        (orjson.dumps(WRITTEN)[:-20], "is damaged"),
        (orjson.dumps(WRITTEN | {SECRET_TEXT: 1}), "is damaged"),
        (orjson.dumps(WRITTEN | {"form": 2}), "is of another version"),
        (orjson.dumps(WRITTEN | {"client_id": 7}), "has a wrong value for client_id"),
        (orjson.dumps(WRITTEN | {"method": SECRET_TEXT}), "has a wrong value for method"),
        (orjson.dumps({"method": "secret"}), "has no api_url"),
    ],
)
def test_a_damaged_file_is_reported_and_not_quoted(
    store: CredentialsStore, data: bytes, reason: str
) -> None:
    put(store.path, data)
    with pytest.raises(StoredError) as error:
        store.load()
    assert description(error) == (f"credentials: the file {reason} ({store.path})", CONFIGURE)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"client_secret": None}, "the Client Secret is empty"),
        ({"client_secret": CLIENT}, "the Client Secret is the same as the Client ID"),
        ({"client_id": ""}, "the Client ID is empty"),
        (
            {"api_url": "http://contoso.us3.portal.cloudappsecurity.com"},
            "the API URL begins with http, which is not encrypted",
        ),
        (
            {"authentication_url": "http://login.microsoftonline.com/x.example"},
            "the Authentication URL begins with http, which is not encrypted",
        ),
        ({"scope": "Discovery.manage"}, "the Scope is not of the form RESOURCE/.default"),
        (
            {"api_url": "contoso.us1.portal.cloudappsecurity.us"},
            (
                "the Authentication URL is of the commercial cloud, and the API URL of the US "
                "Government cloud"
            ),
        ),
        ({"method": "certificate"}, "the certificate is missing"),
        (
            {"method": "certificate", "certificate": "mcas.pem"},
            "the certificate or its key is not an absolute path",
        ),
        (
            {"method": "certificate", "certificate": "/etc/mcas\0.pem"},
            "the certificate or its key is not an absolute path",
        ),
    ],
)
def test_a_file_with_an_answer_that_can_not_be_right_is_refused(
    store: CredentialsStore, change: dict[str, object], reason: str
) -> None:
    put(store.path, orjson.dumps(WRITTEN | change))
    with pytest.raises(StoredError) as error:
        store.load()
    assert description(error)[0] == f"credentials: {reason} ({store.path})"


@pytest.mark.parametrize(
    ("change", "tip"),
    [
        ({"api_url": "http://contoso.us3.portal.cloudappsecurity.com"}, "use https"),
        ({"method": "certificate"}, CONFIGURE),
    ],
)
def test_what_to_do_about_a_wrong_answer_is_said(
    store: CredentialsStore, change: dict[str, object], tip: str
) -> None:
    put(store.path, orjson.dumps(WRITTEN | change))
    with pytest.raises(StoredError) as error:
        store.load()
    assert error.value.tip == tip


def test_what_can_not_be_read_is_reported(store: CredentialsStore) -> None:
    store.path.symlink_to(store.path)
    with pytest.raises(StoredError) as error:
        store.load()
    reason = "can't be read: too many levels of symbolic links"
    assert description(error) == (
        f"credentials: {reason} ({store.path})",
        "run the command with sudo",
    )


def test_what_is_no_file_or_too_long_is_refused_at_once(store: CredentialsStore) -> None:
    os.mkfifo(store.path, 0o600)
    with pytest.raises(StoredError) as error:
        store.load()
    tip = "run: sudo nss configure-mcas2"
    assert description(error) == (
        f"credentials: the file is not a regular file ({store.path})",
        tip,
    )
    store.path.unlink()
    put(store.path, b" " * 70_000)
    with pytest.raises(StoredError) as error:
        store.load()
    assert description(error) == (
        f"credentials: the file has more than 65536 bytes ({store.path})",
        tip,
    )


def test_clearing_removes_the_credentials_and_nothing_else(
    store: CredentialsStore, tmp_path: Path
) -> None:
    store.save(CREDENTIALS)
    put(store.token_path, TOKEN_TEXT.encode())
    assert [store.clear(), store.clear()] == [True, False]
    assert store.load() is None
    assert list(tmp_path.iterdir()) == [store.token_path]


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_legacy_token_is_read(store: CredentialsStore, end: str) -> None:
    put(store.token_path, f"{TOKEN_TEXT}{end}".encode())
    assert store.token() == Secret(TOKEN_TEXT)


def test_a_legacy_token_may_be_elsewhere(tmp_path: Path) -> None:
    store = CredentialsStore(tmp_path, {}, token_file=tmp_path / "token")
    put(tmp_path / "token", TOKEN_TEXT.encode(), 0o640)
    assert store.token() == Secret(TOKEN_TEXT)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        TOKEN_TEXT[:63].encode(),
        (TOKEN_TEXT * 4).encode(),
        TOKEN_TEXT.encode() + b"\n" + TOKEN_TEXT.encode(),
        TOKEN_TEXT.encode() + b"-",
        TOKEN_TEXT.encode() + b"\xff",
    ],
)
def test_what_is_no_legacy_token_is_reported_and_not_quoted(
    store: CredentialsStore, data: bytes
) -> None:
    put(store.token_path, data)
    with pytest.raises(StoredError) as error:
        store.token()
    assert description(error) == (
        f"credentials: this is no legacy token of MCAS ({store.token_path})",
        CONFIGURE,
    )


def test_a_legacy_token_that_everyone_may_read_is_refused(store: CredentialsStore) -> None:
    put(store.token_path, TOKEN_TEXT.encode(), 0o644)
    with pytest.raises(StoredError) as error:
        store.token()
    assert description(error)[0] == f"credentials: others may read the file ({store.token_path})"


def test_a_legacy_token_is_removed(store: CredentialsStore) -> None:
    put(store.token_path, TOKEN_TEXT.encode())
    assert [store.remove_token(), store.remove_token()] == [True, False]


def test_the_stamp_changes_with_whatever_is_read(tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.mkdir()
    store = CredentialsStore(tmp_path, {"CREDENTIALS_DIRECTORY": str(given)})
    stamps = [store.stamp()]
    store.save(CREDENTIALS)
    stamps.append(store.stamp())
    store.save(CREDENTIALS)
    stamps.append(store.stamp())
    put(store.token_path, TOKEN_TEXT.encode())
    stamps.append(store.stamp())
    put(given / "mcas.json", orjson.dumps(WRITTEN))
    stamps.append(store.stamp())
    assert len(set(stamps)) == 5
    assert store.stamp() == stamps[-1]


def test_the_stamp_changes_when_a_mode_does(store: CredentialsStore) -> None:
    path = store.save(CREDENTIALS)
    path.chmod(0o644)
    before = store.stamp()
    path.chmod(0o600)
    assert store.stamp() != before


def test_root_and_the_owner_of_the_folder_may_store(tmp_path: Path) -> None:
    for user in (0, tmp_path.stat().st_uid):
        CredentialsStore(tmp_path, {}, user=user).check_writable()


def test_another_user_learns_who_may_store(tmp_path: Path) -> None:
    owner = tmp_path.stat().st_uid
    store = CredentialsStore(tmp_path, {}, user=owner + 1)
    with pytest.raises(StoredError) as error:
        store.save(CREDENTIALS)
    name = pwd.getpwuid(owner).pw_name
    assert description(error) == (
        f"credentials: this needs root or the user {name} ({tmp_path})",
        "run the command with sudo",
    )


def test_a_folder_that_is_not_there_is_reported(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    store = CredentialsStore(folder, {})
    with pytest.raises(StoredError) as error:
        store.check_writable()
    assert description(error) == (
        f"credentials: there is no folder to keep them in ({folder})",
        (
            "create it for the user that nss runs as, for example: sudo install -d -o nss -m 0750 "
            f"{folder}; or set state_directory in [service]"
        ),
    )


def test_what_can_not_be_stored_or_removed_is_reported(store: CredentialsStore) -> None:
    store.path.mkdir()
    with pytest.raises(StoredError) as error:
        store.save(CREDENTIALS)
    assert description(error) == (
        f"credentials: can't be stored: is a directory ({store.path})",
        "run the command with sudo, and see that the disk has space",
    )
    with pytest.raises(StoredError) as error:
        store.clear()
    assert description(error) == (
        f"credentials: can't be removed: is a directory ({store.path})",
        "run the command with sudo",
    )
    assert list(store.path.parent.iterdir()) == [store.path]


def test_credentials_show_no_secret() -> None:
    shown = repr(CREDENTIALS) + repr(BY_CERTIFICATE)
    assert SECRET_TEXT not in shown
    assert "sesame" not in shown
