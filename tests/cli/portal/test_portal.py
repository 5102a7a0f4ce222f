"""`nss portal` from scripts and at a terminal."""

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest

from nss.setup.portal_users import FILE_NAME, PortalUsers
from tests.cli.conftest import COMMAND, ENV, Nss

pytestmark = pytest.mark.long

PASSWORD = "correct horse battery"  # noqa: S105 - of a test
FIREWALL = "restrict access with a firewall"


class Site:
    """A folder with a configuration and a state directory."""

    def __init__(self, folder: Path, nss: Nss) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.state.mkdir()
        self.users = PortalUsers(self.state, environ={})
        self._nss = nss
        self.configure('listen = "127.0.0.1:9633"')

    def configure(self, portal: str) -> None:
        (self.folder / "nss.toml").write_text(
            f'[service]\nstate_directory = "state"\ncontrol_socket = "c.sock"\n[portal]\n{portal}\n'
        )

    def run(self, *arguments: str, data: bytes = b"") -> tuple[int, str, str]:
        ran = self._nss("portal", *arguments, "--config", "nss.toml", data=data)
        return ran.returncode, ran.stdout.decode(), ran.stderr.decode()

    def set_password(self, name: str, role: str = "admin") -> None:
        code, _, err = self.run(
            *("set-password", name, "--role", role, "--password-file", "-"),
            data=f"{PASSWORD}\n".encode(),
        )
        assert (code, err) == (0, "")

    def audited(self) -> list[tuple[str, str, str]]:
        path = self.state / "audit.log"
        found = [json.loads(line) for line in path.read_text().splitlines()]
        return [(each["action"], each["outcome"], each["user"]) for each in found]


@pytest.fixture
def site(tmp_path: Path, nss: Nss) -> Site:
    return Site(tmp_path, nss)


Ask = Callable[..., "pexpect.spawn[str]"]


@pytest.fixture
def ask(site: Site) -> Ask:
    """Run `nss portal` at a terminal."""

    def start(*arguments: str) -> "pexpect.spawn[str]":
        program, *rest = COMMAND
        return pexpect.spawn(
            program,
            [*rest, "portal", *arguments, "--config", "nss.toml"],
            env=ENV | {"TERM": "dumb", "COLUMNS": "200"},
            cwd=str(site.folder),
            encoding="utf-8",
            timeout=20,
            dimensions=(80, 200),
        )

    return start


def ended(person: "pexpect.spawn[str]") -> tuple[int, str]:
    person.expect(pexpect.EOF)
    seen = person.before or ""
    person.close()
    return person.exitstatus or 0, seen


def test_a_password_comes_from_a_file_or_standard_input(site: Site) -> None:
    code, out, err = site.run("set-password", "--password-file", "-", data=PASSWORD.encode())
    assert (code, err) == (0, "")
    assert out == "admin (admin) can sign in with it at http://127.0.0.1:9633.\n"
    file = site.folder / "secret"
    file.write_text(f"{PASSWORD} of bob\n")
    file.chmod(0o600)
    code, out, _ = site.run("set-password", "bob", "--role", "viewer", "--password-file", "secret")
    assert (code, out) == (0, "bob (viewer) can sign in with it at http://127.0.0.1:9633.\n")
    assert site.users.verify("admin", PASSWORD)
    assert site.users.verify("bob", f"{PASSWORD} of bob")
    assert stat.S_IMODE((site.state / FILE_NAME).stat().st_mode) == 0o600
    assert site.audited() == [
        ("portal-set-password", "stored", "admin"),
        ("portal-set-password", "stored", "bob"),
    ]
    assert PASSWORD not in (site.state / "audit.log").read_text()


@pytest.mark.parametrize(
    ("arguments", "data", "code", "reason"),
    [
        (("set-password",), PASSWORD, 64, "portal: nobody to ask"),
        (("set-password", "--password-file", "-"), "short", 64, "the password is too short"),
        (("set-password", "--password-file", "-"), "", 64, "the password is too short"),
        (("set-password", "a b", "--password-file", "-"), PASSWORD, 64, "the name of a user"),
        (("set-password", "--role", "owner"), "", 64, "owner"),
        (("set-password", "--password-file", "gone"), "", 64, "portal: no such file"),
        (("remove-user", "alice", "--yes"), "", 64, "portal: there is no user 'alice'"),
        (("remove-user",), "", 64, "USER"),
        (("sign-in-link",), "", 69, "the service is not running"),
    ],
)
def test_what_makes_no_sense_is_refused(
    site: Site, arguments: tuple[str, ...], data: str, code: int, reason: str
) -> None:
    found, out, err = site.run(*arguments, data=data.encode())
    assert (found, out) == (code, "")
    assert reason in err
    assert PASSWORD not in err
    assert site.users.users() == []


def test_an_argument_is_no_password(site: Site) -> None:
    code, _, err = site.run("set-password", "alice", PASSWORD)
    assert code == 64
    assert site.users.users() == []
    assert "nexpected extra argument" in err


def test_a_refused_password_is_in_the_audit_log_without_it(site: Site) -> None:
    site.run("set-password", "--password-file", "-", data=b"tooshort")
    assert site.audited() == [("portal-set-password", "failed", "admin")]
    assert "tooshort" not in (site.state / "audit.log").read_text()


def test_without_a_state_directory_it_says_what_to_do(site: Site) -> None:
    site.state.rmdir()
    code, _, err = site.run("set-password", "--password-file", "-", data=PASSWORD.encode())
    assert code == 78
    assert "there is no folder" in err
    assert "sudo install -d" in err


def test_users_are_listed_and_removed(site: Site) -> None:
    assert site.run("users")[0] == 1
    assert site.run("users")[1] == (
        "Nobody can sign in at the portal yet. Try: sudo nss portal set-password\n"
    )
    site.set_password("alice")
    site.set_password("bob", "viewer")
    code, out, _ = site.run("users")
    assert code == 0
    assert [line.split()[:2] for line in out.splitlines()] == [
        ["alice", "admin"],
        ["bob", "viewer"],
    ]
    listed = json.loads(site.run("users", "--json")[1])["users"]
    assert [(user["name"], user["role"]) for user in listed] == [
        ("alice", "admin"),
        ("bob", "viewer"),
    ]
    assert site.run("remove-user", "bob")[0] == 64, "nobody was asked"
    assert site.run("remove-user", "bobb", "--yes")[2].endswith("Try: did you mean bob?\n")
    assert site.run("remove-user", "bob", "--yes") == (0, "Removed bob.\n", "")
    assert site.run("remove-user", "alice", "--yes") == (
        0,
        "Removed alice.\n",
        "No admin is left. Try: sudo nss portal set-password\n",
    )
    assert site.users.users() == []
    assert site.audited()[-2:] == [
        ("portal-remove-user", "removed", "bob"),
        ("portal-remove-user", "removed", "alice"),
    ]


def test_it_says_where_it_is_and_what_to_do_next(site: Site) -> None:
    code, out, err = site.run()
    assert (code, err) == (0, "")
    assert out == (
        "Portal:       http://127.0.0.1:9633\n"
        "Service:      does not answer\n"
        "May sign in:  nobody yet\n"
        "Next:\n"
        "  sudo nss portal set-password    a password for the user admin\n"
        "  sudo nss start\n"
    )
    site.set_password("alice")
    assert "May sign in:  alice (admin)\n" in site.run()[1]
    site.configure("")
    assert site.run()[1] == (
        "Portal:       off\n"
        "Service:      does not answer\n"
        "May sign in:  alice (admin)\n"
        "Next:\n"
        '  set listen = "127.0.0.1:9633" in [portal], then: sudo nss restart\n'
    )
    tls = "tls_certificate = 'p.pem'\ntls_key = 'p.pem'"
    site.configure(f"listen = ':9633'\nhosts = ['nss1.example.com']\n{tls}")
    found = json.loads(site.run("--json")[1])
    assert found["users"][0].pop("changed_at") > 1e9
    assert found == {
        "on": True,
        "addresses": ["https://nss1.example.com:9633", "https://localhost:9633"],
        "running": False,
        "users": [{"name": "alice", "role": "admin"}],
        "problem": None,
        "warnings": [f"the portal can be reached from other machines, at :9633: {FIREWALL}"],
    }
    (site.state / FILE_NAME).write_text("{")
    found = json.loads(site.run("--json")[1])
    assert found["users"] is None
    assert "users of the portal: the file is damaged" in found["problem"]


@pytest.mark.parametrize("option", [("--json",), ("--config", "nss.toml")])
def test_an_option_before_a_command_is_not_passed_over(nss: Nss, option: tuple[str, ...]) -> None:
    ran = nss("portal", *option, "users")
    assert ran.returncode == 64
    assert b"nss portal users: options stand behind it" in ran.stderr


def test_a_person_is_asked_twice_and_sees_nothing(site: Site, ask: Ask) -> None:
    person = ask("set-password", "alice")
    for prompt, answer in (
        ("Password: ", "short"),
        ("Password: ", PASSWORD),
        ("Once more: ", "something else"),
        ("Password: ", PASSWORD),
        ("Once more: ", PASSWORD),
    ):
        person.expect_exact(prompt)
        person.sendline(answer)
    code, seen = ended(person)
    assert code == 0, seen
    assert "alice (admin) can sign in with it" in seen
    assert site.users.verify("alice", PASSWORD)
    assert PASSWORD not in seen


def test_a_person_who_does_not_manage_sets_nothing(site: Site, ask: Ask) -> None:
    person = ask("set-password")
    for _ in range(3):
        person.expect_exact("Password: ")
        person.sendline("short")
    code, seen = ended(person)
    assert code == 64
    assert "no password was set" in seen
    assert site.users.users() == []


def test_a_person_is_asked_before_a_user_goes(site: Site, ask: Ask) -> None:
    site.set_password("alice")
    for answer, code, left in (("n", 1, ["alice"]), ("y", 0, [])):
        person = ask("remove-user", "alice")
        person.expect_exact("Remove alice? Sessions of that user end. [y/N]: ")
        person.sendline(answer)
        assert ended(person)[0] == code
        assert [user.name for user in site.users.users()] == left


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xef\xbb\xbf%s\r\n", None),
        (b"%s\n\n", None),
        (b"%s\nand another line\n", "nss: the password has more than one line"),
        (b"%s\xff", "nss: the password is not UTF-8"),
    ],
)
def test_a_file_holds_what_can_be_typed(site: Site, content: bytes, reason: str | None) -> None:
    path = site.folder / "password"
    path.write_bytes(content % PASSWORD.encode())
    path.chmod(0o600)
    code, _, err = site.run("set-password", "alice", "--password-file", str(path))

    assert err.partition("\n")[0] == (reason or "")
    assert (site.users.verify("alice", PASSWORD) is not None) == (code == 0) == (reason is None)


def test_nobody_is_advised_to_close_a_folder(site: Site) -> None:
    code, _, err = site.run("set-password", "alice", "--password-file", "/tmp")  # noqa: S108 - as is
    assert (code, err) == (64, "nss: portal: is a directory (/tmp)\n")
