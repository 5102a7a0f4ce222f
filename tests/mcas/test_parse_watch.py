"""The watch over uploaded files: what it asks, how far it has read, and what it makes known."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from nss.config.model import McasConfig
from nss.https.limiter import Limiter
from nss.mcas import McasError, RequestRefused, Throttled, Unreachable, parse_watch
from nss.mcas.api import Stream
from nss.mcas.governance import PAGE_ENTRIES, TASK, Page, page
from nss.mcas.parse_watch import ParseWatch
from nss.mcas.session import McasSession
from nss.mcas.uploaded import UploadedFiles, file_name
from nss.telemetry import events
from nss.telemetry.events import counters
from tests.parts import happened

NOW = 1_790_000_000.0
PLACE = "https://mcas.example"
FORMAT = "The log format doesn't match"


@dataclass
class Tenant:
    """A governance log, and what is asked of it."""

    api_url: str = PLACE
    entries: list[dict[str, Any]] = field(default_factory=list)
    asked: list[tuple[float, int]] = field(default_factory=list)
    streams_asked: int = 0
    fail: list[McasError] = field(default_factory=list)
    fail_streams: list[McasError] = field(default_factory=list)
    sorts: bool = True
    page_entries: int = PAGE_ENTRIES

    async def governance(self, since: float, skip: int = 0) -> Page:
        self.asked.append((since, skip))
        if self.fail:
            raise self.fail.pop(0)
        found = [entry for entry in self.entries if entry["timestamp"] >= int(since * 1000)]
        found.sort(key=lambda entry: entry["timestamp"], reverse=not self.sorts)
        shown = found[skip : skip + self.page_entries]
        return page({"data": shown, "total": len(found)}, skip, PLACE)

    async def streams(self) -> list[Stream]:
        self.streams_asked += 1
        if self.fail_streams:
            raise self.fail_streams.pop(0)
        return [Stream("NSS", None, 0, None, "", "ours")]

    def add(
        self, number: int, *, ok: bool | None = True, at: float | None = None, **more: object
    ) -> None:
        made = NOW + number if at is None else at
        entry = {"_id": f"id{number}", "taskName": TASK, "timestamp": int(made * 1000), **more}
        if ok is not None:
            template = {"template": "fine" if ok else FORMAT, "parameters": {}}
            entry["status"] = {"isSuccess": ok, "templateMessage": template}
        self.entries.append(entry)


@dataclass
class Desk:
    """A session as the watch sees it, the clock of both, and a feed that uploads."""

    folder: Path
    tenant: Tenant = field(default_factory=Tenant)
    at: float = NOW + 100
    credentials: int = 0
    limiter: Limiter = field(default_factory=lambda: Limiter(10_000))
    api_fails: list[Exception] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.folder / "uploads").mkdir()
        self.names = UploadedFiles(self.folder / "uploads", "up")

    async def api(self) -> Tenant:
        if self.api_fails:
            raise self.api_fails.pop(0)
        return self.tenant

    def stamp(self) -> object:
        return self.credentials

    def upload(self, number: int, *, done: bool = True) -> str:
        """Note an upload, as the sink does; return the name of the file."""
        name = file_name("up", NOW + number, number, gzip=False)
        self.names.begin(name, NOW + number)
        if done:
            self.names.finish(NOW + number + 0.5)
        return name

    @property
    def saved(self) -> Path:
        return self.folder / "parse-results.json"

    def watch(self, feeds: Sequence[str] = ("up",), **settings: Any) -> ParseWatch:  # noqa: ANN401 - those of [mcas]
        mcas = McasConfig(**{"parse_check_secs": 900.0, **settings})
        session = cast("McasSession", self)
        return ParseWatch(session, mcas, feeds, self.folder, now=lambda: self.at, look_secs=0.001)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    events.clear()
    return Desk(tmp_path)


Happened = Callable[[], list[str]]


@pytest.fixture
def names(caplog: pytest.LogCaptureFixture) -> Happened:
    caplog.set_level("INFO", logger="nss")
    return lambda: [name for name, _ in happened(caplog)]


class At:
    """A watch at work."""

    def __init__(self, watch: ParseWatch) -> None:
        self.watch = watch
        self.task = asyncio.create_task(watch.run())

    async def until(self, holds: Callable[[ParseWatch], object]) -> None:
        async with asyncio.timeout(40):
            while not holds(self.watch):
                assert not self.task.done(), self.task
                await asyncio.sleep(0.001)

    async def rounds(self) -> None:
        """Let it look around some times."""
        for _ in range(10):
            await asyncio.sleep(0.002)

    async def end(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@pytest.fixture
async def work() -> AsyncIterator[Callable[[ParseWatch], At]]:
    running: list[At] = []

    def begin(watch: ParseWatch) -> At:
        running.append(At(watch))
        return running[-1]

    yield begin
    for each in running:
        await each.end()


Work = Callable[[ParseWatch], At]


async def test_nothing_is_asked_while_nothing_waits(desk: Desk, work: Work) -> None:
    at = work(desk.watch())
    await at.rounds()
    desk.upload(1, done=False)
    await at.rounds()
    assert (desk.tenant.asked, at.watch.read_at, at.watch.unreadable) == ([], None, None)


async def test_a_file_that_failed_is_seen_and_reported_once(
    desk: Desk, work: Work, names: Happened, caplog: pytest.LogCaptureFixture
) -> None:
    name = desk.upload(1)
    desk.tenant.add(1, ok=False, anywhere={"deep": [f"blob/{name}"]})
    at = work(desk.watch())
    await at.until(lambda watch: watch.summary.failed)
    desk.upload(2)
    desk.at += 900
    await at.until(lambda _: len(desk.tenant.asked) == 2)
    (failure,) = at.watch.summary.standing
    assert (failure.file, failure.feed, failure.text) == (name, "up", FORMAT)
    assert at.watch.read_at is not None
    assert names() == ["upload_parse_failed"]
    assert happened(caplog)[0][1] == {
        "file": name,
        "uploaded_at": "2026-09-21T14:13:21+00:00",
        "why": FORMAT,
    }
    assert counters["upload_parse_failures", "up"] == 1


async def test_a_later_file_that_is_parsed_ends_it(desk: Desk, work: Work, names: Happened) -> None:
    first, second = desk.upload(1), desk.upload(2)
    desk.tenant.add(1, ok=False, name=first)
    desk.tenant.add(2, ok=None, name=second)
    at = work(desk.watch())
    await at.until(lambda watch: watch.summary.standing)
    assert at.watch.summary.pending == 1
    desk.tenant.entries.pop()
    desk.tenant.add(2, name=second)
    desk.at += 900
    await at.until(lambda watch: not watch.summary.standing)
    assert (at.watch.summary.pending, at.watch.summary.failed, at.watch.summary.parsed) == (0, 1, 1)
    assert names() == ["upload_parse_failed", "upload_parse_recovered"]


async def test_it_begins_where_something_waits_and_asks_no_more_when_nothing_does(
    desk: Desk, work: Work
) -> None:
    desk.tenant.add(1, name=desk.upload(1))
    desk.tenant.add(5, ok=None, name=desk.upload(5))
    at = work(desk.watch())
    await at.until(lambda watch: watch.read_at)
    desk.tenant.entries.pop()
    desk.tenant.add(5, name=desk.upload(5))
    desk.at += 899
    await at.rounds()
    assert desk.tenant.asked == [(NOW + 1 - 3600, 0)]
    desk.at += 1
    await at.until(lambda watch: watch.summary.parsed == 2)
    desk.at += 10_000
    await at.rounds()
    assert desk.tenant.asked == [(NOW + 1 - 3600, 0), (NOW + 5 - 3600, 0)]


async def test_pages_go_by_the_time_of_the_last_entry(desk: Desk, work: Work) -> None:
    desk.tenant.page_entries = 2
    for number in range(1, 6):
        desk.tenant.add(number, name=desk.upload(number))
    at = work(desk.watch())
    await at.until(lambda watch: watch.read_at)
    assert at.watch.summary.parsed == 5
    since = [since - NOW for since, _ in desk.tenant.asked]
    assert since == [1 - 3600, 2, 3, 4]


async def test_entries_of_one_moment_and_a_log_in_another_order_are_read_to_the_end(
    desk: Desk, work: Work
) -> None:
    desk.tenant.page_entries = 2
    own = [desk.upload(number) for number in range(1, 6)]
    for number, name in enumerate(own, 1):
        desk.tenant.add(number, name=name, at=NOW + 9)
    at = work(desk.watch())
    await at.until(lambda watch: watch.read_at)
    assert at.watch.summary.parsed == 5
    await at.until(lambda _: desk.saved.exists())
    await at.end()
    desk.tenant.sorts = False
    desk.tenant.entries.clear()
    for number, name in enumerate(own, 1):
        desk.tenant.add(number, name=name)
    desk.saved.unlink()
    desk.tenant.asked.clear()
    at = work(desk.watch())
    await at.until(lambda watch: watch.read_at)
    assert at.watch.summary.parsed == 5
    assert [skip for _, skip in desk.tenant.asked] == [0, 2, 4]


async def test_a_look_is_bounded_and_the_next_process_continues(desk: Desk, work: Work) -> None:
    desk.tenant.page_entries = 2
    for number in range(1, parse_watch.MAX_PAGES + 3):
        desk.tenant.add(number, name=desk.upload(number))
    at = work(desk.watch())
    await at.until(lambda _: len(desk.tenant.asked) == parse_watch.MAX_PAGES)
    await at.rounds()
    assert len(desk.tenant.asked) == parse_watch.MAX_PAGES
    assert at.watch.read_at is None
    await at.until(lambda _: desk.saved.exists())
    await at.end()
    again = work(desk.watch())
    await again.rounds()
    assert len(desk.tenant.asked) == parse_watch.MAX_PAGES
    desk.at += parse_watch.CONTINUE_SECS
    await again.until(lambda watch: watch.read_at)
    assert again.watch.summary.parsed == parse_watch.MAX_PAGES + 2
    assert desk.tenant.asked[parse_watch.MAX_PAGES][0] == NOW + parse_watch.MAX_PAGES + 1


async def test_a_restart_reports_nothing_twice_and_keeps_the_pace(
    desk: Desk, work: Work, names: Happened
) -> None:
    desk.tenant.add(1, ok=False, name=desk.upload(1))
    desk.upload(2)
    at = work(desk.watch())
    await at.until(lambda _: desk.saved.exists())
    await at.end()
    again = work(desk.watch())
    await again.until(lambda watch: watch.summary.standing)
    assert again.watch.read_at == at.watch.read_at
    assert len(desk.tenant.asked) == 1
    desk.at += 900
    await again.until(lambda _: len(desk.tenant.asked) == 2)
    await again.rounds()
    assert names() == ["upload_parse_failed"]
    assert desk.tenant.streams_asked == 1


async def test_what_could_not_be_read_is_known_to_the_next_process_which_asks_at_once(
    desk: Desk, work: Work
) -> None:
    desk.tenant.fail = [RequestRefused("MCAS does not permit it: HTTP 403", field="role")]
    desk.upload(1)
    at = work(desk.watch())
    await at.until(lambda _: desk.saved.exists())
    await at.end()
    desk.limiter.requests_per_minute = 1
    await desk.limiter.turn()
    again = work(desk.watch())
    await again.until(lambda watch: watch.unreadable)
    assert len(desk.tenant.asked) == 1
    desk.limiter.requests_per_minute = 1000
    await again.until(lambda watch: watch.read_at)
    assert again.watch.unreadable is None


async def test_results_of_a_feed_that_is_gone_are_forgotten(desk: Desk, work: Work) -> None:
    desk.tenant.add(1, ok=False, name=desk.upload(1))
    at = work(desk.watch())
    await at.until(lambda _: desk.saved.exists())
    await at.end()
    mcas = McasConfig()
    other = ParseWatch(
        cast("McasSession", desk),
        mcas,
        ["other"],
        desk.folder,
        now=lambda: desk.at,
        look_secs=0.001,
    )
    gone = work(other)
    await gone.until(lambda watch: watch.read_at)
    await gone.rounds()
    assert gone.watch.summary.failed == 0


async def test_another_tenant_or_data_source_begins_anew(desk: Desk, work: Work) -> None:
    desk.tenant.add(1, ok=False, name=desk.upload(1))
    at = work(desk.watch())
    await at.until(lambda _: desk.saved.exists())
    await at.end()
    other = work(desk.watch(data_source="Other"))
    await other.until(lambda watch: watch.summary.failed)
    assert (other.watch.summary.failed, len(desk.tenant.asked)) == (1, 2)
    await other.end()
    desk.tenant.api_url = "https://other.example"
    desk.tenant.entries.clear()
    desk.upload(2)
    desk.at += 900
    moved = work(desk.watch(data_source="Other"))
    await moved.until(lambda _: len(desk.tenant.asked) == 3)
    await moved.until(lambda watch: not watch.summary.failed)


async def test_a_refusal_is_shown_as_not_readable_until_it_can_be_read(
    desk: Desk, work: Work, names: Happened
) -> None:
    desk.tenant.fail = [RequestRefused("MCAS does not permit it: HTTP 403", field="role")]
    desk.upload(1)
    at = work(desk.watch())
    await at.until(lambda watch: watch.unreadable)
    await at.rounds()
    assert at.watch.unreadable == "MCAS does not permit it: HTTP 403"
    assert (at.watch.summary.failed, at.watch.summary.pending, at.watch.read_at) == (0, 1, None)
    assert len(desk.tenant.asked) == 1
    desk.at += 900
    await at.until(lambda watch: watch.unreadable is None)
    assert names() == ["parse_results_unreadable", "parse_results_readable"]
    assert counters["parse_results_unreadable", "mcas"] == 1


async def test_other_credentials_are_tried_at_once(desk: Desk, work: Work) -> None:
    desk.api_fails = [RequestRefused("there are no credentials for MCAS")]
    desk.upload(1)
    at = work(desk.watch())
    await at.until(lambda watch: watch.unreadable)
    desk.credentials += 1
    await at.until(lambda watch: watch.read_at)
    assert at.watch.unreadable is None


async def test_it_waits_as_long_as_it_is_asked_to_and_holds_nobody_else(
    desk: Desk, work: Work
) -> None:
    desk.tenant.fail = [Throttled("MCAS asks for fewer requests", "MCAS", retry_after_secs=1200)]
    desk.upload(1)
    at = work(desk.watch())
    await at.until(lambda watch: watch.unreadable)
    desk.at += 1100
    await at.rounds()
    assert len(desk.tenant.asked) == 1
    desk.at += 100
    await at.until(lambda watch: watch.read_at)
    async with asyncio.timeout(1):
        await desk.limiter.turn()


async def test_a_sweep_that_breaks_off_continues_there(desk: Desk, work: Work) -> None:
    desk.tenant.page_entries = 2
    for number in range(1, 5):
        desk.tenant.add(number, name=desk.upload(number))
    watch = desk.watch()
    at = work(watch)
    desk.tenant.fail = []
    original = desk.tenant.governance

    async def breaks(since: float, skip: int = 0) -> Page:
        if len(desk.tenant.asked) == 1:
            desk.tenant.fail = [Unreachable("the connection broke off")]
        return await original(since, skip)

    desk.tenant.governance = breaks  # type: ignore[method-assign]
    await at.until(lambda watch: watch.unreadable)
    await at.rounds()
    desk.at += 900
    await at.until(lambda watch: watch.read_at)
    assert at.watch.summary.parsed == 4
    assert [since - NOW for since, _ in desk.tenant.asked] == [1 - 3600, 2, 2, 3]


async def test_entries_of_an_unknown_shape_are_not_taken_for_none(desk: Desk, work: Work) -> None:
    desk.tenant.add(1, name=desk.upload(1))
    desk.tenant.entries.append({"taskName": TASK, "timestamp": int((NOW + 2) * 1000)})
    at = work(desk.watch())
    await at.until(lambda watch: watch.unreadable)
    assert at.watch.unreadable == "entries of an unknown shape in the governance log: 1"
    assert at.watch.summary.parsed == 1


async def test_uploads_come_first_and_a_watch_that_never_has_a_turn_says_so(
    desk: Desk, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parse_watch, "SPARE_SECS", 0.01)
    desk.limiter.requests_per_minute = 3
    for _ in range(2):
        await desk.limiter.turn()
    desk.upload(1)
    at = work(desk.watch())
    await at.until(lambda watch: watch.unreadable)
    assert at.watch.unreadable == "uploads take all requests of a minute (requests_per_minute)"
    assert desk.tenant.asked == []


async def test_data_sources_that_can_not_be_listed_leave_the_names(desk: Desk, work: Work) -> None:
    desk.tenant.fail_streams = [RequestRefused("MCAS does not permit it: HTTP 403")]
    desk.tenant.add(1, ok=False, name=desk.upload(1))
    at = work(desk.watch())
    await at.until(lambda watch: watch.summary.failed)
    assert at.watch.unreadable is None


async def test_the_id_of_a_finalize_spares_the_list_of_data_sources(desk: Desk, work: Work) -> None:
    name = desk.upload(1, done=False)
    desk.names.finish(NOW + 2, "ours")
    assert name
    desk.tenant.add(1, ok=False, inputStreamId="ours")
    at = work(desk.watch())
    await at.until(lambda watch: watch.summary.failed)
    assert desk.tenant.streams_asked == 0
    assert counters["upload_parse_failures", "mcas"] == 1


@pytest.mark.parametrize("data", [b"{", b'{"form":9}', b"[]"])
async def test_results_that_can_not_be_read_back_are_asked_for_anew(
    desk: Desk, work: Work, names: Happened, data: bytes
) -> None:
    desk.saved.write_bytes(data)
    desk.tenant.add(1, name=desk.upload(1))
    at = work(desk.watch())
    await at.until(lambda watch: watch.summary.parsed)
    assert names() == ["parse_results_forgotten"]


async def test_results_that_can_not_be_saved_hold_in_this_process(
    desk: Desk, work: Work, names: Happened
) -> None:
    desk.tenant.add(1, name=desk.upload(1))
    watch = desk.watch()
    desk.saved.mkdir()
    at = work(watch)
    await at.until(lambda watch: watch.summary.parsed)
    await at.until(lambda _watch: len(names()) == 2)  # they are saved later, in a thread
    await at.rounds()
    assert names() == ["parse_results_forgotten", "parse_results_unwritable"]


async def test_names_that_make_no_sense_are_shown_as_not_readable(desk: Desk, work: Work) -> None:
    (desk.folder / "uploads" / "up.files.json").write_bytes(b"{")
    at = work(desk.watch())
    await at.until(lambda watch: watch.unreadable)
    assert str(at.watch.unreadable).startswith("the names of uploaded files can't be read: ")


async def test_the_clock_is_that_of_the_machine(desk: Desk) -> None:
    mcas = McasConfig()
    watch = ParseWatch(cast("McasSession", desk), mcas, ["up"], desk.folder)
    before = time.time()
    await watch.look()
    assert watch.read_at is not None
    assert before <= watch.read_at <= time.time()
