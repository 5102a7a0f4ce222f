"""Whether what was synced is blocked: looked up after each success, and never in its way."""

import asyncio
from pathlib import Path

import orjson
import pytest

from nss.config.sync import SyncConfig
from nss.status.sync_readings import BlockingReading
from nss.sync.blocked import in_short
from nss.zia import Category
from nss.zia.blocking import Policy
from tests.parts import happened
from tests.sync.conftest import Bench
from tests.sync.organisation import busy, no_sign_in, unreachable

NO_RULE = ("no_rule", "no rule blocks it")


class Zia:
    """What looks find, one after the other; the last of them from then on."""

    def __init__(self, bench: Bench, *verdicts: str | Exception) -> None:
        self.bench = bench
        self.verdicts = list(verdicts)
        self.looks = 0
        bench.look = self.look

    async def look(self, destination: str, _deadline: float) -> BlockingReading:
        self.looks += 1
        found = self.verdicts[0] if len(self.verdicts) == 1 else self.verdicts.pop(0)
        if isinstance(found, Exception):
            raise found
        blocked = {"yes": True, "no": False, "unknown": None}[found]
        code, reason = NO_RULE if found == "no" else (None, None)
        return BlockingReading(
            destination=destination, at=self.bench.time, blocked=blocked, code=code, reason=reason
        )


def kept(bench: Bench) -> BlockingReading:
    found = bench.store.history().blocking
    assert found is not None
    return found


def audited(folder: Path) -> list[tuple[str, str]]:
    lines = map(orjson.loads, (folder / "audit.log").read_bytes().splitlines())
    return [
        (each["outcome"], each["reason"]) for each in lines if each["action"] != "sync-unsanctioned"
    ]


async def test_each_success_is_followed_by_a_look_and_changes_are_reported(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "nss")
    zia = Zia(bench, "no", "no", "yes", "unknown", "yes")
    found: list[tuple[bool | None, float | None]] = []
    for _ in range(5):
        report = await bench.run("a.example")
        assert report.blocking == kept(bench)
        found.append((kept(bench).blocked, kept(bench).since))
        bench.time += 100
    assert zia.looks == 5
    assert found == [(False, 1000), (False, 1000), (True, 1200), (None, 1300), (True, 1400)]
    assert audited(bench.folder) == [
        ("may open", "no rule blocks it"), ("blocked", ""), ("unknown", ""), ("blocked", ""),
    ]  # fmt: skip
    names = [event for event, _ in happened(caplog)]
    assert [name for name in names if name not in {"sync_done", "urls_vanished"}] == [
        "sync_may_open", "sync_blocked", "sync_blocking_unknown", "sync_blocked",
    ]  # fmt: skip


async def test_another_reason_is_a_change(bench: Bench) -> None:
    reasons = iter(["the rule A allows it", "the rule B allows it", "the rule B allows it"])

    async def look(destination: str, _deadline: float) -> BlockingReading:
        return BlockingReading(
            destination=destination, at=bench.time, blocked=False, reason=next(reasons)
        )

    bench.look = look
    for _ in range(3):
        await bench.run("a.example")
    assert [reason[:10] for _, reason in audited(bench.folder)] == ["the rule A", "the rule B"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (busy(), "another administrator is saving"),
        (unreachable(), "no answer in time"),
        (no_sign_in(), "the secret is refused"),
        (ValueError("a secret"), "unplanned ValueError"),
    ],
)
async def test_a_look_that_fails_leaves_the_run_a_success(
    bench: Bench, error: Exception, reason: str
) -> None:
    Zia(bench, "yes", error)
    await bench.run("a.example")
    report = await bench.run("a.example", "b.example")
    assert report.run.outcome == "synced"
    history = bench.store.history()
    assert (history.failures, history.last, history.urls) == (0, report.run, 2)
    assert (kept(bench).blocked, kept(bench).code) == (None, None)
    assert (kept(bench).reason or "").startswith(reason)
    assert "a secret" not in (bench.folder / "audit.log").read_text()


async def test_the_result_is_stored_before_anybody_looks(bench: Bench) -> None:
    seen: list[object] = []

    async def look(destination: str, deadline: float) -> BlockingReading:
        seen.append((bench.store.history().last, deadline - bench.time))
        return BlockingReading(destination=destination, at=0, blocked=True)

    bench.look = look
    report = await bench.run("a.example")
    assert seen == [(report.run, 300)]


async def test_a_look_has_no_more_time_than_the_run(bench: Bench) -> None:
    async def hang(_destination: str, _deadline: float) -> BlockingReading:
        await asyncio.Event().wait()
        raise AssertionError

    bench.look = hang
    bench.at = lambda _point: setattr(bench, "time", 1000 + 30 * 60)
    report = await bench.run("a.example")
    assert report.run.outcome == "synced"
    assert kept(bench).blocked is None
    assert kept(bench).reason == "the run had no time left to look it up"


async def test_a_stop_during_a_look_cuts_nothing_off(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    looking = asyncio.Event()

    async def hang(_destination: str, _deadline: float) -> BlockingReading:
        looking.set()
        await asyncio.Event().wait()
        raise AssertionError

    caplog.set_level("INFO", "nss")
    bench.look = hang
    task = asyncio.create_task(bench.run("a.example"))
    await looking.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    last = bench.store.history().last
    assert last is not None
    assert last.outcome == "synced"
    assert "sync_stopped" not in [event for event, _ in happened(caplog)]
    Zia(bench, "yes")
    await bench.run("a.example")
    assert kept(bench).blocked


async def test_a_verdict_that_can_not_be_kept_is_not_shown_either(bench: Bench) -> None:
    async def look(destination: str, _deadline: float) -> BlockingReading:
        (bench.store.folder / "state.json").write_text('{"form": 2}')  # a later version's
        return BlockingReading(destination=destination, at=0, blocked=True)

    bench.look = look
    report = await bench.run("a.example")
    assert report.run.outcome == "synced"
    assert report.blocking is not None
    assert report.blocking.blocked is None
    assert "later version" in (report.blocking.reason or "")


async def test_a_run_that_fails_looks_nothing_up_and_forgets_nothing(bench: Bench) -> None:
    zia = Zia(bench, "yes")
    await bench.run("a.example")
    bench.failures = [ValueError("no list")]
    with pytest.raises(ValueError, match="no list"):
        await bench.run("a.example")
    assert (zia.looks, kept(bench).blocked) == (1, True)


async def test_a_verdict_is_about_one_category(bench: Bench) -> None:
    Zia(bench, "yes")
    await bench.run("a.example")
    bench.settings = SyncConfig(category="Other")
    bench.look = None
    await bench.run("a.example")
    assert bench.store.history().blocking is None


def test_a_part_that_may_not_be_read_is_named() -> None:
    found = in_short(Policy("X"), "URL category X", 5.0)
    assert (found.blocked, found.code, found.at) == (False, "no_category", 5.0)
    policy = Policy("X", Category("CUSTOM_1", "X", frozenset(), frozenset()))
    assert in_short(policy, "URL category X", 5.0).blocked is True
    policy.unread["URL filtering rules"] = "the role may not"
    found = in_short(policy, "URL category X", 5.0)
    assert (found.blocked, found.reason) == (None, "the API role may not read URL filtering rules")
