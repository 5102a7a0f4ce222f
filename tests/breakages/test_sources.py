"""Breakages where records come from."""

import asyncio
import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import trustme

from nss.lab.ports import free_port
from tests.breakages.conftest import Breakages
from tests.faults.conftest import sink, web

pytestmark = pytest.mark.long

OUT = sink("file", 'path = "lines"')
RECORD = b'{"sourcetype":"zscalernss-web","event":{"datetime":"2023-10-06 09:05:08"}}\n'
PEER = {r"127\.0\.0\.1": "192.0.2.7"}


def push(port: int, *more: str) -> str:
    """Return the section of a source that takes pushes."""
    head = f'[sources.push]\nkind = "http"\nlisten = "127.0.0.1:{port}"\npath = "/cloud-nss"'
    return "\n".join([head, *more, ""])


def private(path: Path, text: str) -> None:
    path.touch(0o600)
    path.write_text(text)


def expired(folder: Path) -> ssl.SSLContext:
    """Write a certificate that ended; return what a sender trusts."""
    authority = trustme.CA()
    ended = datetime(2026, 9, 30, tzinfo=UTC)
    begun = ended - timedelta(days=365)
    server = authority.issue_cert("127.0.0.1", not_before=begun, not_after=ended)
    server.cert_chain_pems[0].write_to_path(folder / "server.pem")
    private(folder / "server.key", server.private_key_pem.bytes().decode())
    trusted = ssl.create_default_context()
    authority.configure_trust(trusted)
    return trusted


def refuse_certificate(port: int, trusted: ssl.SSLContext) -> None:
    """Connect as a sender that checks certificates, and says why it goes."""
    with (
        socket.create_connection(("127.0.0.1", port)) as plain,
        pytest.raises(ssl.SSLCertVerificationError, match="expired"),
    ):
        trusted.wrap_socket(plain, server_hostname="127.0.0.1")


async def test_a_file_that_is_gone(breakages: Breakages) -> None:
    await breakages.start(web(), OUT)
    await breakages.shows("source-file-gone")


async def test_a_wrong_token(breakages: Breakages) -> None:
    port = free_port()
    private(breakages.folder / "push.token", "right-token-of-sixteen\n")
    await breakages.start(push(port, 'token_file = "push.token"'), OUT)
    url, wrong = f"http://127.0.0.1:{port}/cloud-nss", {"Authorization": "Bearer wrong"}
    async with httpx.AsyncClient() as client:
        stranger = await client.get(f"http://127.0.0.1:{port}/admin")
        await client.post(url, content=RECORD, headers=wrong)
        await breakages.shows("wrong-token", PEER)
        right = {"Authorization": "Bearer right-token-of-sixteen"}
        accepted = await client.post(url, content=RECORD, headers=right)
        await breakages.shows("wrong-token-of-one-sender", PEER)

    assert (stranger.status_code, accepted.status_code) == (401, 200)
    _, text = await breakages.command("status")
    assert "1 with no token or a wrong one" in " ".join(text.split())
    source = (await breakages.status()).sources[0]
    assert [(each.cause, each.count) for each in source.refusals] == [
        ("credentials", 1),
        ("path", 1),
    ]


TLS = ('tls_certificate = "server.pem"', 'tls_key = "server.key"')


async def test_the_certificate_of_an_http_source_has_expired(breakages: Breakages) -> None:
    port, trusted = free_port(), expired(breakages.folder)
    private(breakages.folder / "push.token", "right-token-of-sixteen\n")
    await breakages.start(push(port, 'token_file = "push.token"', *TLS), OUT)
    await asyncio.to_thread(refuse_certificate, port, trusted)
    await breakages.shows("certificate-expired-http", PEER)


async def test_the_certificate_of_a_tcp_source_has_expired(breakages: Breakages) -> None:
    port, trusted = free_port(), expired(breakages.folder)
    source = f'[sources.syslog]\nkind = "tcp"\nlisten = "127.0.0.1:{port}"'
    await breakages.start("\n".join([source, *TLS, ""]), OUT)
    await asyncio.to_thread(refuse_certificate, port, trusted)
    await breakages.shows("certificate-expired-tcp", PEER)


async def test_rejects_pile_up(breakages: Breakages) -> None:
    log = breakages.folder / "web.log"
    log.touch()
    await breakages.start(web(), OUT)
    await breakages.status()
    log.write_bytes(b"garbage\n" * 120)
    await breakages.shows("rejects")
