"""The sync of unsanctioned apps on the page: state, preview, now, refusals, is it blocked."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nss.lab.cloud import CloudLab, Fault
from nss.lab.cloud.unsanctioned import AS_DELIVERED, many
from nss.sync.state import SyncStore
from tests.admin.portal.integrations.conftest import CATEGORY, Desk, desk_of, part, until, words
from tests.admin.portal.parts import pages_of

RUN, PREVIEW, BLOCKING, SHRINK = (
    f"/integrations/sync/{name}" for name in ("run", "preview", "blocking", "allow-shrink")
)

pytestmark = pytest.mark.long


@pytest.fixture
def ready(desk: Desk) -> Desk:
    """A desk where everything is set up, and nothing is synced yet."""
    desk.store_good()
    desk.store_good_zia()
    desk.mark(".reddit.com", "www.dropbox.com")
    return desk


async def asked(desk: Desk, path: str, **values: str) -> str:
    """Send a form of the sync, and wait for the end of what it began."""
    page = await desk.followed(await desk.send(path, **values))
    async with asyncio.timeout(30):
        while any(job.is_running for job in pages_of(desk.app)._jobs._jobs.values()):
            await asyncio.sleep(0.05)
            page = await desk.get()
    return page


async def test_without_credentials_there_is_nothing_to_sync(desk: Desk) -> None:
    page = await asked(desk, RUN)

    assert "when MCAS is configured" in part(page, "sync_state")
    assert "there are no credentials for MCAS" in part(page, "sync_jobs")
    assert "Try: save them on this page" in part(page, "sync_jobs")


async def test_a_sync_that_is_off_is_shown_as_that(tmp_path: Path, lab: CloudLab) -> None:
    (tmp_path / "state").mkdir()
    async with desk_of(tmp_path / "state", lab, extra='[sync]\ntarget = "off"\n') as desk:
        desk.store_good()
        page = await desk.get()
        assert "The sync is off" in part(page, "sync_state")
        assert "Sync now" not in page

        page = await desk.followed(await desk.send(RUN))
        assert "the sync is off" in part(page, "sync_jobs")


async def test_sync_now_fills_the_category(ready: Desk) -> None:
    page = await asked(ready, RUN)

    state, jobs = part(page, "sync_state"), part(page, "sync_jobs")
    assert "URLs synced 2" in state
    assert "synced 2 URLs, 2 added, 0 removed; 24,998 more may be added" in state
    assert "Changed 2 added, 0 removed" in jobs
    assert "Asked by alice (portal)" in jobs
    assert ready.lab.zia.in_force(CATEGORY) == {".reddit.com", "www.dropbox.com"}
    entries = [entry for entry in ready.audited() if entry["action"] == "sync-unsanctioned"]
    assert [(entry["who"], entry["outcome"]) for entry in entries] == [("alice (portal)", "synced")]


async def test_a_preview_changes_nothing_and_shows_what_would(ready: Desk) -> None:
    page = await asked(ready, PREVIEW)

    jobs = part(page, "sync_jobs")
    assert "Would change 2 added, 0 removed" in jobs
    assert "Would be added: 2 .reddit.com www.dropbox.com" in jobs
    assert "0 used and 25,000 left before; 2 and 24,998 after" in jobs
    assert CATEGORY not in str(ready.lab.zia.categories._all)
    assert "URLs synced none yet" in part(page, "sync_state")
    entry = ready.audited()[-1]
    assert (entry["who"], entry["action"], entry["outcome"], entry["added"]) == (
        "alice (portal)",
        "sync-unsanctioned",
        "previewed",
        2,
    )


async def test_long_lists_are_cut_and_counted(ready: Desk) -> None:
    ready.lab.mcas.unsanctioned.apps = many(250)

    page = await asked(ready, PREVIEW)

    assert "Would be added: 250" in words(page)
    assert "and 50 more" in words(page)
    assert page.count(".example\n") + page.count(".example<") == 200


async def test_hostile_entries_are_text(ready: Desk) -> None:
    evil = "<script>alert(1)</script>\x1b[2J" + "x" * 3000
    ready.lab.mcas.unsanctioned.apps = {**AS_DELIVERED, "Evil": [evil]}

    page = await asked(ready, PREVIEW)

    assert "Set aside, and why: 4" in words(page)
    assert "<script>alert" not in page
    assert "\x1b" not in page
    assert "x" * 400 not in page


async def test_a_list_that_shrank_is_refused_until_somebody_allows_it(ready: Desk) -> None:
    ready.lab.mcas.unsanctioned.apps = many(10)
    page = await asked(ready, RUN)
    assert "all the same" not in page
    assert (await ready.client.get(SHRINK)).status_code == 400
    assert (await ready.send(SHRINK)).status_code == 400
    ready.lab.mcas.unsanctioned.apps = many(1)

    page = await asked(ready, RUN)
    state = part(page, "sync_state")
    assert "refused" in state
    assert "the list of unsanctioned apps has shrunk from 10 to 1 URL" in state
    assert "Sync this list all the same" in state
    assert len(ready.lab.zia.in_force(CATEGORY)) == 10
    question = await ready.get(SHRINK)
    assert "has shrunk from 10 to 1" in question
    page = await asked(ready, SHRINK)

    assert "all the same" not in part(page, "sync_state")
    assert "9 removed" in part(page, "sync_state")
    assert ready.lab.zia.in_force(CATEGORY) == {".app0.example"}


async def test_a_list_without_any_usable_entry_is_nothing_to_allow(ready: Desk) -> None:
    ready.mark("com")

    page = await asked(ready, RUN)

    assert "refused" in part(page, "sync_state")
    assert "all the same" not in page


async def test_one_sync_at_a_time(ready: Desk) -> None:
    ready.lab.faults.add(Fault("mcas", "block_scripts", "latency", secs=1.0))
    first = asyncio.create_task(ready.send(RUN))
    await until(lambda: pages_of(ready.app)._jobs.of("sync"))

    page = await ready.get()
    assert "running for alice (portal), since" in part(page, "sync_state")
    assert "Syncing" in part(page, "sync_jobs")
    second = await ready.send(RUN)
    assert second.status_code == 409
    assert "this is under way already, for alice (portal)" in second.text
    await first


async def test_a_sync_of_somebody_else_is_shown(ready: Desk) -> None:
    store = SyncStore(ready.folder)
    store.prepare()
    program = (
        "import sys\nfrom pathlib import Path\nfrom nss.sync.state import SyncStore\n"
        "with SyncStore(Path(sys.argv[1])).lock():\n print('held', flush=True)\n sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", program, str(ready.folder)]
    with subprocess.Popen(  # noqa: S603, ASYNC220 - ours
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        page = await asked(ready, RUN)
        assert f"running by a command, process {process.pid}" in part(page, "sync_state")
        assert f"process {process.pid} syncs at the moment" in part(page, "sync_jobs")
        process.stdin.close()
        process.wait()

    page = await asked(ready, RUN)
    assert "Changed 2 added" in part(page, "sync_jobs")
    assert "running" not in part(page, "sync_state").partition("Goes to")[0]


async def test_what_a_sync_waits_for_is_shown(ready: Desk) -> None:
    ready.lab.faults.add(Fault("mcas", "block_scripts", "status", 503, times=1))
    sending = asyncio.create_task(ready.send(RUN))
    jobs = pages_of(ready.app)._jobs
    await until(lambda: (job := jobs.of("sync")) is not None and job.note)
    page = await ready.get()
    await jobs.close()
    await sending

    assert "MCAS gave no list; it is asked again in" in part(page, "sync_jobs")
    assert "the service stopped" in part(await ready.get(), "sync_jobs")


async def test_a_failure_is_shown_with_its_remedy(ready: Desk) -> None:
    ready.lab.entra.roles = []

    page = await asked(ready, RUN)

    state = part(page, "sync_state")
    assert "failed" in state
    assert "Discovery.manage" in state
    assert "Try:" in state


async def test_a_url_is_blocked_or_not_and_why(ready: Desk) -> None:
    page = await asked(ready, BLOCKING, url="")
    assert "opens there is no URL category" in part(page, "sync_jobs")
    await asked(ready, RUN)
    page = await asked(ready, BLOCKING, url="old.reddit.com")
    jobs = part(page, "sync_jobs")
    assert "old.reddit.com opens no enabled URL filtering rule blocks the category" in jobs
    assert "Where: Policy > URL & Cloud App Control" in jobs
    assert "In the Experience Center: Policies > Access Control" in jobs

    ready.block()
    page = await asked(ready, BLOCKING, url="https://old.reddit.com/r/all")
    assert "https://old.reddit.com/r/all blocked" in part(page, "sync_jobs")
    page = await asked(ready, BLOCKING, url="example.org")
    assert "example.org opens it is not in the URL category" in part(page, "sync_jobs")
    page = await asked(ready, BLOCKING, url="")
    assert f'Category "{CATEGORY}" (2 URLs) blocked' in part(page, "sync_jobs")

    found = [entry for entry in ready.audited() if entry["action"] == "verify-blocking"]
    mine = [(entry["outcome"], entry.get("url")) for entry in found if entry["who"] != "root"]
    assert ("blocked", "https://old.reddit.com/r/all") in mine
    assert ("may open", "example.org") in mine


async def test_what_can_not_be_read_is_no_yes(ready: Desk) -> None:
    await asked(ready, RUN)
    ready.block()
    ready.lab.faults.add(Fault("zia", "sslInspectionRules", "status", 403, times=None))

    page = await asked(ready, BLOCKING, url="old.reddit.com")

    jobs = part(page, "sync_jobs")
    assert "old.reddit.com can't be said" in jobs
    assert "Not read: SSL inspection rules" in jobs


@pytest.mark.parametrize("url", ["two words", "a\x1b[2J", "x" * 2049])
async def test_nonsense_is_no_url(ready: Desk, url: str) -> None:
    answer = await ready.send(BLOCKING, url=url)

    assert answer.status_code == 400
    assert "this is no URL" in answer.text


async def test_a_rule_with_markup_in_its_name_is_text(ready: Desk) -> None:
    await asked(ready, RUN)
    ready.block()
    rule = ready.lab.zia.policies.url_filtering[0]
    evil = "<img src=x onerror=alert(1)>" + "y" * 2000
    ready.lab.zia.policies.url_filtering.insert(0, rule | {"name": evil, "action": "ALLOW"})

    page = await asked(ready, BLOCKING, url="old.reddit.com")

    assert "&lt;img src=x" in page
    assert "<img" not in page
    assert "y" * 1100 not in page


async def test_what_mcas_shows_of_the_data_source_is_asked_and_is_text(ready: Desk) -> None:
    page = await ready.followed(await ready.send("/integrations/mcas/verify"))

    arrival = part(page, "arrival")
    assert "Data source NSS is there" in arrival
    assert "Last data received never" in arrival
    assert "Asked by alice (portal)" in arrival
    assert "Uploads of feed mcas are tried again now." in arrival
    assert ready.audited()[-1]["action"] == "verify-mcas2"

    received = b'{"streams": [{"displayName": "NSS", "lastDataReceived": "<b>soon</b>\\u001b"}]}'
    ready.lab.faults.add(Fault("mcas", "streams", "status", 200, body=received))
    page = await ready.followed(await ready.send("/integrations/mcas/verify"))
    assert "Last data received <b>soon</b>\\x1b" in part(page, "arrival")
    assert "<b>soon" not in page

    received = b'{"streams": [{"displayName": "NSS", "lastDataReceived": "2026-09-21T14:13:17Z"}]}'
    ready.lab.faults.add(Fault("mcas", "streams", "status", 200, body=received))
    page = await ready.followed(await ready.send("/integrations/mcas/verify"))
    assert '<time datetime="2026-09-21T14:13:17Z"' in page


async def test_megabytes_and_pages_instead_of_answers_are_bounded(ready: Desk) -> None:
    for fault in (
        Fault("mcas", "streams", "html"),
        Fault("mcas", "streams", "status", 403, body=b"<script>" + b"z" * (2 << 20)),
    ):
        ready.lab.faults.add(fault)
        page = await ready.submit("test", **ready.good)
        assert "API Failed" in part(page, "result")
        assert len(page) < 100_000
        assert "<script>z" not in page
