"""Who may sign in at the portal, and with which password."""

import json
import os
import re
import stat
import subprocess
import sys
import threading
import time
from itertools import count
from pathlib import Path

import pytest

from nss.config.stored import StoredError
from nss.errors import UsageError
from nss.setup.password_hashes import Cost, PasswordHashes
from nss.setup.portal_users import FILE_NAME, MAX_USERS, PortalUsers, User

CHEAP = Cost(passes=1, memory_kib=8, lanes=1)
PASSWORD = "correct horse battery"  # noqa: S105 - of a test

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


class Clock:
    """A clock that says another second each time."""

    def __init__(self) -> None:
        self._seconds = count(1000)

    def __call__(self) -> float:
        return float(next(self._seconds))


def users_in(folder: Path, cost: Cost = CHEAP) -> PortalUsers:
    return PortalUsers(folder, environ={}, now=Clock(), cost=cost)


@pytest.fixture
def users(tmp_path: Path) -> PortalUsers:
    return users_in(tmp_path)


def test_at_first_nobody_may_sign_in(users: PortalUsers) -> None:
    assert users.users() == []
    assert users.verify("admin", "") is None
    assert users.verify("admin", "admin") is None


def test_whoever_has_a_password_may_sign_in_with_it(users: PortalUsers) -> None:
    alice = users.set_password("alice", PASSWORD, "admin")
    bob = users.set_password("bob@example.com", PASSWORD, "viewer")
    assert users.users() == [alice, bob]
    assert alice == User("alice", "admin", 1000.0)
    assert users.verify("alice", PASSWORD) == users.find("alice") == alice
    assert users.verify("bob@example.com", PASSWORD) == bob
    for name, password in (
        ("alice", PASSWORD.upper()),
        ("alice", ""),
        ("alice", f"{PASSWORD} "),
        ("alice", "x" * 5000),
        ("alice", "\udcff" * 12),
        ("ALICE", PASSWORD),
        ("", PASSWORD),
        ("\udcff", PASSWORD),
    ):
        assert users.verify(name, password) is None


def test_a_new_password_replaces_the_old_one_and_keeps_the_role(users: PortalUsers) -> None:
    first = users.set_password("alice", PASSWORD, "viewer")
    second = users.set_password("alice", "another password")
    assert second.role == "viewer"
    assert first.stamp != second.stamp
    assert users.verify("alice", PASSWORD) is None
    assert users.verify("alice", "another password") == second
    assert users.set_password("alice", "another password", "admin").role == "admin"
    assert users.set_password("bob", PASSWORD).role == "admin"


def test_a_user_that_is_removed_is_gone(users: PortalUsers) -> None:
    users.set_password("alice", PASSWORD)
    assert users.remove("bob") is False
    assert users.remove("alice") is True
    assert users.remove("alice") is False
    assert (users.users(), users.find("alice"), users.verify("alice", PASSWORD)) == ([], None, None)


@pytest.mark.parametrize("name", ["", "a b", "ä", "a/b", "a\n", "a" * 65, "<b>", "a:b", "\udcff"])
def test_what_is_no_name_is_refused(users: PortalUsers, name: str) -> None:
    with pytest.raises(UsageError, match="1 to 64 letters, digits"):
        users.set_password(name, PASSWORD)


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("", "too short: at least 12"),
        ("x" * 11, "too short: at least 12"),
        ("x" * 1025, "too long: at most 1024 bytes"),
        ("\u20ac" * 400, "too long: at most 1024 bytes"),
        ("\ufdfa" * 60, "too long: at most 1024 bytes"),
        ("\udcff" * 12, "is no text"),
        ("correct horse\nbattery", "more than one line"),
        ("correct horse\rbattery", "more than one line"),
        ("Administrator", "is the name of the user"),
    ],
)
def test_what_is_no_password_is_refused(users: PortalUsers, password: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason) as caught:
        users.set_password("administrator", password)
    assert not password or len(password) > 1000 or password not in str(caught.value)
    assert users.users() == []


@pytest.mark.parametrize("password", ["x" * 12, "x" * 1024, "\u20ac" * 341, "\t\x00\x1b" * 4])
def test_any_text_of_a_good_length_is_a_password(users: PortalUsers, password: str) -> None:
    alice = users.set_password("alice", password)
    assert users.verify("alice", password) == alice


def test_a_password_is_the_same_however_a_keyboard_composes_it(users: PortalUsers) -> None:
    alice = users.set_password("alice", "Pa\u0308sswo\u0308rter zählen")
    assert users.verify("alice", "P\u00e4ssw\u00f6rter z\u00e4hlen") == alice
    assert users.verify("alice", "P\u00e4ssw\u00f6rter\u00a0z\u00e4hlen") == alice


def test_names_that_differ_in_capitals_alone_are_refused(users: PortalUsers) -> None:
    users.set_password("alice", PASSWORD)
    with pytest.raises(UsageError, match="there is a user alice already"):
        users.set_password("Alice", PASSWORD)


def test_there_is_an_end_to_users(users: PortalUsers) -> None:
    for number in range(MAX_USERS):
        users.set_password(f"user{number}", PASSWORD)
    with pytest.raises(UsageError, match="100 users already"):
        users.set_password("alice", PASSWORD)
    assert users.set_password("user7", PASSWORD)


def test_the_file_is_for_one_user_alone_and_has_no_password(
    users: PortalUsers, tmp_path: Path
) -> None:
    users.set_password("alice", PASSWORD)
    file = tmp_path / FILE_NAME
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert PASSWORD not in file.read_text()
    (stored,) = json.loads(file.read_text())["users"].values()
    assert stored["hash"].startswith("$argon2id$v=19$m=8,t=1,p=1$")
    assert sorted(path.name for path in tmp_path.iterdir()) == [FILE_NAME]


@needs_root
def test_what_root_stores_belongs_to_the_user_of_the_service(tmp_path: Path) -> None:
    os.chown(tmp_path, 1234, 2345)
    users_in(tmp_path).set_password("alice", PASSWORD)
    status = (tmp_path / FILE_NAME).stat()
    assert (status.st_uid, status.st_gid) == (1234, 2345)


def test_a_change_shows_in_the_stamp_at_once(users: PortalUsers, tmp_path: Path) -> None:
    stamps = [users.stamp()]
    users.set_password("alice", PASSWORD)
    stamps.append(users.stamp())
    users_in(tmp_path).set_password("alice", PASSWORD)
    stamps.append(users.stamp())
    users_in(tmp_path).remove("alice")
    stamps.append(users.stamp())
    assert len(set(stamps)) == len(stamps)
    assert users.stamp() == users.stamp()


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b'{"form":2,"users":{}}', b'{"form":1}', b'{"users":{"a":{}}}']
)
def test_a_damaged_file_lets_nobody_in(users: PortalUsers, tmp_path: Path, data: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(data)
    (tmp_path / FILE_NAME).chmod(0o600)
    for use in (users.users, lambda: users.verify("a", PASSWORD)):
        with pytest.raises(StoredError, match="users of the portal"):
            use()


def test_a_hash_that_would_take_minutes_lets_nobody_in(users: PortalUsers, tmp_path: Path) -> None:
    users.set_password("alice", PASSWORD)
    path = tmp_path / FILE_NAME
    for dear in ("m=8,t=4000000,p=1", "m=16777216,t=1,p=1"):
        path.write_text(re.sub(r"m=\d+,t=\d+,p=\d+", dear, path.read_text()))
        began = time.monotonic()
        assert users.verify("alice", PASSWORD) is None
        assert time.monotonic() - began < 30, "it would take minutes, or all memory"


@pytest.mark.parametrize("name", ["-alice", "--role", "-"])
def test_a_name_that_commands_would_take_for_an_option_is_none(
    users: PortalUsers, name: str
) -> None:
    with pytest.raises(UsageError, match="begins with no -"):
        users.set_password(name, PASSWORD)


@pytest.mark.parametrize("hashed", ["", "x", "$argon2id$v=19$m=8,t=1,p=1$AAAA$AAAA", "$2b$12$abc"])
def test_a_hash_that_is_none_lets_nobody_in(
    users: PortalUsers, tmp_path: Path, hashed: str
) -> None:
    user = {"role": "admin", "hash": hashed, "changed_at": 1.0}
    (tmp_path / FILE_NAME).write_text(json.dumps({"form": 1, "users": {"a": user}}))
    (tmp_path / FILE_NAME).chmod(0o600)
    assert users.verify("a", PASSWORD) is None
    assert users.verify("a", "") is None


def test_a_file_that_others_may_read_lets_nobody_in(users: PortalUsers, tmp_path: Path) -> None:
    users.set_password("alice", PASSWORD)
    (tmp_path / FILE_NAME).chmod(0o640)
    with pytest.raises(StoredError, match="others may read the file"):
        users.verify("alice", PASSWORD)


def test_without_a_state_directory_nothing_is_stored(tmp_path: Path) -> None:
    with pytest.raises(StoredError, match="there is no folder"):
        users_in(tmp_path / "gone").set_password("alice", PASSWORD)
    assert users_in(tmp_path / "gone").users() == []


def test_a_hash_of_another_cost_is_made_anew_at_the_next_sign_in(
    users: PortalUsers, tmp_path: Path
) -> None:
    alice = users.set_password("alice", PASSWORD)
    dearer = users_in(tmp_path, Cost(passes=2, memory_kib=16, lanes=1))
    assert dearer.verify("alice", "wrong password") is None
    assert "$m=8,t=1,p=1$" in (tmp_path / FILE_NAME).read_text()
    assert dearer.verify("alice", PASSWORD) == alice, "a session stays: nothing changed for him"
    assert "$m=16,t=2,p=1$" in (tmp_path / FILE_NAME).read_text()
    assert dearer.verify("alice", PASSWORD) == alice


def test_a_hash_that_can_t_be_stored_anew_still_lets_its_user_in(
    users: PortalUsers, tmp_path: Path
) -> None:
    alice = users.set_password("alice", PASSWORD)
    given = tmp_path / "given"
    given.mkdir()
    (tmp_path / FILE_NAME).rename(given / FILE_NAME)
    before = (given / FILE_NAME).read_bytes()
    environ = {"CREDENTIALS_DIRECTORY": str(given)}
    by_systemd = PortalUsers(tmp_path, environ=environ, cost=Cost(2, 16, 1))
    assert by_systemd.verify("alice", PASSWORD) == alice
    assert (given / FILE_NAME).read_bytes() == before
    with pytest.raises(StoredError, match="they are given from outside"):
        by_systemd.set_password("bob", PASSWORD)


def test_changes_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    def change(number: int) -> None:
        for turn in range(5):
            users_in(tmp_path).set_password(f"user{number}-{turn}", PASSWORD)
        users_in(tmp_path).remove(f"user{number}-0")

    threads = [threading.Thread(target=change, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = [user.name for user in users_in(tmp_path).users()]
    assert names == [f"user{number}-{turn}" for number in range(4) for turn in range(1, 5)]


def test_nobody_s_hash_costs_what_that_of_a_user_costs() -> None:
    cost = Cost(passes=3, memory_kib=8192, lanes=1)
    hashes = PasswordHashes(cost)
    nobody, alice = hashes.of_nobody, hashes.make(b"x" * 12)
    assert nobody.split("$")[:4] == alice.split("$")[:4]
    assert list(map(len, nobody.split("$"))) == list(map(len, alice.split("$")))
    assert not hashes.fits(nobody, b"")
    assert not hashes.is_outdated(nobody)


def test_without_memory_for_it_no_password_is_called_wrong(tmp_path: Path) -> None:
    program = """
import resource, sys
from pathlib import Path
from nss.errors import ServiceError
from nss.setup.portal_users import PortalUsers

users = PortalUsers(Path(sys.argv[1]))
users.set_password("alice", sys.argv[2])
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (16 << 20),) * 2)
for method in (users.verify, users.set_password):
    try:
        print(method("alice", sys.argv[2]))
    except ServiceError as error:
        print(error.args[0])
"""
    command = [sys.executable, "-c", program, str(tmp_path), PASSWORD]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=50)  # noqa: S603

    reason = "the hash of the password can't be computed: memory allocation error"
    assert ran.stdout.splitlines() == [reason, reason]


def test_the_cost_is_that_of_the_standard_on_one_core(tmp_path: Path) -> None:
    users = PortalUsers(tmp_path)
    before = time.time()
    alice = users.set_password("alice", PASSWORD)
    assert before <= alice.changed_at <= time.time()
    assert "$argon2id$v=19$m=65536,t=3,p=1$" in (tmp_path / FILE_NAME).read_text()
    assert users.verify("alice", PASSWORD) == alice
    assert users.verify("nobody", PASSWORD) is None
