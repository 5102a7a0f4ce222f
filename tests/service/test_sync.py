"""The sync of unsanctioned apps in the running service, with the lab's MCAS and ZIA."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from nss.lab.cloud import CloudLab, Fault
from nss.lab.generator import RecordGenerator
from nss.mcas.credentials import CredentialsStore, McasCredentials
from nss.secret import Secret
from nss.sync.state import History, SyncStore
from nss.zia.credentials import ZiaCredentials, ZiaCredentialsStore
from tests.service.conftest import (
    COMMAND,
    ENV,
    TOLD_SECS,
    Bench,
    Running,
    file_feed,
    file_source,
)

pytestmark = pytest.mark.long

NAME = "MS Defender Unsanctioned Apps"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[CloudLab]:
    (tmp_path / "lab").mkdir()
    (tmp_path / "state").mkdir()
    with CloudLab(tmp_path / "lab", requests_per_minute=1000) as lab:
        lab.mcas.unsanctioned.apps = {"App": [".a.example", "b.example"]}
        # Then Cloud App Control is not read: ten seconds at ZIA's pace.
        lab.zia.policies.advanced_settings["cascadeUrlFiltering"] = True
        yield lab


def store_mcas(lab: CloudLab, state: Path) -> None:
    CredentialsStore(state, {}).save(
        McasCredentials(
            method="secret",
            client_id=lab.client_id,
            client_secret=Secret(lab.client_secret),
            authentication_url=lab.authentication_url,
            api_url=lab.api_url,
        )
    )


def store_zia(lab: CloudLab, state: Path) -> None:
    ZiaCredentialsStore(state, {}).save(
        ZiaCredentials(
            method="oneapi_secret",
            client_id=lab.zia.one_api.client_id,
            client_secret=Secret(lab.zia.one_api.secret),
            token_url=lab.one_api_token_url,
            api_url=lab.one_api_url,
        )
    )


async def start(bench: Bench, lab: CloudLab, sync: str = "") -> Running:
    (bench.folder / "web.log").touch()
    network = f'[mcas]\nca_file = "{lab.ca_file}"\n[zia]\nca_file = "{lab.ca_file}"\n'
    parts = (file_source("web", follow=True), file_feed("out"))
    return await bench.start(f"{network}[sync]\n{sync}", *parts, state=str(bench.folder / "state"))


def history(bench: Bench) -> History:
    return SyncStore(bench.folder / "state").history()


def audited(bench: Bench) -> list[dict[str, Any]]:
    lines = (bench.folder / "state" / "audit.log").read_bytes().splitlines()
    return [each for each in map(orjson.loads, lines) if each["action"] == "sync-unsanctioned"]


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(TOLD_SECS):
        while not holds():  # noqa: ASYNC110 - it is another process's doing
            await asyncio.sleep(0.02)


async def test_the_first_run_comes_with_the_start_and_the_last_result_stays(
    bench: Bench, lab: CloudLab
) -> None:
    state = bench.folder / "state"
    store_mcas(lab, state)
    store_zia(lab, state)
    running = await start(bench, lab)
    done = await running.reported("sync_done")
    assert (done["urls"], done["added"]) == (2, 2)
    assert lab.zia.in_force(NAME) == {".a.example", "b.example"}
    opens = await running.reported("sync_may_open")
    assert "no enabled URL filtering rule" in str(opens["why"])
    running.send_signal(signal.SIGTERM)
    assert await running.ended() == 0
    kept = history(bench)
    assert kept.blocking is not None
    assert (kept.blocking.blocked, kept.blocking.code) == (False, "no_rule")
    assert kept.last is not None
    assert (kept.last.outcome, kept.urls) == ("synced", 2)
    assert [each["outcome"] for each in audited(bench)] == ["synced"]
    assert lab.zia.one_api.secret.encode() not in running.raw_log

    lab.mcas.unsanctioned.apps = {}
    running = await start(bench, lab)  # it is not due yet
    running.send_signal(signal.SIGTERM)
    assert await running.ended() == 0
    assert history(bench) == kept


async def test_credentials_that_come_later_are_a_reason_to_run_at_once(
    bench: Bench, lab: CloudLab
) -> None:
    state = bench.folder / "state"
    running = await start(bench, lab)
    store_mcas(lab, state)
    done = await running.reported("sync_done")
    assert str(state / "unsanctioned.txt") in str(done["destination"])
    assert (state / "unsanctioned.txt").read_text() == ".a.example\nb.example\n"
    store_zia(lab, state)
    done = await running.reported("sync_done")
    assert done["destination"] == f"URL category {NAME}"
    assert lab.zia.in_force(NAME) == {".a.example", "b.example"}
    CredentialsStore(state, {}).clear()
    running.send_signal(signal.SIGTERM)
    assert await running.ended() == 0
    assert lab.zia.in_force(NAME) == {".a.example", "b.example"}


async def run_command(bench: Bench, *arguments: str, **variables: str) -> None:
    """Run a command beside the service."""
    process = await asyncio.create_subprocess_exec(
        *(*COMMAND, *arguments, "--config", str(bench.config)),
        env=ENV | variables,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(3 * TOLD_SECS):
        shown, _ = await process.communicate()
    assert process.returncode == 0, shown.decode()


async def test_the_commands_for_zia_begin_a_sync_of_the_service_at_work(
    bench: Bench, lab: CloudLab
) -> None:
    state = bench.folder / "state"
    store_mcas(lab, state)
    running = await start(bench, lab)
    await running.reported("sync_done", destination=f"plain file {state / 'unsanctioned.txt'}")
    one_api = lab.zia.one_api
    given = [
        *("--client-id", one_api.client_id, "--cloud", lab.one_api_url),
        *("--vanity-domain", lab.one_api_token_url),
    ]
    await run_command(bench, "configure-zia", *given, NSS_ZIA_CLIENT_SECRET=one_api.secret)
    await running.reported("sync_done", destination=f"URL category {NAME}")
    assert lab.zia.in_force(NAME) == {".a.example", "b.example"}

    lab.mcas.unsanctioned.apps = {"Other": ["b.example", "c.example"]}
    await run_command(bench, "clear-zia", "--yes")
    await running.reported("sync_done", destination=f"plain file {state / 'unsanctioned.txt'}")
    assert (state / "unsanctioned.txt").read_text() == "b.example\nc.example\n"
    assert lab.zia.in_force(NAME) == {".a.example", "b.example"}
    running.send_signal(signal.SIGTERM)
    assert await running.ended() == 0


async def test_a_reload_with_other_settings_runs_at_once_and_off_ends_it(
    bench: Bench, lab: CloudLab
) -> None:
    state = bench.folder / "state"
    store_mcas(lab, state)
    running = await start(bench, lab)
    await running.reported("sync_done")
    text = bench.config.read_text()
    bench.config.write_text(text.replace("[sync]\n", '[sync]\nfile_format = "json"\n'))
    running.send_signal(signal.SIGHUP)
    await running.reported("configuration_reloaded")
    await running.reported("sync_done", destination=f"json file {state / 'unsanctioned.txt'}")
    assert (state / "unsanctioned.txt").read_bytes().startswith(b"{")
    bench.config.write_text(text.replace("[sync]\n", '[sync]\ntarget = "off"\n'))
    running.send_signal(signal.SIGHUP)
    await running.reported("configuration_reloaded")
    running.send_signal(signal.SIGTERM)
    assert await running.ended() == 0


async def test_a_stop_cuts_a_run_off_and_the_next_start_completes_it(
    bench: Bench, lab: CloudLab
) -> None:
    state = bench.folder / "state"
    store_mcas(lab, state)
    store_zia(lab, state)
    lab.faults.add(Fault("zia", "POST /zia/api/v1/urlCategories", "hang", times=None))
    running = await start(bench, lab)
    await until(lambda: bool(SyncStore(state).category().claimed))
    running.send_signal(signal.SIGTERM)
    assert await running.ended() == 0
    assert "sync_stopped" in {event["event"] for event in running.events}
    lab.faults.clear()
    running = await start(bench, lab)
    await running.reported("sync_done")
    assert lab.zia.in_force(NAME) == {".a.example", "b.example"}
    running.send_signal(signal.SIGTERM)
    assert await running.ended() == 0


async def test_a_sync_that_fails_leaves_the_logs_alone(bench: Bench, lab: CloudLab) -> None:
    state, out = bench.folder / "state", bench.folder / "out"
    store_mcas(lab, state)
    lab.faults.add(Fault("mcas", "discovery_block_scripts", "status", 403, times=None))
    running = await start(bench, lab)
    failed = await running.reported("sync_failed")
    assert "MCAS does not permit it" in str(failed["why"])
    (bench.folder / "web.log").write_bytes(RecordGenerator(1).batch(5))
    await until(lambda: len(out.read_bytes().splitlines()) == 5 if out.exists() else False)
    running.send_signal(signal.SIGTERM)
    assert await running.ended() == 0
    assert [each["outcome"] for each in audited(bench)] == ["failed"]
