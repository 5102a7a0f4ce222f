"""Breakages where records go: collectors, names, certificates, proxies, Entra, MCAS and ZIA."""

import asyncio
import contextlib
import re
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
import trustme

from formats.lines import Lines
from nss.batch import Account
from nss.https.network import Network
from nss.lab.cloud import CloudLab, Fault
from nss.lab.ports import free_port
from nss.mcas.credentials import CredentialsStore, McasCredentials
from nss.secret import Secret
from nss.sinks import RetryAfter, Sink
from nss.status.readings import FeedReading, ServiceReading, SpoolReading
from nss.status.summary import Status
from nss.status.sync_readings import SyncReading, SyncRun
from nss.status.watch import Watch
from nss.zia import ZiaError
from nss.zia.http import ask
from tests.breakages.conftest import GOLDEN, WAIT_SECS, Breakages, incomplete, told
from tests.faults.conftest import sink, web
from tests.https.proxies import refusing_proxy
from tests.parts import udp_sink
from tests.service.test_upload import UPLOAD, records

pytestmark = pytest.mark.long

RECORDS = 4
PLACE = {
    r"127\.0\.0\.1:\d+": "siem.example.com:514",
    r"127\.0\.0\.1": "siem.example.com",
    r"port \d+\)": "port 514)",
}


class Places:
    """Collectors of many kinds of trouble, each at a port of its own; ended by `close`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._servers: list[asyncio.Server] = []
        self._sockets: list[socket.socket] = []

    async def tls(self, name: str, *, ended: bool = False) -> tuple[int, str]:
        """Return the port of a collector with a certificate, and the file of its authority."""
        authority = trustme.CA()
        now = datetime.now(UTC)
        end = now + timedelta(days=-2 if ended else 2)
        leaf = authority.issue_cert(name, not_before=now - timedelta(days=9), not_after=end)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        leaf.configure_cert(context)
        ca = self.folder / f"ca-{len(self._servers)}.pem"
        authority.cert_pem.write_to_path(ca)
        return await self._listen(_Silent, context), ca.name

    async def hanging_up(self) -> int:
        """Return the port of a collector that resets every connection once it says something."""
        return await self._listen(_Resetting)

    async def without_tls(self) -> int:
        """Return the port of a collector that greets in plain text."""
        return await self._listen(_Greeting)

    async def _listen(
        self, serve: "type[asyncio.Protocol]", context: ssl.SSLContext | None = None
    ) -> int:
        server = await asyncio.get_running_loop().create_server(serve, "127.0.0.1", 0, ssl=context)
        self._servers.append(server)
        port: int = server.sockets[0].getsockname()[1]
        return port

    def full(self) -> int:
        """Return a port where nobody answers: what listens there takes no connection more."""
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        self._sockets += [listener, socket.create_connection(address)]
        port: int = address[1]
        return port

    def deaf(self) -> int:
        """Return the port of a collector that is connected and reads nothing."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        self._sockets.append(listener)
        port: int = listener.getsockname()[1]
        return port

    async def close(self) -> None:
        """End all of them."""
        for each in self._sockets:
            each.close()
        for server in self._servers:
            server.close()
            await server.wait_closed()


class _Silent(asyncio.Protocol):
    """Takes what comes."""


class _Resetting(asyncio.Protocol):
    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, _data: bytes) -> None:
        connected = self.transport.get_extra_info("socket")
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


class _Greeting(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).write(b"220 mail.example.com ESMTP\r\n")


@pytest.fixture
async def places(tmp_path: Path) -> AsyncIterator[Places]:
    made = Places(tmp_path)
    yield made
    await made.close()


def golden(name: str) -> str:
    """Return what a golden file has."""
    return (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")


def part_of(status: Status, component: str) -> Status:
    """Return a status with the reasons of one part only."""
    reasons = tuple(each for each in status.health.reasons if each.component == component)
    return replace(status, health=replace(status.health, reasons=reasons))


async def shows(
    breakages: Breakages, component: str, name: str, places: Mapping[str, str] | None = None
) -> None:
    """Wait until the status says of a part what `golden/NAME.txt` has, as does `nss status`."""
    expected = golden(name)
    plain = PLACE if places is None else places

    def said(status: Status) -> str:
        text = breakages.normalised(part_of(status, component), plain)
        feed = component.removeprefix("feed ")
        shown = "mcas" if feed == "mcas" else "siem"
        return text.replace(component, f"feed {shown}").replace(f"feeds.{feed}.", f"feeds.{shown}.")

    status = await breakages.status()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(WAIT_SECS):
            while said(status) != expected:
                await asyncio.sleep(0.03)
                status = await breakages.status()
    assert said(status) == expected
    for reason in part_of(status, component).health.reasons:
        assert incomplete(reason) == []


def tcp(name: str, port: int, *more: str, host: str = "127.0.0.1") -> str:
    """Return the sections of a feed to a TCP port."""
    quick = ("stall_secs = 0.4", "connect_secs = 0.4")
    return sink("syslog_tcp", f'destinations = ["{host}:{port}"]', *quick, *more, name=name)


async def test_collectors_that_take_nothing(breakages: Breakages, places: Places) -> None:
    expired, its_ca = await places.tls("127.0.0.1", ended=True)
    misnamed, other_ca = await places.tls("old-siem.example.com")
    unknown, _ = await places.tls("127.0.0.1")
    (breakages.folder / "web.log").write_bytes(records(RECORDS))
    await breakages.start(
        web(),
        tcp("closed", free_port()),
        tcp("full", places.full()),
        tcp("cut", await places.hanging_up(), "tls = true"),
        tcp("plain", await places.without_tls(), "tls = true"),
        tcp("expired", expired, "tls = true", f'tls_ca = "{its_ca}"'),
        tcp("misnamed", misnamed, "tls = true", f'tls_ca = "{other_ca}"'),
        tcp("unknown", unknown, "tls = true"),
    )

    await shows(breakages, "feed closed", "collector-down-tcp")
    await shows(breakages, "feed full", "collector-silent")
    await shows(breakages, "feed cut", "collector-hangs-up")
    await shows(breakages, "feed plain", "collector-without-tls")
    await shows(breakages, "feed expired", "collector-certificate-expired")
    await shows(breakages, "feed misnamed", "collector-certificate-name")
    await shows(breakages, "feed unknown", "collector-certificate-unknown")
    exit_code, text = await breakages.command("status")
    words = " ".join(text.split())
    assert exit_code == 1
    for said in ("nothing listens at 127.0.0.1:", "has expired", "does not speak TLS"):
        assert said in words


async def test_a_collector_goes_away_that_got_datagrams(breakages: Breakages) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as collector:
        collector.bind(("127.0.0.1", 0))
        udp = f'destinations = ["127.0.0.1:{collector.getsockname()[1]}"]'
        (breakages.folder / "web.log").write_bytes(records(RECORDS))
        await breakages.start(web(), sink("syslog_udp", udp, name="siem"))
        await breakages.until(lambda now: now.feeds[0].delivered == RECORDS)
    with (breakages.folder / "web.log").open("ab") as log:
        log.write(records(RECORDS))

    await shows(breakages, "feed siem", "collector-down-udp")


async def test_a_collector_that_reads_nothing(breakages: Breakages, places: Places) -> None:
    (breakages.folder / "web.log").write_bytes(records(12_000))
    await breakages.start(web(), tcp("siem", places.deaf()))

    numbers = {r"[\d,]+ records": "4 records", "accepted nothing": "confirmed nothing"}
    await shows(breakages, "feed siem", "collector-reads-nothing", PLACE | numbers)


async def test_udp_to_silence_is_no_news_and_is_never_called_delivered(
    breakages: Breakages,
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        (breakages.folder / "web.log").write_bytes(records(RECORDS))
        udp = f'destinations = ["127.0.0.1:{deaf.getsockname()[1]}"]'
        await breakages.start(web(), sink("syslog_udp", udp))
        status = await breakages.until(lambda now: now.feeds[0].delivered == RECORDS)

    assert (status.health.reasons, status.feeds[0].confirmation) == ((), "sent")


async def test_one_of_two_collectors_is_down(breakages: Breakages) -> None:
    closed = free_port()
    with socket.create_server(("127.0.0.1", 0)) as other:
        second = other.getsockname()[1]
        (breakages.folder / "web.log").write_bytes(records(RECORDS))
        both = f'destinations = ["127.0.0.1:{closed}", "127.0.0.1:{second}"]'
        await breakages.start(web(), sink("syslog_tcp", both, name="siem"))
        names = {f"127.0.0.1:{second}": "backup.example.com:514"}
        await shows(breakages, "feed siem", "collector-failed-over", names | PLACE)


# Names.


def reasons_of(destination: Sink, pending: int, next_try_at: float | None) -> str:
    """Return what the health says of a feed whose sink is so, DNS servers in plain words."""
    reading = FeedReading(
        name="siem",
        kind="syslog_udp",
        destination=destination.destination,
        account=Account(),
        accepted=pending,
        pending=pending,
        lag_secs=0.0,
        handed_over=0,
        patience_secs=0.0,
        sending=False,
        last_error=destination.last_error,
        advice=destination.advice,
        next_try_at=next_try_at,
        remedy=destination.remedy,
    )
    spool = SpoolReading(
        durable=True, used_bytes=0, max_bytes=1, full=False, last_error=None, kept_rejects=0
    )
    status = Watch("nss.toml").status(ServiceReading((), (reading,), spool))
    for reason in status.health.reasons:
        assert incomplete(reason) == []
    text = "".join(map(told, status.health.reasons)).replace("feeds.feed.", "feeds.siem.")
    return re.sub(r"(a )?resolver [^;)]*?(?=\)| can be)", "resolver 10.0.0.53", text)


class Names:
    """A resolver whose answers a test changes."""

    def __init__(self) -> None:
        self.fault: int | None = None

    async def __call__(self, _host: str, _port: int) -> Sequence[str]:
        if self.fault is None:
            return ["127.0.0.1"]
        words = {
            socket.EAI_NONAME: "Name or service not known",
            socket.EAI_AGAIN: "Temporary failure in name resolution",
        }
        raise socket.gaierror(self.fault, words[self.fault])


@pytest.mark.parametrize(
    ("fault", "name"),
    [(socket.EAI_NONAME, "name-unknown"), (socket.EAI_AGAIN, "dns-silent")],
)
async def test_dns_is_gone_from_the_start(fault: int, name: str) -> None:
    names = Names()
    names.fault = fault
    destination = udp_sink([("siem.example.com", 514)], resolve=names)
    await destination.open()
    outcome = await destination.send(Lines.of([b"line"] * RECORDS))
    said = reasons_of(destination, RECORDS, 1.0)
    await destination.close()

    assert isinstance(outcome, RetryAfter)
    assert said == golden(name)


async def test_dns_goes_while_lines_are_sent() -> None:
    names, now = Names(), [0.0]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as collector:
        collector.bind(("127.0.0.1", 0))
        port = collector.getsockname()[1]
        destination = udp_sink(
            [("siem.example.com", port)], resolve=names, clock=lambda: now[0], resolve_secs=300.0
        )
        await destination.open()
        await destination.send(Lines.of([b"line"]))
        names.fault = socket.EAI_AGAIN
        now[0] = 301.0
        await destination.send(Lines.of([b"line"]))
        async with asyncio.timeout(WAIT_SECS):
            while destination.advice is None:  # noqa: ASYNC110 - a lookup in the background
                await asyncio.sleep(0.01)
        said = reasons_of(destination, 0, None)
        await destination.close()

    said = said.replace(f":{port} at 127.0.0.1", ":514 at 192.0.2.7")
    assert said == golden("dns-gone-while-running")


# Entra, MCAS and the proxy on the way.


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[CloudLab]:
    (tmp_path / "lab").mkdir()
    with CloudLab(tmp_path / "lab", requests_per_minute=10_000) as made:
        yield made


class Uploading:
    """A service that uploads to the lab, whose proxy can be changed."""

    def __init__(self, breakages: Breakages, lab: CloudLab) -> None:
        self.breakages = breakages
        self.lab = lab
        CredentialsStore(breakages.folder, {}).save(
            McasCredentials(
                method="secret",
                client_id=lab.client_id,
                client_secret=Secret(lab.client_secret),
                authentication_url=lab.authentication_url,
                api_url=lab.api_url,
            )
        )
        (breakages.folder / "web.log").write_bytes(records(RECORDS))

    def write(self, proxy: str | None) -> None:
        """Write the configuration."""
        through = "" if proxy is None else f'proxy = "{proxy}"\n'
        mcas = f'[mcas]\nca_file = "{self.lab.ca_file}"\nrequests_per_minute = 1000\n{through}'
        upload = UPLOAD.format(records=100_000, secs=1).replace("feeds.up", "feeds.mcas")
        self.breakages.write(mcas, web(), upload)
        text = self.breakages.config.read_text()
        state = '[service]\nstate_directory = "."'
        self.breakages.config.write_text(text.replace("[service]", state, 1))

    async def start(self, proxy: str | None = None) -> None:
        """Start the service."""
        self.write(proxy)
        await (await self.breakages.run()).reported("service_started")

    async def reload(self, proxy: str) -> None:
        """Have the running service use another proxy."""
        self.write(proxy)
        assert (await self.breakages.command("reload"))[0] == 0

    async def shows(self, name: str, places: Mapping[str, str] | None = None) -> None:
        """See `shows`."""
        plain = {
            f"(https://)?{re.escape(url.removeprefix('https://'))}": plainly
            for url, plainly in (
                (self.lab.entra_url, "login.microsoftonline.com"),
                (self.lab.api_url, "https://contoso.us3.portal.cloudappsecurity.com"),
            )
        }
        await shows(self.breakages, "feed mcas", name, {**(places or {}), **plain})


@pytest.fixture
def uploading(breakages: Breakages, lab: CloudLab) -> Uploading:
    return Uploading(breakages, lab)


async def test_the_client_secret_has_expired(uploading: Uploading, lab: CloudLab) -> None:
    lab.entra.refuse("AADSTS7000222")
    await uploading.start()
    await uploading.shows("client-secret-expired")


async def test_mcas_answers_that_it_is_not_permitted(uploading: Uploading, lab: CloudLab) -> None:
    lab.faults.add(Fault("mcas", "upload_url", "status", 403, times=None))
    await uploading.start()
    await uploading.shows("mcas-not-permitted")


def proxy_at(place: str) -> dict[str, str]:
    """Return how the texts of golden files call a proxy."""
    host, _, port = place.rpartition(":")
    return {
        re.escape(place): "proxy.example.com:3128",
        rf"{re.escape(host)} \(TCP port {port}\)": "proxy.example.com (TCP port 3128)",
        rf"[a-z]+ {re.escape(host)}(?=[ ;]|$)": "name proxy.example.com",
    }


async def test_proxies_that_do_not_work(uploading: Uploading) -> None:
    place = f"127.0.0.1:{free_port()}"
    await uploading.start(f"http://{place}")
    await uploading.shows("proxy-down", proxy_at(place))
    for status, name in (
        ("407 Proxy Authentication Required", "proxy-wants-password"),
        ("502 Bad Gateway", "proxy-does-not-reach"),
        ("503 Service Unavailable", "proxy-overloaded"),
    ):
        async with refusing_proxy(status, "") as (_, network):
            refusing = str(network.proxy_place)
            await uploading.reload(f"http://{refusing}")
            await uploading.shows(name, proxy_at(refusing))


async def test_zia_is_behind_a_dead_proxy() -> None:
    place = f"127.0.0.1:{free_port()}"
    network = Network(proxy=Secret(f"http://{place}"), timeout_secs=5)
    async with network.client() as client:
        with pytest.raises(ZiaError) as caught:
            await ask(client, "GET", "https://zsapi.zscaler.net/api/v1/status", {}, place)
    run = SyncRun(
        outcome="failed",
        target="zia",
        destination="URL category MS Defender Unsanctioned Apps",
        at=1.0,
        secs=1.0,
        error=str(caught.value.args[0]),
        tip=caught.value.tip,
    )
    reading = SyncReading(
        target=run.target,
        destination=run.destination,
        ready=True,
        running=False,
        last=run,
        last_success_at=None,
        urls=None,
        failures=3,
        failing_since=1.0,
        next_at=2.0,
        patience_secs=21_600.0,
        last_error=None,
    )
    spool = SpoolReading(
        durable=True, used_bytes=0, max_bytes=1, full=False, last_error=None, kept_rejects=0
    )
    status = Watch("nss.toml").status(ServiceReading((), (), spool, sync=reading))
    text = "".join(map(told, status.health.reasons))
    for pattern, plain in proxy_at(place).items():
        text = re.sub(pattern, plain, text)
    assert text == golden("zia-proxy-down")
