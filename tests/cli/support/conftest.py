"""A service of a process of its own, with everything that can hold a secret."""

import contextlib
import json
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from nss.lab.ports import free_port
from tests.cli.conftest import COMMAND, ENV, Nss

SECRETS = {
    "client secret": "client~secret-0123456789-0123456789-abc",
    "push token": "push-token-0123456789-0123456789",
    "proxy password": "proxy-password-0123456789",
    "obfuscation key": "obfuscation-key-0123456789-0123456789",
    "ZIA password": "zia-password-0123456789",
    "ZIA API key": "Zia0Api1Key23456",
}


@dataclass
class Site:
    """A configuration, and the collector that it names."""

    folder: Path
    config: Path
    collector: socket.socket
    source_port: int

    @property
    def collector_port(self) -> int:
        port: int = self.collector.getsockname()[1]
        return port


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A configuration whose destination listens."""
    for name, file, text in (
        ("push token", "push.token", "{}"),
        ("proxy password", "proxy-auth", "nss:{}"),
        ("obfuscation key", "key", "{}"),
    ):
        (tmp_path / file).write_text(text.format(SECRETS[name]))
        (tmp_path / file).chmod(0o600)
    stored = {
        "method": "secret",
        "client_id": "11111111-2222-3333-4444-555555555555",
        "client_secret": SECRETS["client secret"],
        "authentication_url": "https://login.localhost:1/"
        "11111111-2222-3333-4444-666666666666/oauth2/v2.0/token",
        "api_url": "https://api.localhost:1",
    }
    (tmp_path / "mcas.json").write_text(json.dumps(stored))
    (tmp_path / "mcas.json").chmod(0o600)
    stored_for_zia = {
        "method": "legacy",
        "username": "admin@example.com",
        "password": SECRETS["ZIA password"],
        "api_key": SECRETS["ZIA API key"],
        "api_url": "https://localhost:1/api/v1",
    }
    (tmp_path / "zia.json").write_text(json.dumps(stored_for_zia))
    (tmp_path / "zia.json").chmod(0o600)
    collector = socket.create_server(("127.0.0.1", 0))
    port = free_port()
    config = tmp_path / "nss.toml"
    config.write_text(
        f"""
        [service]
        control_socket = "control.sock"
        state_directory = "{tmp_path}"
        [spool]
        path = "spool.db"
        [mcas]
        proxy = "http://127.0.0.1:1"
        proxy_auth_file = "proxy-auth"
        [sources.push]
        kind = "http"
        listen = "127.0.0.1:{port}"
        token_file = "push.token"
        [feeds.siem]
        format = "QRADAR"
        obfuscation_key_file = "key"
        [feeds.siem.sink]
        kind = "syslog_tcp"
        destinations = ["127.0.0.1:{collector.getsockname()[1]}"]
        """
    )
    with collector:
        yield Site(tmp_path, config, collector, port)


@pytest.fixture
def running(site: Site, nss: Nss) -> Iterator[Site]:
    """The same, with its service at work."""
    with contextlib.ExitStack() as stack:
        log = stack.enter_context((site.folder / "log").open("wb"))
        command = [*COMMAND, "run", "--config", str(site.config)]
        process = subprocess.Popen(command, env=ENV, stderr=log)  # noqa: S603 - ours
        stack.callback(process.wait)
        stack.callback(process.kill)
        deadline = time.monotonic() + 20
        while nss("status", "--config", site.config).returncode == 69:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield site


def secrets_in(data: bytes) -> list[str]:
    """The names of the secrets that are in some bytes."""
    return [name for name, text in SECRETS.items() if re.escape(text).encode() in re.escape(data)]
