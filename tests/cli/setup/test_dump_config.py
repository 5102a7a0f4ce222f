"""`nss dump-config`: what is in force, as TOML that says the same again."""

import json
import re
from pathlib import Path

import pytest

from nss.config import load as configuration
from tests.cli.conftest import Nss

SAMPLE = Path(__file__).parent.parent.parent.parent / "packaging" / "nss.toml"

EVERYTHING = """
[service]
metrics_listen = "127.0.0.1:9632"
control_socket = "off"
[spool]
kind = "memory"
[portal]
listen = "[::1]:9633"
hosts = ["nss1.example.com"]
[mcas]
proxy = "http://proxy.example.com:3128"
proxy_auth_file = "proxy-auth"
token_file = "token"
token_api_url = "https://contoso.us3.portal.cloudappsecurity.com"
[sources.file]
kind = "file"
path = "web.log"
format_string = '%d{epochtime} %s{elogin} "%s{eurl}"'
[sources.tcp]
kind = "tcp"
listen = ":514"
tls_certificate = "server.pem"
tls_key = "server.key"
[sources.push]
kind = "http"
listen = "[::1]:8088"
token_file = "push.token"
format = "json"
[sources.pipe]
kind = "stdin"
[feeds.mcas]
format = "MCAS"
filter = { action = "Blocked", not_users = ["*@test.example.com"] }
[feeds.mcas.sink]
kind = "syslog_udp"
destinations = ["collector.example.com:514", "[::1]:514"]
pri = 134
[feeds.siem]
sources = ["tcp"]
format_string = '%d{epochtime}\\t%s{elogin}\\n'
zone = "Europe/Berlin"
[feeds.siem.sink]
kind = "syslog_tcp"
destinations = ["collector.example.com:6514"]
tls = true
tls_ca = "ca.pem"
[feeds.archive]
format = "JSON"
[feeds.archive.sink]
kind = "file"
path = "-"
rotate_bytes = "off"
[feeds.upload]
format = "MCAS"
[feeds.upload.sink]
kind = "cloud_discovery"
gzip = true
"""


@pytest.mark.parametrize("text", [SAMPLE.read_text(), EVERYTHING], ids=["sample", "everything"])
def test_what_is_printed_says_the_same(nss: Nss, tmp_path: Path, text: str) -> None:
    (tmp_path / "nss.toml").write_text(text.replace('rotate_bytes = "off"\n', ""))
    ran = nss("dump-config", "--config", "nss.toml")
    assert ran.returncode == 0, ran.stderr
    again = configuration.parse(ran.stdout.decode(), Path("/nowhere"))
    assert again == configuration.load(tmp_path / "nss.toml")


def test_every_key_is_there_as_json(nss: Nss, tmp_path: Path) -> None:
    (tmp_path / "nss.toml").write_text(SAMPLE.read_text())
    shown = json.loads(nss("dump-config", "--json", "--config", "nss.toml").stdout)
    assert list(shown) == [
        "service",
        "spool",
        "mcas",
        "zia",
        "sync",
        "portal",
        "sources",
        "feeds",
        "credentials",
    ]
    assert shown["spool"]["replay_minutes"] == 60
    assert shown["feeds"]["mcas"]["sink"]["destinations"] == ["collector.example.com:514"]


def test_a_default_that_may_not_stand_alone_is_left_out(nss: Nss, tmp_path: Path) -> None:
    (tmp_path / "nss.toml").write_text(EVERYTHING.replace('rotate_bytes = "off"\n', ""))
    shown = json.loads(nss("dump-config", "--json", "--config", "nss.toml").stdout)
    assert shown["feeds"]["archive"]["sink"] == {"kind": "file", "path": "-", "sync": False}


def test_secrets_are_stars(nss: Nss, tmp_path: Path) -> None:
    text = SAMPLE.read_text()
    text = re.sub('#state_directory = "[^"]*"', f'state_directory = "{tmp_path}"', text)
    (tmp_path / "nss.toml").write_text(text)
    secret = "very~secret-0123456789-0123456789-abc"  # noqa: S105 - of the test
    stored = {
        "method": "secret",
        "client_id": "11111111-2222-3333-4444-555555555555",
        "client_secret": secret,
        "authentication_url": "https://login.microsoftonline.com/"
        "11111111-2222-3333-4444-666666666666/oauth2/v2.0/token",
        "api_url": "https://contoso.us3.portal.cloudappsecurity.com",
    }
    (tmp_path / "mcas.json").write_text(json.dumps(stored))
    (tmp_path / "mcas.json").chmod(0o600)
    ran = nss("dump-config", "--config", "nss.toml")
    assert secret.encode() not in ran.stdout + ran.stderr
    assert b'# stored for MCAS: client_secret = "***"' in ran.stdout


def test_a_wrong_file_is_reported(nss: Nss, tmp_path: Path) -> None:
    (tmp_path / "nss.toml").write_text("[sources.a]\n")
    ran = nss("dump-config", "--config", "nss.toml")
    assert (ran.returncode, ran.stdout) == (78, b"")
