"""What the settings of the portal accept, and what an address other than loopback needs."""

from pathlib import Path

import pytest

from formats.errors import Problem
from nss.config.load import ConfigProblems, parse
from nss.config.machine import check_environment
from nss.config.portal import PortalConfig, warnings
from nss.config.values import Address

FEED = """
[sources.web]
kind = "stdin"
[feeds.mcas]
format = "MCAS"
[feeds.mcas.sink]
kind = "file"
path = "out.log"
"""

WITHOUT_TLS = (
    "is not on loopback, so it needs tls_certificate and tls_key as well: without TLS others can "
    "read passwords and take over sessions"
)
WITHOUT_NAMES = (
    "is every interface, so it needs hosts as well, the names by which browsers reach it: requests "
    "for other names are refused (DNS rebinding)"
)
TLS = "tls_certificate = 'portal.pem'\ntls_key = 'portal.key'\n"


def portal(keys: str) -> PortalConfig:
    return parse(f"[portal]\n{keys}\n{FEED}", Path("/etc/nss")).portal


def problems(keys: str) -> list[Problem]:
    with pytest.raises(ConfigProblems) as caught:
        portal(keys)
    return list(caught.value.problems)


def test_it_is_off_unless_somebody_turns_it_on() -> None:
    assert portal("") == portal("listen = 'off'") == PortalConfig()
    assert PortalConfig().addresses == ()


@pytest.mark.parametrize(
    ("listen", "address"),
    [
        ("127.0.0.1:9633", "http://127.0.0.1:9633"),
        ("127.8.8.8:0", "http://127.8.8.8:0"),
        ("[::1]:9633", "http://[::1]:9633"),
        ("localhost:9633", "http://localhost:9633"),
    ],
)
def test_on_loopback_it_needs_nothing_else(listen: str, address: str) -> None:
    found = portal(f"listen = '{listen}'")
    assert found.addresses == (address,)
    assert list(warnings(found)) == []


@pytest.mark.parametrize("listen", ["10.0.0.1:9633", "[2001:db8::1]:9633", "nss1.example.com:9633"])
def test_elsewhere_it_needs_tls(listen: str) -> None:
    assert problems(f"listen = '{listen}'") == [Problem("portal.listen", listen, WITHOUT_TLS)]


@pytest.mark.parametrize("listen", [":9633", "0.0.0.0:9633", "[::]:9633"])
def test_on_every_interface_it_needs_tls_and_names(listen: str) -> None:
    key = "portal.listen"
    assert problems(f"listen = '{listen}'") == [
        Problem(key, listen, WITHOUT_TLS),
        Problem(key, listen, WITHOUT_NAMES),
    ]
    assert problems(f"listen = '{listen}'\nhosts = []\n{TLS}") == [
        Problem(key, listen, WITHOUT_NAMES)
    ]


def test_elsewhere_it_is_worth_a_warning() -> None:
    keys = f"listen = ':9633'\nhosts = ['nss1.example.com', '2001:db8::1']\n{TLS}"
    found = portal(keys)
    assert found.listen == Address("", 9633)
    assert found.addresses == (
        "https://nss1.example.com:9633",
        "https://[2001:db8::1]:9633",
        "https://localhost:9633",
    )
    assert list(warnings(found)) == [
        "the portal can be reached from other machines, at :9633: restrict access with a firewall"
    ]


@pytest.mark.parametrize(
    ("keys", "wrong"),
    [
        ("tls_certificate = 'a'", [("tls_certificate", "a", "needs tls_key as well")]),
        ("tls_key = 'a'", [("tls_key", "a", "needs tls_certificate as well")]),
        (
            "idle_minutes = 4",
            [("idle_minutes", 4, "must be a whole number of minutes from 5 to 1440")],
        ),
        (
            "session_hours = 169",
            [("session_hours", 169, "must be a whole number of hours from 1 to 168")],
        ),
        ("hosts = ['a', 'a']", [("hosts[1]", "a", "is in the list before")]),
        (
            "hosts = ['a:1']",
            [("hosts[0]", "a:1", "must be a host name or an IP address, without port")],
        ),
        ("hots = []", [("hots", [], "unknown key; the nearest is hosts")]),
    ],
)
def test_what_is_wrong_is_said(keys: str, wrong: list[tuple[str, object, str]]) -> None:
    assert problems(keys) == [Problem(f"portal.{key}", value, why) for key, value, why in wrong]


def test_nothing_else_may_listen_there() -> None:
    keys = "listen = '127.0.0.1:9632'\n[service]\nmetrics_listen = ':9632'"
    assert problems(keys) == [
        Problem("portal.listen", "127.0.0.1:9632", "is taken by service.metrics_listen")
    ]


def test_its_certificate_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "nss.toml").write_text(f"[portal]\n{TLS}{FEED}")
    config = parse((tmp_path / "nss.toml").read_text(), tmp_path)
    found = [problem for problem in check_environment(config) if problem.key.startswith("portal")]
    assert [(problem.key, problem.reason) for problem in found] == [
        ("portal.tls_certificate", "no such file or directory"),
        ("portal.tls_key", "no such file or directory"),
    ]
