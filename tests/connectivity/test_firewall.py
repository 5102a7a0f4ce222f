"""Names, connections, TLS, proxies and clocks, tried on the lab and on real sockets."""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from nss.config import load as configuration
from nss.config.model import Config
from nss.connectivity import Finding
from nss.connectivity.firewall import try_routes
from nss.connectivity.plan import ports_of, routes_of
from nss.lab.cloud import CloudLab
from nss.lab.ports import free_port
from nss.mcas.credentials import CredentialsStore, McasCredentials
from nss.secret import Secret

PASSWORD = "proxy-password-0123456789"  # noqa: S105 - of the test
BASE = """
[sources.tcp]
kind = "tcp"
listen = "127.0.0.1:0"
[feeds.siem]
format = "QRADAR"
[feeds.siem.sink]
"""


def configured(folder: Path, *, sink: str, mcas: str = "") -> Config:
    return configuration.parse(f"{mcas}{BASE}{sink}", folder)


def to_file() -> str:
    return 'kind = "file"\npath = "out"\n'


def to_tls(port: int, more: str = "") -> str:
    return f'kind = "syslog_tcp"\ndestinations = ["127.0.0.1:{port}"]\ntls = true\n{more}'


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[CloudLab]:
    (tmp_path / "lab").mkdir()
    with CloudLab(tmp_path / "lab") as lab:
        yield lab


def stored(folder: Path, lab: CloudLab) -> CredentialsStore:
    store = CredentialsStore(folder, {})
    store.save(
        McasCredentials(
            method="secret",
            client_id=lab.client_id,
            client_secret=Secret(lab.client_secret),
            authentication_url=lab.authentication_url,
            api_url=lab.api_url,
        )
    )
    return store


async def tried(
    config: Config, store: CredentialsStore, *, ahead_secs: float = 0
) -> dict[str, Finding]:
    found = await try_routes(routes_of(config, store), 5, now=lambda: time.time() + ahead_secs)
    return {finding.component: finding for finding in found}


def steps(finding: Finding) -> list[tuple[str, bool]]:
    return [(step.name, step.ok) for step in finding.steps]


async def test_sign_in_and_api_are_reached_and_their_clock_is_read(
    tmp_path: Path, lab: CloudLab
) -> None:
    mcas = f'[mcas]\nca_file = "{lab.ca_file}"\n'
    config = configured(tmp_path, sink=to_file(), mcas=mcas)
    found = await tried(config, stored(tmp_path, lab))
    well = [("dns", True), ("tcp", True), ("tls", True), ("clock", True)]
    assert {name: steps(finding) for name, finding in found.items()} == {
        "MCAS sign-in": well,
        "MCAS API": well,
        "MCAS upload": [("setup", True)],
    }


@pytest.mark.parametrize(
    ("ahead_secs", "ok", "warns"),
    [(0, True, False), (-100, True, True), (100, True, True), (400, False, False)],
)
async def test_a_clock_that_is_wrong_is_told(
    tmp_path: Path, lab: CloudLab, ahead_secs: float, *, ok: bool, warns: bool
) -> None:
    mcas = f'[mcas]\nca_file = "{lab.ca_file}"\n'
    config = configured(tmp_path, sink=to_file(), mcas=mcas)
    found = await tried(config, stored(tmp_path, lab), ahead_secs=ahead_secs)
    clock = found["MCAS API"].steps[-1]
    assert (clock.name, clock.ok, clock.ok and clock.warns) == ("clock", ok, warns)


async def test_an_authority_that_is_not_trusted_is_told_with_the_key_to_set(
    tmp_path: Path, lab: CloudLab
) -> None:
    mcas = "[mcas]\nrequests_per_minute = 10\n"
    config = configured(tmp_path, sink=to_file(), mcas=mcas)
    found = await tried(config, stored(tmp_path, lab))
    last = found["MCAS sign-in"].steps[-1]
    assert (last.name, last.ok) == ("tls", False)
    assert "ca_file in [mcas]" in (last.tip or "")


@contextlib.contextmanager
def answering(answer: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """Answer every connection alike; yields the port and what was asked."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection:
                        asked.append(connection.recv(4096))
                        connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1], asked
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


async def test_a_proxy_that_refuses_is_told_and_its_password_is_not(
    tmp_path: Path, lab: CloudLab
) -> None:
    (tmp_path / "auth").write_text(f"nss:{PASSWORD}")
    (tmp_path / "auth").chmod(0o600)
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"
    with answering(refusal) as (port, asked):
        mcas = f'[mcas]\nproxy = "http://127.0.0.1:{port}"\nproxy_auth_file = "auth"\n'
        config = configured(tmp_path, sink=to_file(), mcas=mcas)
        routes = routes_of(config, stored(tmp_path, lab))
        found = await try_routes(routes, 5)
    last = found[0].steps[-1]
    assert (last.name, last.ok, "407" in last.sentence) == ("proxy", False, True)
    assert PASSWORD not in repr(found)
    assert asked[0].startswith(b"CONNECT localhost:")
    assert b"Proxy-Authorization: Basic " in asked[0]
    outward = [
        (port.host, port.port) for port in ports_of(config, routes) if port.direction == "out"
    ]
    assert ("127.0.0.1", port) in outward


async def test_a_collector_that_does_not_run_is_named_as_what_it_is(tmp_path: Path) -> None:
    port = free_port()
    sink = f'kind = "syslog_tcp"\ndestinations = ["127.0.0.1:{port}"]\n'
    found = await tried(configured(tmp_path, sink=sink), CredentialsStore(tmp_path, {}))
    last = found["feed siem"].steps[-1]
    assert (last.sentence, last.tip) == (
        f"nothing listens at 127.0.0.1:{port} (connection refused)",
        f"start the collector on 127.0.0.1 (TCP port {port}), or correct the address",
    )


async def test_what_speaks_no_tls_is_told(tmp_path: Path) -> None:
    with answering(b"hello\r\n") as (port, _):
        config = configured(tmp_path, sink=to_tls(port))
        found = await tried(config, CredentialsStore(tmp_path, {}))
    assert steps(found["feed siem"]) == [("dns", True), ("tcp", True), ("tls", False)]


@pytest.mark.parametrize(("name", "ok"), [("collector.example", True), ("other.example", False)])
async def test_the_name_in_a_collectors_certificate_matters(
    tmp_path: Path, name: str, *, ok: bool
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("collector.example").configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    connection.settimeout(5)
                    with connection, contextlib.suppress(OSError):
                        context.wrap_socket(connection, server_side=True).close()

        thread = threading.Thread(target=serve)
        thread.start()
        more = f'tls_ca = "ca.pem"\ntls_server_name = "{name}"\n'
        config = configured(tmp_path, sink=to_tls(server.getsockname()[1], more))
        found = await tried(config, CredentialsStore(tmp_path, {}))
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
    last = found["feed siem"].steps[-1]
    assert (last.name, last.ok) == ("tls", ok)


async def test_udp_is_never_said_to_be_reached(tmp_path: Path) -> None:
    sink = 'kind = "syslog_udp"\ndestinations = ["127.0.0.1:514"]\n'
    found = await tried(configured(tmp_path, sink=sink), CredentialsStore(tmp_path, {}))
    assert "can't be confirmed" in found["feed siem"].steps[-1].sentence


async def test_a_destination_that_says_nothing_ends_with_the_time_limit(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        config = configured(tmp_path, sink=to_tls(server.getsockname()[1]))
        routes = routes_of(config, CredentialsStore(tmp_path, {}))
        found = await try_routes(routes, 0.3)
    assert found[0].steps[-1].ok is False


@pytest.mark.parametrize(
    ("api_host", "domain", "documented"),
    [
        ("contoso.us3.portal.cloudappsecurity.com", "blob.core.windows.net", "prod5usw2console1"),
        ("contoso.eu.portal.cloudappsecurity.com", "blob.core.windows.net", "prod02euwconsole1"),
        ("contoso.xx9.portal.cloudappsecurity.com", "blob.core.windows.net", None),
        ("portal.cloudappsecurity.com", "blob.core.windows.net", None),
        (
            "contoso.us1.portal.cloudappsecuritygov.com",
            *("blob.core.usgovcloudapi.net", "gccm1usgvconsole1"),
        ),
        (
            "contoso.us1.portal.cloudappsecurity.us",
            *("blob.core.usgovcloudapi.net", "gprd1usgvconsole1"),
        ),
        ("portal.cloudappsecurity.us", "blob.core.usgovcloudapi.net", None),
        ("no-host", "blob.core.windows.net", None),
    ],
)
def test_the_storages_are_those_of_the_tenants_cloud(
    tmp_path: Path, api_host: str, domain: str, documented: str | None
) -> None:
    (tmp_path / "token").write_text("0123456789abcdef" * 4)
    (tmp_path / "token").chmod(0o600)
    mcas = f'[mcas]\ntoken_file = "token"\ntoken_api_url = "https://{api_host}"\n'
    config = configured(tmp_path, sink=to_file(), mcas=mcas)
    store = CredentialsStore(tmp_path, {}, token_file=tmp_path / "token")
    routes = routes_of(config, store)
    storage = next(route for route in routes if route.component == "MCAS upload")
    assert storage.place == f"*.{domain}:443"
    shown = f"; documented for this region is {documented}.{domain}" if documented else ""
    assert storage.known[0].sentence.endswith(f"only known at an upload{shown}")
    ports = [(port.host, port.port) for port in ports_of(config, routes)]
    assert (f"*.{domain}", 443) in ports
