"""One run: what it waits for, what it refuses, what it records, and that there is only one."""

import asyncio
import os
from pathlib import Path

import orjson
import pytest

from nss.mcas import RequestRefused, Throttled, Unreachable
from nss.sync import ListRefused, StateUnusable, SyncError, SyncUnderway
from nss.sync.state import SyncStore
from tests.parts import happened
from tests.sync.conftest import Bench, files, names


def audited(folder: Path) -> list[dict[str, object]]:
    lines = (folder / "audit.log").read_bytes().splitlines()
    kept = ("action", "outcome", "reason", "urls", "added", "removed", "set_aside", "kept")
    return [{key: each[key] for key in kept if key in each} for each in map(orjson.loads, lines)]


async def test_a_run_is_recorded_in_state_audit_log_and_log(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "nss")
    bench.organisation.put(["hand.example"])
    await bench.run("a.example", "com")
    history = bench.store.history()
    assert history.last is not None
    assert (history.urls, history.last_success_at) == (1, bench.time)
    run = history.last
    assert (run.outcome, run.urls, run.added, run.removed) == ("synced", 1, 1, 0)
    assert (run.kept, run.set_aside, run.quota_remaining, run.error) == (1, 1, 24_998, None)
    assert audited(bench.folder) == [
        {"action": "sync-unsanctioned", "outcome": "synced", "reason": "", "urls": 1}
        | {"added": 1, "removed": 0, "set_aside": 1, "kept": 1}
    ]
    (event, facts) = happened(caplog)[-1]
    assert (event, facts["added"], facts["set_aside"]) == ("sync_done", 1, 1)


async def test_mcas_is_asked_again_for_as_long_as_the_run_may_take(bench: Bench) -> None:
    since = bench.time
    bench.failures = [
        Unreachable("no answer in time"),
        Throttled("fewer requests", "MCAS", retry_after_secs=300.0),
        Unreachable("no answer in time"),
    ]
    await bench.run("a.example")
    assert bench.time - since >= 300 + 5 * 0.75 + 20 * 0.75
    bench.failures = [Unreachable("no answer in time") for _ in range(1000)]
    since = bench.time
    with pytest.raises(Unreachable):
        await bench.run("a.example")
    assert 20 * 60 < bench.time - since <= 30 * 60
    assert bench.organisation.urls == {"a.example"}


async def test_a_refusal_of_mcas_is_not_repeated(bench: Bench) -> None:
    bench.failures = [RequestRefused("MCAS does not permit it", status=403, tip="give it")]
    with pytest.raises(RequestRefused):
        await bench.run("a.example")
    assert bench.time == 1000.0
    last = bench.store.history().last
    assert last is not None
    assert (last.outcome, last.error, last.tip) == ("failed", "MCAS does not permit it", "give it")


async def test_an_empty_list_is_no_failure_before_anything_was_synced(bench: Bench) -> None:
    with pytest.raises(ListRefused):
        await bench.run()
    history = bench.store.history()
    assert history.last is not None
    assert (history.last.outcome, history.failures) == ("empty", 0)
    await bench.run("a.example")
    with pytest.raises(ListRefused):
        await bench.run()
    history = bench.store.history()
    assert history.last is not None
    assert (history.last.outcome, history.failures, history.urls) == ("refused", 1, 1)
    assert bench.organisation.urls == {"a.example"}


async def test_an_empty_list_that_is_allowed_frees_what_was_added(bench: Bench) -> None:
    bench.organisation.put(["hand.example"])
    await bench.run("a.example")
    await bench.run(allow_shrink=True)
    assert bench.organisation.urls == {"hand.example"}


async def test_a_list_of_nothing_usable_is_no_empty_list(bench: Bench) -> None:
    await bench.run("a.example")
    with pytest.raises(ListRefused, match="none of the 2 entries") as refused:
        await bench.run("Access denied", "by policy of the proxy", allow_shrink=True)
    assert not refused.value.is_empty
    assert bench.organisation.urls == {"a.example"}


async def test_a_list_that_shrinks_is_refused_until_it_is_allowed(bench: Bench) -> None:
    await bench.run(*names(range(10)))
    with pytest.raises(ListRefused, match="from 10 to 4"):
        await bench.run(*names(range(4)))
    assert len(bench.organisation.urls) == 10
    await bench.run(*names(range(4)), allow_shrink=True)
    await bench.run(*names(range(2)))
    assert bench.organisation.urls == frozenset(names(range(2)))


async def test_a_preview_changes_and_records_nothing(bench: Bench) -> None:
    report = await bench.wants("a.example", "b.example").sync.preview()
    assert report.plan.add == ("a.example", "b.example")
    assert report.quota_after is not None
    assert report.quota_after.used == 2
    assert bench.organisation.categories == {}
    assert files(bench.folder) == []
    with pytest.raises(ListRefused):
        await bench.wants().sync.preview()
    assert files(bench.folder) == []


@pytest.mark.timeout(60)
async def test_neither_a_run_nor_a_preview_waits_for_an_answer_without_end(bench: Bench) -> None:
    # The deadline and what a run may take beyond it: a tenth of a second together.
    hasty = Bench(bench.folder, bench.organisation, deadline_minutes=-59.9 / 60)

    async def hang(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    bench.organisation.find = hang  # type: ignore[method-assign]
    for attempt in (hasty.wants("a.example").sync.preview, hasty.sync.run):
        with pytest.raises(SyncError, match="not done within"):
            await attempt()


async def test_only_one_run_is_at_work(bench: Bench) -> None:
    bench.store.prepare()
    with bench.store.lock():
        with pytest.raises(SyncUnderway, match=f"process {os.getpid()} syncs"):
            await bench.run("a.example")
        assert bench.organisation.calls == []
    await bench.run("a.example")


async def test_a_run_that_is_cancelled_leaves_the_lock_and_is_repaired(bench: Bench) -> None:
    started = asyncio.Event()

    async def hang(*_: object, **__: object) -> None:
        started.set()
        await asyncio.Event().wait()

    add = bench.organisation.create
    bench.organisation.create = hang  # type: ignore[method-assign, assignment]
    task = asyncio.create_task(bench.run("a.example"))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    bench.organisation.create = add  # type: ignore[method-assign]
    await bench.run("a.example")
    assert bench.organisation.urls == {"a.example"}


async def test_a_damaged_memory_is_set_aside_and_nothing_is_removed_for_it(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    await bench.run("a.example", "b.example")
    memory = bench.store.folder / "category.json"
    memory.write_bytes(memory.read_bytes()[:-9])
    await bench.run("a.example")
    assert bench.organisation.urls == {"a.example", "b.example"}
    assert (bench.store.folder / "category.json.1").exists()
    assert "sync_state_damaged" in [event for event, _ in happened(caplog)]


async def test_the_memory_of_a_later_version_is_left_alone(bench: Bench) -> None:
    await bench.run("a.example")
    memory = bench.store.folder / "category.json"
    stored = orjson.loads(memory.read_bytes()) | {"form": 2}
    memory.write_bytes(orjson.dumps(stored))
    with pytest.raises(StateUnusable, match="later version"):
        await bench.run("a.example", "b.example")
    assert orjson.loads(memory.read_bytes()) == stored
    assert bench.organisation.urls == {"a.example"}


async def test_what_is_remembered_is_for_nobody_else(bench: Bench) -> None:
    await bench.run("a.example")
    folder = bench.store.folder
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in files(folder)} == {0o600}
    assert SyncStore(bench.folder).category().owned == {"a.example"}
