"""The audit log: paged over all its files, filtered, live, downloaded, and only ever text."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import orjson
import pytest

from nss.admin.portal.app import PortalApp
from nss.admin.portal.pages.audit_entries import Filter, Row, Watching
from nss.telemetry.audit import AuditLog, acting_as
from tests.admin.conftest import Clock, FakeOperations
from tests.admin.portal.configuration.parts import shown
from tests.admin.portal.gallery import HOSTILE
from tests.admin.portal.parts import add_user, browser, served, sign_in

pytestmark = pytest.mark.long

START = 1_790_000_000.0


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[PortalApp]:
    add_user(tmp_path)
    add_user(tmp_path, "victor", "viewer")
    async with served(tmp_path, FakeOperations()) as found:
        yield found


@pytest.fixture
async def client(app: PortalApp) -> AsyncIterator[httpx.AsyncClient]:
    async with browser(app) as found:
        await sign_in(found)
        yield found


def write(folder: Path, count: int, *, max_bytes: int = 10 << 20, **facts: str) -> None:
    """Write entries a minute apart, of three persons and two actions."""
    now = START
    log = AuditLog(folder / "audit.log", now=lambda: now, max_bytes=max_bytes)
    for number in range(count):
        with acting_as(("alice", "bob", "carol")[number % 3]):
            action, outcome = (("test", "passed"), ("upload", "failed"))[number % 2]
            log.write(action, outcome, f"reason {number}.", **facts)
        now += 60


def numbers(page: str) -> list[int]:
    return [int(found) for found in re.findall(r"reason (\d+)\.", page)]


def link(page: str, text: str) -> str:
    found = re.search(rf'<a class="button" href="([^"]*)"[^>]*>{text}</a>', page)
    return "" if found is None else found[1].replace("&amp;", "&")


async def test_pages_of_a_hundred_go_back_through_all_files(
    client: httpx.AsyncClient, tmp_path: Path
) -> None:
    write(tmp_path, 350, max_bytes=9_000)
    seen, pages_seen = list[int](), 0
    path = "/audit?text=reason"
    while path:
        answer = await client.get(path)
        assert answer.status_code == 200
        found = numbers(answer.text)
        assert len(found) <= 100
        seen += found
        pages_seen += 1
        path = link(answer.text, "Older")
        assert ("hx-sse:connect" in answer.text) == (pages_seen == 1)
        assert bool(link(answer.text, "Newest")) == (pages_seen > 1)
    assert pages_seen == -(-len(seen) // 100) > 1
    assert seen == list(range(349, 349 - len(seen), -1))


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ({"person": "ALI"}, lambda n: n % 3 == 0),
        ({"action": "upload"}, lambda n: n % 2 == 1),
        ({"outcome": "passed"}, lambda n: n % 2 == 0),
        ({"text": "Reason 7."}, lambda n: n == 7),
        ({"person": "bob", "outcome": "failed"}, lambda n: n % 3 == 1 and n % 2 == 1),
        ({"since": "2026-09-21T14:23"}, lambda n: n >= 10),
        ({"until": "2026-09-21T14:23"}, lambda n: n <= 10),
        ({"since": "2026-09-21", "until": "2026-09-21"}, lambda n: n <= 586),
        ({"since": "2026-09-22"}, lambda n: n > 586),
        ({"person": "nobody"}, lambda _: False),
    ],
)
async def test_entries_are_filtered(
    client: httpx.AsyncClient, tmp_path: Path, query: dict[str, str], fits: object
) -> None:
    assert callable(fits)
    write(tmp_path, 40)
    answer = await client.get("/audit", params={"text": "reason", **query})
    assert numbers(answer.text) == [n for n in range(39, -1, -1) if fits(n)]
    for name, value in query.items():
        assert f'name="{name}"' in answer.text
        assert value in answer.text
    assert ("No entry." in answer.text) == (not numbers(answer.text))


@pytest.mark.parametrize("value", ["yesterday", "2026-13-01", "9" * 5000, "'\"><script>", "\0"])
@pytest.mark.parametrize("name", ["since", "until"])
async def test_a_time_that_is_none_is_said_at_its_field(
    client: httpx.AsyncClient, name: str, value: str
) -> None:
    answer = await client.get("/audit", params={name: value})
    live = await client.get("/audit/live", params={name: value})
    download = await client.get("/audit/download", params={name: value})
    assert answer.status_code in {400, 414}
    if answer.status_code == 400:
        assert f'id="f-{name}-error"' in answer.text
        assert "must be a time like" in answer.text
    assert "<script>" not in answer.text.partition("<main")[2].partition("</main>")[0]
    assert live.status_code == download.status_code == answer.status_code


@pytest.mark.parametrize(
    "before", ["x", "1-", "-1", "1-1", "9" * 150, "../audit", "\0", "1-99999999999999999999"]
)
async def test_a_cursor_that_is_none_leads_nowhere(
    client: httpx.AsyncClient, tmp_path: Path, before: str
) -> None:
    write(tmp_path, 5)
    answer = await client.get("/audit", params={"before": before})
    assert answer.status_code == 200
    assert numbers(answer.text) == []


async def test_whatever_is_in_the_log_is_text(client: httpx.AsyncClient, tmp_path: Path) -> None:
    entry = {
        "at": HOSTILE,
        "who": f"{HOSTILE}\u202e\x1b[2J",
        "action": HOSTILE,
        "outcome": HOSTILE,
        "reason": f"\r\n{HOSTILE}",
        HOSTILE: HOSTILE,
        "uid": 0,
    }
    with (tmp_path / "audit.log").open("ab") as file:
        file.write(orjson.dumps(entry) + b"\n\xff\xff\n{}\n[[[[\n")
        file.write(b'{"at": "9999-99-99T99:99:99Z", "who": "x", "action": "", "outcome": ""}\n')
    answer = await client.get("/audit")
    assert answer.status_code == 200
    main = answer.text.partition("<main")[2].partition("</main>")[0]
    assert "<script" not in main
    assert "<img" not in main
    assert "<hx-partial" not in main
    assert "\x1b" not in main
    assert "\u202e" not in main
    assert "3 lines of the log are damaged" in shown(answer.text)


async def test_who_did_what_is_shown_with_its_facts(
    client: httpx.AsyncClient, tmp_path: Path
) -> None:
    write(tmp_path, 1, feed="siem", digest="x" * 1000)
    page = shown((await client.get("/audit")).text)
    assert "2026-09-21 14:13:20 UTC alice test passed reason 0. uid 0 feed siem digest xxx" in page
    assert "x" * 301 not in page
    assert "portal sign-in passed" in page


async def test_a_download_has_what_the_filter_says_as_json_lines(
    client: httpx.AsyncClient, tmp_path: Path
) -> None:
    write(tmp_path, 1500, max_bytes=200_000)
    answer = await client.get("/audit/download", params={"person": "alice", "action": "test"})
    found = [orjson.loads(line) for line in answer.content.splitlines()]
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == 'attachment; filename="nss-audit.jsonl"'
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.headers["cache-control"] == "no-store"
    assert {entry["who"] for entry in found} == {"alice"}
    assert len(found) == 250
    assert found[0]["reason"] == "reason 1494."

    entry = orjson.loads((await client.get("/audit/download")).content.splitlines()[1])
    assert (entry["action"], entry["outcome"], entry["who"]) == (
        "audit download",
        "done",
        "alice (portal)",
    )
    assert orjson.loads(entry["filter"]) == {"person": "alice", "action": "test"}


@pytest.mark.parametrize(
    "value", ["x\r\nset-cookie: a=b", 'x"; filename="evil.html', "\u2028\r\n\r\n<script>", HOSTILE]
)
async def test_nothing_of_a_request_gets_into_the_headers_of_a_download(
    client: httpx.AsyncClient, value: str
) -> None:
    for name in ("person", "text", "action", "filename", value):
        answer = await client.get("/audit/download", params={name: value})
        assert answer.status_code == 200
        assert "set-cookie" not in answer.headers
        assert answer.headers["content-disposition"] == 'attachment; filename="nss-audit.jsonl"'


async def test_viewers_read_and_download_it_and_nobody_can_change_it(app: PortalApp) -> None:
    async with browser(app) as client:
        await sign_in(client, "victor")
        assert (await client.get("/audit")).status_code == 200
        assert (await client.get("/audit/download")).status_code == 200
        for path in ("/audit", "/audit/live", "/audit/download"):
            assert (await client.post(path, data={"csrf": "x"})).status_code in {403, 404, 405}
        assert '<form method="post" action="/audit' not in (await client.get("/audit")).text


async def test_without_a_session_there_is_nothing(app: PortalApp) -> None:
    async with browser(app) as client:
        for path in ("/audit", "/audit/live", "/audit/download"):
            assert (await client.get(path)).status_code in {303, 401}


@pytest.fixture
async def clock() -> Clock:
    return Clock()


@pytest.fixture
async def watching(tmp_path: Path, clock: Clock) -> Watching:
    return Watching(
        tmp_path / "audit.log", lambda rows: str([row.reason for row in rows]), clock=clock
    )


async def test_a_new_entry_comes_to_live_pages_and_nothing_is_read_without_one(
    watching: Watching, clock: Clock, tmp_path: Path
) -> None:
    wanted = Filter(outcome="passed")
    write(tmp_path, 3)
    await watching.look(wanted)
    first = watching.watched(wanted).html
    await watching.look(wanted)
    assert watching.watched(wanted).html is first
    assert first == "['reason 2.', 'reason 0.']"
    AuditLog(tmp_path / "audit.log").write("test", "failed", "else")
    AuditLog(tmp_path / "audit.log").write("test", "passed", "new")
    clock.secs += 1
    await watching.look(wanted)
    assert watching.watched(wanted).html == "['new', 'reason 2.', 'reason 0.']"


async def test_a_look_that_took_long_is_not_repeated_at_once(tmp_path: Path) -> None:
    clock = Clock()

    def slow(rows: list[Row]) -> str:
        clock.secs += 0.5
        return str(len(rows))

    watching, wanted = Watching(tmp_path / "audit.log", slow, clock=clock), Filter()
    write(tmp_path, 1)
    await watching.look(wanted)
    write(tmp_path, 1)
    clock.secs += 9
    await watching.look(wanted)
    assert watching.watched(wanted).html == "1"
    clock.secs += 1
    await watching.look(wanted)
    assert watching.watched(wanted).html == "2"


async def test_filters_share_a_bounded_number_of_places(watching: Watching) -> None:
    mine = watching.watched(Filter())
    names = set()
    for number in range(500):
        names.add(watching.watched(Filter(text=str(number))).name)
        assert watching.watched(Filter()) is mine  # in use, so it is never given away
    assert len(names) < 64
    assert mine.name not in names


async def test_live_pages_are_looked_at_by_the_clock(tmp_path: Path) -> None:
    watching = Watching(tmp_path / "audit.log", lambda rows: str(len(rows)))
    await watching.look(Filter())
    assert watching.watched(Filter()).html == "0"
