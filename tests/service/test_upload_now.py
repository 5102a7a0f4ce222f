"""What ends a hold in the whole service: upload-now, a reload, a passing verify-mcas2."""

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from nss.lab.cloud import CloudLab, Fault
from tests.service.conftest import COMMAND, ENV, TOLD_SECS, Bench, udp_feed
from tests.service.test_upload import lines, records, sections, store, uploaded

pytestmark = pytest.mark.long

LATER = "86400"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[CloudLab]:
    folder = tmp_path / "lab"
    folder.mkdir()
    with CloudLab(folder, requests_per_minute=10_000) as lab:
        yield lab


@pytest.fixture
def bench(bench: Bench) -> Bench:
    """A bench whose service can be asked."""
    write = bench.write

    def with_socket(*given: str, **options: object) -> None:
        write(*given, **options)  # type: ignore[arg-type]
        text = bench.config.read_text()
        bench.config.write_text(text.replace('"off"', '"control.sock"', 1))

    bench.write = with_socket  # type: ignore[method-assign]
    return bench


async def nss(bench: Bench, *arguments: str) -> tuple[int, str, str]:
    """Run a command beside the service; return its exit code and what it printed."""
    process = await asyncio.create_subprocess_exec(
        *(*COMMAND, *arguments, "--config", str(bench.config)),
        env=ENV,
        cwd=bench.folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(3 * TOLD_SECS):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def joined(shown: str) -> str:
    """Return what is shown without its line ends, which are between words."""
    return " ".join(shown.split())


async def status(bench: Bench) -> dict[str, object]:
    """Return the upload of the feed `up` as `nss status --json` shows it."""
    _, out, _ = await nss(bench, "status", "--json")
    feeds = {feed["name"]: feed for feed in orjson.loads(out)["feeds"]}
    found: dict[str, object] = feeds["up"]["upload"]
    return found


async def until_state(bench: Bench, state: str) -> dict[str, object]:
    async with asyncio.timeout(TOLD_SECS):
        while (found := await status(bench))["state"] != state:  # noqa: ASYNC110 - of a process
            await asyncio.sleep(0.05)
    return found


async def test_what_is_collected_goes_up_when_somebody_asks(bench: Bench, lab: CloudLab) -> None:
    store(bench, lab)
    (bench.folder / "web.log").write_bytes(data := records(50))
    await bench.start(sections(lab), udp_feed(9), state="state")
    async with asyncio.timeout(TOLD_SECS):
        while (before := await status(bench))["next_due_at"] is None:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    code, out, err = await nss(bench, "upload-now", "up")
    after = await status(bench)
    refused = await nss(bench, "upload-now", "mcas")
    assert (code, out, err) == (0, "feed up: 50 records uploaded\n", "")
    assert uploaded(lab) == lines(data)
    assert (before["last_confirmed_at"], after["next_due_at"]) == (None, None)
    assert isinstance(after["last_confirmed_at"], float)
    assert (refused[0], refused[2].splitlines()[0]) == (64, "nss: feed 'mcas' does not upload")


@pytest.mark.parametrize(
    ("server", "path"),
    [("mcas", "upload_url"), ("blob", "put"), ("mcas", "done_upload"), ("entra", "token")],
)
async def test_a_pause_of_a_day_is_cut_and_ended_by_upload_now(
    bench: Bench, lab: CloudLab, server: str, path: str
) -> None:
    store(bench, lab)
    lab.faults.add(Fault(server, path, "status", 429, retry_after=LATER))  # type: ignore[arg-type]
    (bench.folder / "web.log").write_bytes(data := records(50))
    running = await bench.start(sections(lab, secs=1), state="state")
    await running.reported("upload_failed")
    held = await until_state(bench, "held")
    shown = joined((await nss(bench, "status"))[1])
    code, _, _ = await nss(bench, "upload-now")
    assert code == 0
    assert uploaded(lab) == lines(data)
    assert isinstance(held["held_until"], float)
    assert "fewer requests" in shown or "the storage is busy" in shown
    running.send_signal(signal.SIGTERM)
    assert await running.ended() == 0


async def test_a_reload_ends_a_pause_though_nothing_changed(bench: Bench, lab: CloudLab) -> None:
    store(bench, lab)
    lab.faults.add(Fault("mcas", "upload_url", "status", 429, retry_after=LATER))
    (bench.folder / "web.log").write_bytes(data := records(50))
    running = await bench.start(sections(lab, secs=1), state="state")
    await running.reported("upload_failed")
    running.send_signal(signal.SIGHUP)
    await running.reported("upload_done")
    assert uploaded(lab) == lines(data)


@pytest.mark.parametrize("works", [True, False])
async def test_a_passing_verification_ends_a_pause_and_another_does_not(
    bench: Bench, lab: CloudLab, *, works: bool
) -> None:
    store(bench, lab)
    lab.faults.add(Fault("mcas", "upload_url", "status", 429, retry_after=LATER))
    (bench.folder / "web.log").write_bytes(data := records(50))
    running = await bench.start(sections(lab, secs=1), state="state")
    await running.reported("upload_failed")
    await until_state(bench, "held")
    if not works:
        lab.faults.add(Fault("mcas", "streams", "status", 403, times=None))
    code, _, err = await nss(bench, "verify-mcas2")
    if works:
        await running.reported("upload_done")
        assert uploaded(lab) == lines(data)
        assert (code, err) == (0, "Uploads of feed up are tried again now.\n")
    else:
        assert (code, err, (await status(bench))["state"]) == (1, "", "held")


async def test_a_pause_of_the_storage_does_not_hold_another_feed(
    bench: Bench, lab: CloudLab
) -> None:
    store(bench, lab)
    lab.faults.add(Fault("blob", "put", "status", 429, retry_after=LATER))
    (bench.folder / "web.log").write_bytes(data := records(50))
    text = sections(lab, secs=1)
    other = '[feeds.two]\nformat = "MCAS"\n[feeds.two.sink]\nkind = "cloud_discovery"\n'
    running = await bench.start(text, f"{other}max_secs = 2\n", state="state")
    await running.reported("upload_done", component="two")
    assert uploaded(lab) == lines(data)
    assert (await status(bench))["state"] == "held"


async def test_a_refused_upload_is_reported_by_upload_now(bench: Bench, lab: CloudLab) -> None:
    store(bench, lab)
    lab.mcas.data_sources.clear()
    (bench.folder / "web.log").write_bytes(records(50))
    running = await bench.start(sections(lab, secs=1), state="state")
    await running.reported("upload_failed")
    code, out, _ = await nss(bench, "upload-now", "--json")
    (found,) = orjson.loads(out)["feeds"]
    assert code == 1
    assert (found["feed"], found["records"], found["pending"]) == ("up", 0, 50)
    assert "MCAS knows no data source of that name" in found["reason"]


NEITHER = [b"{}", b"", b'{"inputStreamId": "5f"}', b"[]"]


@pytest.mark.parametrize("body", NEITHER)
async def test_a_finalize_without_success_does_not_count_and_is_repeated(
    bench: Bench, lab: CloudLab, body: bytes
) -> None:
    store(bench, lab)
    lab.faults.add(Fault("mcas", "done_upload", "replaced", 200, body=body, times=None))
    (bench.folder / "web.log").write_bytes(data := records(50))
    running = await bench.start(sections(lab, secs=1), state="state")
    await running.reported("upload_unconfirmed", counts=False)
    upload = await status(bench)
    shown = joined((await nss(bench, "status"))[1])
    lab.faults.clear()
    await running.reported("upload_done")
    assert (upload["state"], upload["last_confirmed_at"]) == ("unconfirmed", None)
    assert shown.startswith("degraded")
    assert "upload unconfirmed: MCAS answered with neither a yes nor a no" in shown
    assert uploaded(lab) == lines(data)  # the lab takes a second finalize for what it is


async def test_a_refusal_at_200_is_in_the_status(bench: Bench, lab: CloudLab) -> None:
    store(bench, lab)
    body = b'{"success": false, "errorMessageCode": "CONSOLE_ODD"}'
    lab.faults.add(Fault("mcas", "done_upload", "status", 200, body=body, times=None))
    (bench.folder / "web.log").write_bytes(data := records(50))
    running = await bench.start(sections(lab, secs=1), state="state")
    await running.reported("upload_failed")
    code, shown, _ = await nss(bench, "status")
    lab.faults.clear()
    ended, _, _ = await nss(bench, "upload-now")
    assert (code, ended) == (1, 0)
    assert "MCAS refuses the request, CONSOLE_ODD: HTTP 200" in joined(shown)
    assert uploaded(lab) == lines(data)
