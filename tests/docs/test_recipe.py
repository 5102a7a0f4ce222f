"""The main recipe: followed against stand-ins, it brings a record to both places."""

import asyncio
import re
import shlex
import shutil
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme

from nss.lab import commands
from nss.lab.cloud import CloudLab
from nss.lab.ports import free_port
from nss.mcas.credentials import CredentialsStore, McasCredentials
from nss.secret import Secret
from tests.docs.test_cloud_nss import TOKEN, run

PAGE = Path(__file__).parent.parent.parent / "docs" / "cloud-nss-to-mcas.md"
START_SECS = 30

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed"),
]


@asynccontextmanager
async def siem(tls: ssl.SSLContext) -> AsyncIterator[tuple[int, "asyncio.Queue[bytes]"]]:
    """Listen for lines over TLS; yields the port and what comes."""
    lines: asyncio.Queue[bytes] = asyncio.Queue()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            lines.put_nowait(line)
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1], lines


def configuration(page: str, folder: Path, port: int, siem_port: int) -> Path:
    """Write the page's configuration, with addresses and authorities of the test."""
    found = re.search(r"```toml\n(.*?)```", page, re.DOTALL)
    assert found is not None
    text = found[1]
    for old, new in (
        ('":8443"', f'"127.0.0.1:{port}"'),
        ('"siem.example.com:6514"', f'"127.0.0.1:{siem_port}"'),
        ("tls = true", 'tls = true\ntls_ca = "authority.pem"'),
        ("[mcas]", '[mcas]\nca_file = "lab/ca.pem"'),
    ):
        assert text.count(old) == 1
        text = text.replace(old, new)
    text += '\n[service]\nstate_directory = "state"\ncontrol_socket = "control.sock"\n'
    path = folder / "nss.toml"
    path.write_text(f'{text}[spool]\npath = "spool.db"\n')
    return path


def sign_in(lab: CloudLab, folder: Path) -> None:
    """Store what the lab takes, as `nss configure-mcas2` does."""
    found = McasCredentials(
        method="secret",
        client_id=lab.client_id,
        client_secret=Secret(lab.client_secret),
        authentication_url=lab.authentication_url,
        api_url=lab.api_url,
    )
    CredentialsStore(folder, {}).save(found)


async def test_it_brings_a_record_to_mcas_and_to_the_siem(tmp_path: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    [push] = [block for block in blocks if "curl" in block]
    [look] = [block for block in blocks if "upload-now" in block]
    for name in ("lab", "state"):
        (tmp_path / name).mkdir(mode=0o700)
    authority, tls = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    issued = authority.issue_cert("nss.example.com")
    issued.private_key_pem.write_to_path(tmp_path / "server.key")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "server.pem")
    (tmp_path / "push.token").write_text(TOKEN)
    for name in ("server.key", "push.token"):
        (tmp_path / name).chmod(0o600)
    (tmp_path / "push.header").write_text(f"Authorization: Bearer {TOKEN}\n")
    port = free_port()
    (tmp_path / ".curlrc").write_text(
        f'connect-to = "nss.example.com:8443:127.0.0.1:{port}"\n'
        f'cacert = "{tmp_path / "authority.pem"}"\nnoproxy = "*"\n'
    )
    with CloudLab(tmp_path / "lab") as lab:
        sign_in(lab, tmp_path / "state")
        async with siem(tls) as (siem_port, lines):
            config = configuration(page, tmp_path, port, siem_port)
            service = await commands.start_service(config, tmp_path / "nss.log")
            try:
                await listening(port, tmp_path / "nss.log")
                assert await run(push, tmp_path) == '{"records":1}'
                line = await asyncio.wait_for(lines.get(), START_SECS)
                printed = await run(as_here(look, config), tmp_path)
            finally:
                await commands.kill(service)
        assert lab.parser.wait_idle()
        assert [user for user, _ in lab.discovery.top_users()] == ["ana@example.com"]
    assert b"ana@example.com" in line
    assert "feed upload: 1 record uploaded\n" in printed
    assert "ok    uploads: the feed uploads: upload\n" in printed
    assert "ok    service: it runs, with all feeds that upload\n" in printed


async def listening(port: int, log: Path) -> None:
    """Wait until somebody listens."""
    deadline = asyncio.get_running_loop().time() + START_SECS
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            assert asyncio.get_running_loop().time() < deadline, commands.end_of(log)
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return


def as_here(block: str, config: Path) -> str:
    """Return commands of the page for the configuration of the test, without sudo."""
    paths = f"PYTHONPATH={shlex.quote(commands.environ()['PYTHONPATH'])}"
    nss = f"{paths} {shlex.quote(sys.executable)} -P -m cli.main"
    lines = [line.removeprefix("sudo nss ") for line in block.splitlines()]
    return "\n".join(f"{nss} {line} --config {shlex.quote(str(config))}" for line in lines)
