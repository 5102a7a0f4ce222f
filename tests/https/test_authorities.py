"""How Microsoft's services are reached: whose certificates are trusted, by both clients alike."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import certifi
import httpx
import pytest
import requests
import trustme

from nss.https.network import Network
from tests.https.sites import TlsSite


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


@pytest.fixture
def site(authority: trustme.CA) -> Iterator[TlsSite]:
    with TlsSite(authority) as found:
        yield found


async def by_both(network: Network, url: str) -> list[int | type[Exception]]:
    """Return what each client gets: a status, or the kind of error."""
    found: list[int | type[Exception]] = []
    async with network.client() as client:
        try:
            found.append((await client.get(url)).status_code)
        except httpx.ConnectError as error:
            found.append(type(error))
    with network.session() as session:
        try:
            found.append((await asyncio.to_thread(session.get, url)).status_code)
        except requests.exceptions.SSLError as error:
            found.append(type(error))
    return found


REFUSED = [httpx.ConnectError, requests.exceptions.SSLError]


async def test_the_authorities_of_the_file_are_trusted_by_both(
    site: TlsSite, ca_file: Path
) -> None:
    assert await by_both(Network(ca_file=ca_file), site.url) == [200, 200]


async def test_without_a_file_both_trust_the_system(
    site: TlsSite, ca_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An administrator added the company's authority to the system's, and nowhere else."""
    assert await by_both(Network(), site.url) == REFUSED
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
    assert await by_both(Network(), site.url) == [200, 200]


async def test_what_a_python_package_brings_is_trusted_by_neither(
    site: TlsSite, ca_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests' own bundle would keep an authority that was removed from the system's."""
    monkeypatch.setattr(requests.adapters, "DEFAULT_CA_BUNDLE_PATH", str(ca_file))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(ca_file))
    monkeypatch.setattr(certifi, "where", lambda: str(ca_file))
    assert await by_both(Network(), site.url) == REFUSED


async def test_a_file_takes_the_place_of_the_system(
    site: TlsSite, ca_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
    assert await by_both(Network(ca_file=other), site.url) == REFUSED


async def test_the_name_in_the_certificate_counts(authority: trustme.CA, ca_file: Path) -> None:
    with TlsSite(authority, name="elsewhere.example") as site:
        assert await by_both(Network(ca_file=ca_file), site.url) == REFUSED


async def test_a_session_that_was_closed_still_verifies(site: TlsSite, ca_file: Path) -> None:
    """Sign-in closes its connections after each request, and makes new ones an hour later."""
    with Network(ca_file=ca_file).session() as session:
        for _ in range(2):
            assert (await asyncio.to_thread(session.get, site.url)).status_code == 200
            session.close()


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("fifo", "it is not a regular file"),
        ("zeros", "it is not a regular file"),
        ("large", "it has more than 1048576 bytes"),
        ("missing", "No such file"),
        ("text", "NO_CERTIFICATE_OR_CRL_FOUND"),
    ],
)
def test_what_can_not_be_used_is_refused_before_anything_is_sent(
    tmp_path: Path, kind: str, reason: str
) -> None:
    path = tmp_path / "ca.pem"
    match kind:
        case "fifo":
            os.mkfifo(path)
        case "zeros":
            path.symlink_to("/dev/zero")
        case "large":
            path.write_bytes(bytes((1 << 20) + 1))
        case "text":
            path.write_text("no certificate")
    network = Network(ca_file=path)
    with pytest.raises(OSError, match=reason):
        network.client()
    with network.session() as session, pytest.raises(OSError, match=reason):
        session.get("https://127.0.0.1:9")
