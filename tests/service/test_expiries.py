"""A service whose certificates and secrets come to their ends: log, status, restarts."""

import asyncio
import signal
import ssl
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from nss.admin.control.client import ControlClient
from nss.expiry import DAY_SECS
from nss.lab.generator import RecordGenerator
from nss.mcas.credentials import CredentialsStore, McasCredentials
from nss.secret import Secret
from nss.status.summary import ExpiryStatus, Status
from tests.service.conftest import Bench, Running, file_feed

pytestmark = pytest.mark.long

AUTHORITY = trustme.CA()
WARNED = "credential_expires"


def certificate(path: Path, days: float) -> float:
    """Write a certificate and its key that end in so many days; return when."""
    ends_at = datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)
    issued = AUTHORITY.issue_cert(
        "localhost", not_before=ends_at - timedelta(days=90), not_after=ends_at
    )
    path.write_bytes(issued.private_key_and_cert_chain_pem.bytes())
    path.chmod(0o600)
    return ends_at.timestamp()


class Watched:
    """A service with a control socket and a state folder."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.folder = bench.folder
        self.state = self.folder / "state"
        self.state.mkdir(exist_ok=True)

    async def start(self, *sections: str) -> Running:
        service = (
            '[service]\ncontrol_socket = "control.sock"\nlog_format = "json"\n'
            f'state_directory = "{self.state}"\n[spool]\nkind = "memory"\n'
        )
        self.bench.config.write_text("\n".join([service, *sections]))
        self.bench.started.append(await Running.start(self.bench.config))
        await self.bench.started[-1].reported("service_started")
        return self.bench.started[-1]

    async def status(self, fits: Callable[[Status], bool] = lambda _status: True) -> Status:
        """Return the status as soon as it fits."""

        def ask() -> Status:
            client = ControlClient(self.folder / "control.sock")
            try:
                return client.status()
            finally:
                client.close()

        async with asyncio.timeout(20):
            while True:
                status = await asyncio.to_thread(ask)
                if fits(status):
                    return status
                await asyncio.sleep(0.05)

    def warnings(self) -> list[tuple[object, object]]:
        """Return component and days of the warnings in the log of the last process."""
        events = self.bench.started[-1].events
        return [(each["component"], each["days"]) for each in events if each["event"] == WARNED]


@pytest.fixture
def watched(bench: Bench) -> Watched:
    return Watched(bench)


TLS_SOURCE = """\
[sources.web]
kind = "tcp"
listen = "127.0.0.1:0"
tls_certificate = "web.pem"
tls_key = "web.pem"
"""


async def stop(running: Running) -> None:
    running.send_signal(signal.SIGTERM)
    assert await running.ended() == 0


async def test_a_listeners_certificate_is_watched_renewed_and_warned_of_once(
    watched: Watched,
) -> None:
    path = watched.folder / "web.pem"
    ends_at = certificate(path, 5.5)
    running = await watched.start(TLS_SOURCE, file_feed("out"))
    await running.reported(WARNED, component="source web", days=5)
    status = await watched.status()
    assert status.expiries == (
        ExpiryStatus(
            component="source web",
            credential="server_certificate",
            place=str(path),
            ends_at=ends_at,
            days=5,
        ),
    )
    assert not status.health.ok
    assert "expires in 5 days" in status.health.reasons[0].why
    await stop(running)

    running = await watched.start(TLS_SOURCE, file_feed("out"))
    assert not (await watched.status()).health.ok
    renewed = certificate(path, 20.5)
    assert (await watched.status()).expiries[0].ends_at == ends_at, "it is still shown"
    running.send_signal(signal.SIGHUP)
    await running.reported("configuration_reloaded")
    status = await watched.status()
    assert (status.health.ok, status.expiries[0].ends_at) == (True, renewed)
    await running.reported(WARNED, days=20)
    assert watched.warnings() == [("source web", 20)], "the restart repeated nothing"
    await stop(running)


async def test_the_certificate_of_the_portal_is_watched_and_its_reach_is_reported(
    watched: Watched,
) -> None:
    path = watched.folder / "portal.pem"
    ends_at = certificate(path, 5.5)
    tls = 'tls_certificate = "portal.pem"\ntls_key = "portal.pem"\n'
    portal = f'[portal]\nlisten = ":0"\nhosts = ["nss1.example.com"]\n{tls}'
    running = await watched.start('[sources.web]\nkind = "stdin"\n', file_feed("out"), portal)
    status = await watched.status()
    assert [(expiry.credential, expiry.ends_at) for expiry in status.expiries] == [
        ("portal_certificate", ends_at)
    ]
    assert "sudo nss restart" in status.health.reasons[0].remedy
    found = [event for event in running.events if event["event"] == "portal_open"]
    assert [event["listen"] for event in found] == [":0"]
    await stop(running)
    assert watched.warnings() == [("portal", 5)]


TLS_FEED = """\
[feeds.siem]
format = "QRADAR"
[feeds.siem.sink]
kind = "syslog_tcp"
destinations = ["localhost:{port}"]
tls = true
tls_ca = "ca.pem"
tls_certificate = "own.pem"
tls_key = "own.pem"
"""


async def test_a_collectors_certificate_is_known_from_its_handshake(watched: Watched) -> None:
    folder = watched.folder
    AUTHORITY.cert_pem.write_to_path(folder / "ca.pem")
    shown, own = certificate(folder / "siem.pem", 10.5), certificate(folder / "own.pem", 60.5)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "siem.pem")
    lines = asyncio.Queue[bytes]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            lines.put_nowait(line)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    feed = TLS_FEED.format(port=server.sockets[0].getsockname()[1])
    running = await watched.start('[sources.web]\nkind = "stdin"\n', feed)
    assert [expiry.credential for expiry in (await watched.status()).expiries] == [
        "client_certificate"
    ]
    running.stdin.write(RecordGenerator(1).batch(1))
    try:
        await asyncio.wait_for(lines.get(), 10)
    except TimeoutError:
        raise AssertionError(running.raw_log.decode()) from None
    status = await watched.status(lambda status: len(status.expiries) == 2)
    collector, client = status.expiries
    assert (collector.component, collector.credential) == ("feed siem", "collector")
    assert (collector.ends_at, collector.place) == (shown, feed.split('"')[5])
    assert collector.seen_at is not None
    assert (client.credential, client.ends_at, client.seen_at) == (
        "client_certificate",
        own,
        None,
    )
    assert status.health.ok
    assert any("expires in 10 days" in reason.why for reason in status.health.reasons)
    await running.reported(WARNED, component="feed siem", days=10)
    await stop(running)
    server.close()
    await server.wait_closed()


UPLOADS = """\
[mcas]
requests_per_minute = 2
[sources.web]
kind = "tcp"
listen = "127.0.0.1:0"
[feeds.one]
format = "MCAS"
[feeds.one.sink]
kind = "cloud_discovery"
[feeds.two]
format = "MCAS"
[feeds.two.sink]
kind = "cloud_discovery"
"""


def stored(folder: Path, ends: date | None) -> McasCredentials:
    found = McasCredentials(
        method="secret",
        client_id="11111111-2222-3333-4444-555555555555",
        client_secret=Secret("Abc8Q~aBcDeFgHiJkLmNoPqRsTuVwXyZ01234567"),
        client_secret_expires=ends,
        authentication_url="https://localhost:9/contoso.example/oauth2/v2.0/token",
        api_url="https://localhost:9",
    )
    CredentialsStore(folder, {}).save(found)
    return found


async def test_the_secret_of_uploads_is_watched_once_for_all_feeds(watched: Watched) -> None:
    today = datetime.now(UTC).date()
    stored(watched.state, today + timedelta(days=3))
    running = await watched.start(UPLOADS)
    await running.reported(WARNED, component="MCAS")
    status = await watched.status()
    assert [(each.credential, each.days) for each in status.expiries] == [("client_secret", 3)]
    assert not status.health.ok
    stored(watched.state, today + timedelta(days=300))
    status = await watched.status(lambda status: status.health.ok)
    assert [each.days for each in status.expiries] == [300]
    stored(watched.state, None)
    await watched.status(lambda status: not status.expiries)
    assert watched.warnings() == [("MCAS", 3)]
    await stop(running)


async def test_a_secret_that_has_expired_is_named_before_anybody_signs_in(
    watched: Watched,
) -> None:
    stored(watched.state, datetime.now(UTC).date() - timedelta(days=2))
    running = await watched.start(UPLOADS)
    status = await watched.status(lambda status: bool(status.expiries))
    assert not status.health.ok
    (reason,) = [each for each in status.health.reasons if each.degrades]
    assert reason.component == "MCAS"
    assert reason.why.startswith("the Client Secret has expired: its last day was ")
    assert reason.since == status.expiries[0].ends_at
    assert status.at - status.expiries[0].ends_at < 2 * DAY_SECS
    await stop(running)
