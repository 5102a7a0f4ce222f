"""The page about Cloud NSS: its commands are run as they stand against its configuration."""

import asyncio
import dataclasses
import os
import re
import shutil
import ssl
from pathlib import Path

import pytest
import trustme

from nss.batch import Batch
from nss.config import load as configuration
from nss.config.sources import HttpSourceConfig
from nss.config.values import Address
from nss.sources.http.auth import Credentials
from nss.sources.http.source import HttpSource
from nss.telemetry.counters import Counter

PAGE = Path(__file__).parent.parent.parent / "docs" / "cloud-nss.md"
TOKEN = "a-token-of-the-page"  # noqa: S105 - of the test

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


def source_of(page: str, tls: ssl.SSLContext) -> HttpSource:
    """Return the source that the page configures, at a free port."""
    found = re.search(r"```toml\n(.*?)```", page, re.DOTALL)
    assert found is not None
    [settings] = configuration.parse(found[1], Path("/etc/nss")).sources
    assert isinstance(settings, HttpSourceConfig)
    listen = Address("127.0.0.1", 0)
    credentials = Credentials(token=TOKEN.encode(), basic=None, token_header=settings.token_header)
    settings = dataclasses.replace(settings, listen=listen)
    return HttpSource(settings, credentials=credentials, held_up=lambda: None, ssl_context=tls)


async def test_its_commands_do_what_it_says(tmp_path: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    steps = re.findall(r"```sh\n([^`]*?curl [^`]*?)```\n\n```text\n(.*?)\n```", page, re.DOTALL)
    assert len(steps) == page.count("curl --silent") == 5
    authority, tls = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("nss.example.com").configure_cert(tls)
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    accepted: list[Batch] = []

    async def accept(batch: Batch) -> None:
        accepted.append(batch)

    source = source_of(page, tls)
    running = asyncio.create_task(source.run(accept))
    await source.ready.wait()
    place = f"nss.example.com:8443:127.0.0.1:{source.bound_port}"
    (tmp_path / ".curlrc").write_text(
        f'connect-to = "{place}"\ncacert = "{tmp_path / "authority.pem"}"\nnoproxy = "*"\n'
    )
    (tmp_path / "push.header").write_text(f"Authorization: Bearer {TOKEN}\n")
    try:
        printed = [await run(commands, tmp_path) for commands, _ in steps]
    finally:
        await source.stop()
        await running
    assert printed == [text for _, text in steps]
    assert sum(batch.records for batch in accepted) == 4
    assert len(set(b"".join(batch.data for batch in accepted).splitlines())) == 1
    assert "a request refused with 415" in str(source.last_error)


def test_it_explains_every_answer() -> None:
    page = PAGE.read_text(encoding="utf-8")
    explained = {
        int(status)
        for row in re.findall(r"^\| ([0-9, ]+) \|", page, re.MULTILINE)
        for status in row.split(", ")
    }
    prefix = "source_requests_refused_"
    counted = {int(each.removeprefix(prefix)) for each in Counter if each.startswith(prefix)}
    assert explained == counted | {200}


async def run(commands: str, folder: Path) -> str:
    """Run commands of the page; return what they print."""
    shell = await asyncio.create_subprocess_exec(
        "/bin/sh",
        "-eu",
        "-c",
        commands,
        cwd=folder,
        env={"HOME": str(folder), "PATH": os.environ["PATH"]},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, errors = await shell.communicate()
    assert (shell.returncode, errors) == (0, b"")
    return printed.decode()
