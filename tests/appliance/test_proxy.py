"""The proxy, for apt and in the configuration file."""

from pathlib import Path

import pytest

from nss.appliance.proxy import apt_proxy, apt_text, proxy_of, split_proxy
from nss.config import load as configuration
from nss.config.kinds import InvalidValue
from nss.errors import ConfigError
from nss.setup.proxies import with_proxy

PROXY = "http://proxy.example.com:3128"
REST = """\
[sources.tcp]
kind = "tcp"
listen = ":514"
[feeds.out]
format = "MCAS" # as it was
[feeds.out.sink]
kind = "file"
path = "out.log"
"""


def test_host_and_port_make_a_proxy_and_back() -> None:
    assert proxy_of("proxy.example.com", "3128") == PROXY
    assert split_proxy(PROXY) == ("proxy.example.com", "3128")
    assert proxy_of("2001:db8::1", "8080") == "http://[2001:db8::1]:8080"
    assert split_proxy("http://[2001:db8::1]:8080") == ("2001:db8::1", "8080")


@pytest.mark.parametrize(
    ("host", "port"),
    [("proxy", ""), ("proxy", "0"), ("proxy", "x"), ("user:pw@proxy", "1"), ("a/b", "80")],
)
def test_what_is_no_proxy_is_refused(host: str, port: str) -> None:
    with pytest.raises(InvalidValue):
        proxy_of(host, port)


def test_apt_gets_it_for_both_ways(tmp_path: Path) -> None:
    file = tmp_path / "90nss-proxy"
    assert apt_proxy(file) is None
    file.write_text(apt_text(PROXY))
    assert apt_proxy(file) == PROXY
    assert file.read_text().splitlines()[1:] == [
        f'Acquire::http::Proxy "{PROXY}/";',
        f'Acquire::https::Proxy "{PROXY}/";',
    ]


@pytest.mark.parametrize(
    "before",
    [
        REST,
        f'[mcas] \ndata_source = "NSS"\n{REST}',
        f'[mcas]\nproxy = "http://old:1"\n{REST}',
        f'[mcas]\ndata_source = "NSS"\nproxy="http://old:1" # old\n[zia]\ntimeout_secs = 5\n{REST}',
        REST.rstrip("\n"),
    ],
)
def test_a_file_gets_the_proxy_and_keeps_all_else(before: str) -> None:
    after = with_proxy(before, PROXY, Path("/etc/nss"))
    found = configuration.parse(after, Path("/etc/nss"))
    assert found.mcas.proxy == PROXY
    assert found.zia.proxy == (PROXY if "[zia]" in before else None)
    assert "# as it was" in after
    gone = with_proxy(after, None, Path("/etc/nss"))
    assert configuration.parse(gone, Path("/etc/nss")).mcas.proxy is None


@pytest.mark.parametrize(
    "before",
    [f'mcas = {{ proxy = "http://old:1" }}\n{REST}', f'mcas.proxy = "http://old:1"\n{REST}'],
)
def test_a_file_that_is_written_otherwise_is_left_to_a_person(before: str) -> None:
    with pytest.raises(ConfigError, match="only a person can change it"):
        with_proxy(before, PROXY, Path("/etc/nss"))


def test_a_password_without_its_proxy_is_reported() -> None:
    before = f'[mcas]\nproxy = "http://old:1"\nproxy_auth_file = "auth"\n{REST}'
    with pytest.raises(ConfigError, match="proxy_auth_file"):
        with_proxy(before, None, Path("/etc/nss"))
