"""The upload sink, msal and httpx against the lab: every fault at every step."""

import asyncio
import gzip
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from formats.lines import Lines
from nss.config.model import McasConfig
from nss.config.sinks import CloudDiscoverySinkConfig
from nss.https.limiter import Limiter
from nss.https.network import Network
from nss.lab.cloud import CloudLab, Fault
from nss.mcas.credentials import CredentialsStore, McasCredentials
from nss.mcas.session import McasSession
from nss.secret import Secret
from nss.sinks import Delivered, RetryAfter
from nss.sinks.backoff import Backoff
from nss.sinks.cloud_discovery.sink import CloudDiscoverySink

STEPS = {
    "sign-in": ("entra", "token"),
    "initiate": ("mcas", "upload_url"),
    "put": ("blob", "put"),
    "finalize": ("mcas", "done_upload"),
}
FAULTS = {
    "500": Fault("mcas", kind="status", status=500),
    "502": Fault("mcas", kind="status", status=502),
    "503": Fault("mcas", kind="status", status=503),
    "504": Fault("mcas", kind="status", status=504),
    "reset": Fault("mcas", kind="reset"),
    "done, then reset": Fault("mcas", kind="after"),
    "truncated": Fault("mcas", kind="truncated"),
    "web page": Fault("mcas", kind="html"),
    "hang": Fault("mcas", kind="hang", secs=1.0),
    "slow": Fault("mcas", kind="latency", secs=0.2),
    "429": Fault("mcas", kind="status", status=429, retry_after="0"),
    "429 in seconds": Fault("mcas", kind="status", status=429, retry_after="0s"),
}


NOW = f"{datetime.now(UTC):%b %d %Y %H:%M:%S}"


class Quick(Limiter):
    """Lets everything pass, and never holds: the times are tested elsewhere."""

    def hold(self, secs: float) -> None:
        pass


class Bench:
    """A sink with all that is behind it."""

    def __init__(self, lab: CloudLab, folder: Path) -> None:
        self.lab = lab
        self.folder = folder
        self.store = CredentialsStore(folder, {})
        self.credentials = McasCredentials(
            method="secret",
            client_id=lab.client_id,
            client_secret=Secret(lab.client_secret),
            authentication_url=lab.authentication_url,
            api_url=lab.api_url,
        )
        self.store.save(self.credentials)
        self.token_api_url: str | None = None
        self.gzip = False
        self.single_put_bytes: int | None = None

    def session(self) -> McasSession:
        network = Network(ca_file=self.lab.ca_file, timeout_secs=5)
        return McasSession(self.store, network, Quick(10_000), token_api_url=self.token_api_url)

    async def sink(self, session: McasSession) -> CloudDiscoverySink:
        settings = CloudDiscoverySinkConfig(
            max_records=1000, max_bytes=10_000_000, max_secs=60, gzip=self.gzip
        )
        sink = CloudDiscoverySink(
            "up", settings, McasConfig(), session, self.folder, backoff=Backoff(lambda: 0.9)
        )
        await sink.open()
        return sink

    def finalized(self) -> Counter[bytes]:
        """How often each line is in the uploads that were finalized."""
        found: Counter[bytes] = Counter()
        for upload in self.lab.mcas.uploads:
            data = upload.path.read_bytes()
            found.update((gzip.decompress(data) if upload.gzip else data).splitlines())
        return found


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[CloudLab]:
    folder = tmp_path / "lab"
    folder.mkdir()
    with CloudLab(folder, requests_per_minute=10_000) as lab:
        yield lab


@pytest.fixture
def bench(lab: CloudLab, tmp_path: Path) -> Bench:
    folder = tmp_path / "state"
    folder.mkdir()
    return Bench(lab, folder)


def lines(count: int, start: int = 0) -> list[bytes]:
    return [
        (
            f"LEEF:1.0|Zscaler|NSS|4.1|{number}|cat=Allowed\tdevTime={NOW} GMT\tusrName=u\t"
            f"appname=Box\tsrcBytes=1\tdstBytes=2\tsrc=10.0.0.1\tdst=192.0.2.1\turl=box.com"
        ).encode()
        for number in range(start, start + count)
    ]


def noise(count: int) -> list[bytes]:
    """Return lines that can't be compressed: a file of several pieces also as gzip."""
    return [line + b"\tua=" + os.urandom(100).hex().encode() for line in lines(count)]


async def upload(sink: CloudDiscoverySink, sequence: int, batch: list[bytes]) -> list[str]:
    """Collect and flush until it is delivered; return the reasons why it was not at once."""
    sink.begin(sequence, 0.5)
    await sink.send(Lines.of(batch))
    reasons: list[str] = []
    for _ in range(10):
        outcome = await sink.flush()
        if isinstance(outcome, Delivered):
            return reasons
        reasons.append(outcome.reason)
        await asyncio.sleep(outcome.delay_secs)
    raise AssertionError(reasons)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("step", STEPS)
async def test_every_record_is_in_one_upload_whatever_fails_once(
    bench: Bench, step: str, fault: str
) -> None:
    server, path = STEPS[step]
    bench.lab.faults.add(replace(FAULTS[fault], server=server, path=path))  # type: ignore[arg-type]
    batch = lines(100)
    session = bench.session()
    sink = await bench.sink(session)
    await upload(sink, 1, batch)
    await upload(sink, 2, more := lines(50, 100))
    await sink.close()
    await session.close()
    assert bench.lab.faults.active == []
    assert bench.finalized() == Counter(batch + more)
    assert bench.lab.complaints == []


@pytest.mark.parametrize("fault", ["500", "reset", "done, then reset", "truncated"])
@pytest.mark.parametrize("step", ["initiate", "put", "finalize"])
async def test_every_record_is_in_one_upload_though_the_process_ends_at_the_fault(
    bench: Bench, step: str, fault: str
) -> None:
    server, path = STEPS[step]
    bench.lab.faults.add(replace(FAULTS[fault], server=server, path=path))  # type: ignore[arg-type]
    session = bench.session()
    killed = await bench.sink(session)
    killed.begin(1, 0.5)
    await killed.send(Lines.of(batch := lines(100)))
    assert isinstance(await killed.flush(), RetryAfter)
    await killed.close()
    sink = await bench.sink(session)
    assert await sink.flush() == Delivered()
    await upload(sink, 1, batch)
    await sink.close()
    await session.close()
    assert bench.finalized() == Counter(batch)


@pytest.mark.parametrize("fault", ["reset", "done, then reset", "truncated", "500"])
async def test_a_compressed_file_whose_put_broke_off_is_put_again_from_its_start(
    bench: Bench, fault: str
) -> None:
    bench.gzip = True
    bench.lab.faults.add(replace(FAULTS[fault], server="blob", path="put"))
    session = bench.session()
    sink = await bench.sink(session)
    await upload(sink, 1, batch := noise(3000))
    await sink.close()
    await session.close()
    assert bench.lab.faults.active == []
    assert bench.finalized() == Counter(batch)


async def test_a_repeat_that_the_service_refuses_is_the_only_way_to_doubles(bench: Bench) -> None:
    bench.lab.mcas.repeat = "refused"
    bench.lab.faults.add(Fault("mcas", "done_upload", "after"))
    session = bench.session()
    sink = await bench.sink(session)
    await upload(sink, 1, batch := lines(100))
    await sink.close()
    await session.close()
    assert bench.finalized() == Counter(batch * 2)


async def test_an_expired_upload_url_is_replaced(bench: Bench) -> None:
    bench.lab.faults.add(Fault("blob", "put", "reset"))
    session = bench.session()
    sink = await bench.sink(session)
    sink.begin(1, 0.5)
    await sink.send(Lines.of(batch := lines(100)))
    await sink.flush()
    bench.lab.blobs.expire()
    reasons = await upload(sink, 2, more := lines(10, 100))
    await sink.flush()
    await sink.close()
    await session.close()
    assert reasons == []
    assert bench.finalized() == Counter(batch + more)


async def test_a_token_that_was_revoked_is_renewed_once(bench: Bench) -> None:
    session = bench.session()
    sink = await bench.sink(session)
    await upload(sink, 1, lines(10))
    bench.lab.entra.tokens.revoke()
    reasons = await upload(sink, 2, lines(10, 10))
    await sink.close()
    await session.close()
    assert reasons == []
    assert bench.finalized() == Counter(lines(20))


async def test_new_credentials_are_taken_without_a_restart(bench: Bench) -> None:
    session = bench.session()
    sink = await bench.sink(session)
    await upload(sink, 1, lines(10))
    bench.lab.entra.revoke_secret()
    sink.begin(2, 0.5)
    await sink.send(Lines.of(lines(10, 10)))
    outcome = await sink.flush()
    renewed = replace(bench.credentials, client_secret=Secret(bench.lab.client_secret))
    bench.store.save(renewed)
    after = await sink.flush()
    await sink.close()
    await session.close()
    assert isinstance(outcome, RetryAfter)
    assert "AADSTS7000215" in outcome.reason
    assert after == Delivered()
    assert bench.finalized() == Counter(lines(20))


async def test_without_credentials_it_waits_for_them(bench: Bench) -> None:
    bench.store.clear()
    session = bench.session()
    sink = await bench.sink(session)
    sink.begin(1, 0.5)
    await sink.send(Lines.of(lines(10)))
    before = await sink.flush()
    bench.store.save(bench.credentials)
    after = await sink.flush()
    await sink.close()
    await session.close()
    assert isinstance(before, RetryAfter)
    assert before.reason == (
        "upload stopped: there are no credentials for MCAS. Try: run: sudo nss configure-mcas2"
    )
    assert after == Delivered()


async def test_a_legacy_token_still_uploads(bench: Bench) -> None:
    bench.store.clear()
    bench.store.token_path.write_text(bench.lab.legacy_token + "\n")
    bench.store.token_path.chmod(0o600)
    bench.token_api_url = bench.lab.api_url
    session = bench.session()
    sink = await bench.sink(session)
    reasons = await upload(sink, 1, batch := lines(10))
    advice = sink.advice
    await sink.close()
    await session.close()
    assert reasons == []
    assert bench.finalized() == Counter(batch)
    assert advice is not None


async def test_gzip_is_what_the_service_reads(bench: Bench) -> None:
    bench.gzip = True
    session = bench.session()
    sink = await bench.sink(session)
    await upload(sink, 1, batch := lines(500))
    await sink.close()
    await session.close()
    (found,) = bench.lab.mcas.uploads
    assert found.gzip
    assert found.size_bytes < sum(map(len, batch)) / 5
    assert bench.finalized() == Counter(batch)
    assert bench.lab.parser.wait_parsed(500, 10)
    assert bench.lab.parser.records == 500


async def test_a_large_file_goes_up_in_blocks(bench: Bench) -> None:
    session = bench.session()
    api = await session.api()
    data = b"".join(line + b"\n" for line in lines(20_000))
    path = bench.folder / "large"
    path.write_bytes(data)
    where = await api.initiate("large.log", "ZSCALER_QRADAR_SYSLOG")
    with path.open("rb") as file:
        await api.put(where, file, len(data), single_put_bytes=1 << 20, block_bytes=1 << 20)
    await api.finalize(where, "NSS")
    await session.close()
    assert [upload.path.read_bytes() == data for upload in bench.lab.mcas.uploads] == [True]
    assert bench.lab.complaints == []


async def test_an_unknown_data_source_is_reported_and_not_dropped(bench: Bench) -> None:
    bench.lab.mcas.data_sources.clear()
    session = bench.session()
    sink = await bench.sink(session)
    sink.begin(1, 0.5)
    await sink.send(Lines.of(lines(10)))
    outcome = await sink.flush()
    await sink.close()
    await session.close()
    assert isinstance(outcome, RetryAfter)
    assert "knows no data source" in outcome.reason


async def test_nothing_secret_is_in_what_it_writes(
    bench: Bench, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG")
    tokens: list[str] = []
    for step, (server, path) in STEPS.items():
        bench.lab.faults.add(Fault(server, path, "status", 403, body=b"{}"))  # type: ignore[arg-type]
        session = bench.session()
        sink = await bench.sink(session)
        sink.begin(1, 0.5 + len(tokens))
        await sink.send(Lines.of(lines(10)))
        outcome = await sink.flush()
        tokens.append(f"{step} {outcome} {sink.last_error}")
        bench.lab.faults.clear()
        await sink.flush()
        await sink.close()
        await session.close()
    bench.store.clear()
    sink = await bench.sink(session)
    tokens.append(str(await sink.flush()))  # stopped, which the audit log has
    await sink.close()
    shown = "".join(tokens) + "".join(capfd.readouterr())
    shown += str([vars(record) for record in caplog.records])
    shown += (bench.folder / "audit.log").read_text()
    for secret in (bench.lab.client_secret, "sig=", "eyJ", "Bearer "):
        assert secret not in shown
