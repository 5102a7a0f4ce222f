"""The portal on the network: plain on loopback, TLS elsewhere, whatever peers do."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import trustme

from nss.admin.portal.server import PortalServer
from nss.config.values import Address
from nss.errors import ServiceError
from tests.admin.conftest import FakeOperations
from tests.admin.portal.parts import add_user, configuration, sign_in

FREE = Address("127.0.0.1", 0)


@asynccontextmanager
async def listening(folder: Path, *, tls: bool = False) -> AsyncIterator[PortalServer]:
    config = configuration(folder)
    portal = replace(config.portal, listen=FREE, hosts=("localhost",) if tls else ())
    if tls:
        issued = trustme.CA()
        issued.cert_pem.write_to_path(folder / "ca.pem")
        certificate = issued.issue_cert("localhost", "127.0.0.1")
        certificate.private_key_pem.write_to_path(folder / "key.pem")
        certificate.cert_chain_pems[0].write_to_path(folder / "certificate.pem")
        certificate_file, key_file = folder / "certificate.pem", folder / "key.pem"
        portal = replace(portal, tls_certificate=certificate_file, tls_key=key_file)
    server = PortalServer(replace(config, portal=portal), folder / "nss.toml", FakeOperations())
    await server.start()
    try:
        yield server
    finally:
        await server.close()


def browser(server: PortalServer, folder: Path | None = None) -> httpx.AsyncClient:
    verify = True if folder is None else ssl.create_default_context(cafile=folder / "ca.pem")
    return httpx.AsyncClient(
        base_url=server.address, headers={"origin": server.address}, verify=verify
    )


async def test_a_link_is_the_whole_address(tmp_path: Path) -> None:
    async with listening(tmp_path) as server, browser(server) as client:
        link = httpx.URL(server.new("viewer"))
        answer = await client.post("/once", data={"t": link.params["t"]})
        page = await client.get("/")

    assert str(link).startswith(f"http://127.0.0.1:{server.bound_port}/once?t=")
    assert answer.status_code == 303
    assert "viewer" in page.text


async def test_over_tls_it_is_all_the_same_and_plain_http_is_not_answered(tmp_path: Path) -> None:
    add_user(tmp_path)
    async with listening(tmp_path, tls=True) as server, browser(server, tmp_path) as client:
        assert server.address == f"https://localhost:{server.bound_port}"
        assert (await sign_in(client)).status_code == 303
        assert (await client.get("/")).status_code == 200
        async with client.stream("GET", "/overview/live") as stream:
            async for chunk in stream.aiter_text():
                assert "hx-partial" in chunk
                break
        async with httpx.AsyncClient() as plain:
            with pytest.raises(httpx.TransportError):
                await plain.get(f"http://127.0.0.1:{server.bound_port}/sign-in")


async def test_a_peer_that_never_ends_its_handshake_is_closed(tmp_path: Path) -> None:
    async with listening(tmp_path, tls=True) as server:
        assert server.bound_port is not None
        reader, writer = await asyncio.open_connection("127.0.0.1", server.bound_port)
        async with asyncio.timeout(15):
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
        writer.close()


async def test_an_address_in_use_is_said(tmp_path: Path) -> None:
    config = configuration(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        portal = replace(config.portal, listen=Address("127.0.0.1", taken.getsockname()[1]))
        server = PortalServer(
            replace(config, portal=portal), tmp_path / "nss.toml", FakeOperations()
        )
        with pytest.raises(ServiceError, match="portal: can't listen: address already in use"):
            await server.start()
        await server.close()


async def test_a_certificate_that_can_not_be_used_is_said(tmp_path: Path) -> None:
    config = configuration(tmp_path)
    (tmp_path / "c.pem").write_text("no certificate")
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    portal = replace(config.portal, listen=FREE, tls_certificate=certificate, tls_key=key)
    server = PortalServer(replace(config, portal=portal), tmp_path / "nss.toml", FakeOperations())
    with pytest.raises(ServiceError, match=r"portal: TLS can.t be set up"):
        await server.start()
    await server.close()
