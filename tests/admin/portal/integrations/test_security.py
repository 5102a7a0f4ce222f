"""What nobody gets to see, and who may do what."""

import logging
import re
from pathlib import Path

import pytest

from nss.admin.portal.pages.integrations.drafts import KEPT_SECS, MAX_DRAFTS, Draft, Drafts
from nss.admin.portal.pages.integrations.foreign import MAX_CHARS, shown, shown_list
from nss.admin.portal.sessions import Sessions
from nss.lab.cloud import Fault
from nss.secret import Secret
from tests.admin.conftest import Clock
from tests.admin.portal.integrations.conftest import Desk, hidden_of
from tests.admin.portal.parts import browser, sign_in

pytestmark = pytest.mark.long

CHANGES = [
    "/integrations/mcas/check?field=client_id",
    "/integrations/mcas/submit",
    "/integrations/mcas/discard",
    "/integrations/mcas/clear",
    "/integrations/mcas/verify",
    "/integrations/zia/check?field=client_id",
    "/integrations/zia/submit",
    "/integrations/zia/discard",
    "/integrations/zia/clear",
    "/integrations/sync/run",
    "/integrations/sync/preview",
    "/integrations/sync/blocking",
    "/integrations/sync/allow-shrink",
]

PAGES = ["/integrations", "/integrations/zia", "/integrations?method=certificate"]


async def test_secrets_are_nowhere(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    lab = desk.lab
    lab.entra.refuse("7000215", 1)
    desk.store.token_path.write_text(lab.legacy_token)
    desk.store.token_path.chmod(0o600)
    wrong = "wr0ng~secret-that-nobody-should-see-1"
    await desk.submit("test", **desk.good | {"client_secret": wrong})
    await desk.checked("client_id", **desk.good | {"client_id": "x"})
    await desk.submit("save", **desk.good | {"api_url": "nonsense"})
    lab.faults.add(Fault("mcas", "streams", "status", 500, body=lab.client_secret.encode()))
    await desk.submit("save", **desk.good)
    await desk.submit("save", **desk.good)
    await desk.submit("save", "/integrations/zia", **desk.good_zia)
    desk.mark(".reddit.com")
    for name in ("run", "preview", "blocking"):
        await desk.followed(await desk.send(f"/integrations/sync/{name}"))
    for path in PAGES:
        await desk.get(path)

    seen = desk.everything_seen() + caplog.text + str([vars(each) for each in caplog.records])
    seen += (desk.folder / "audit.log").read_text()
    for secret in (wrong, lab.client_secret, lab.legacy_token, lab.zia.one_api.secret):
        assert secret not in seen
    assert desk.store.load() is not None
    assert desk.zia_store.load() is not None


async def test_viewers_see_everything_and_change_nothing(desk: Desk) -> None:
    desk.store_good()
    async with browser(desk.app) as client:
        await sign_in(client, "victor")
        for page in PAGES:
            text = (await client.get(page)).text
            assert not re.search(r'<form method="post" action="/integrations', text)
            assert not re.search(r"<button[^>]*>(Test|Save|Sync now|Clear Config|Look it up)", text)
            assert "hx-post" not in text
            inputs = re.findall(r'<input id="f-[^>]*>', text)
            assert inputs
            assert all(" readonly" in each for each in inputs)
        for path in CHANGES:
            values = hidden_of(text) | desk.good | {"do": "save"}
            answer = await client.post(path, data=values)
            assert answer.status_code == 403, path
            assert "this needs the role admin" in answer.text

    assert not desk.lab.requests
    assert desk.store.load() is not None


async def test_forms_of_no_session_or_another_site_change_nothing(desk: Desk) -> None:
    desk.store_good()
    hidden = hidden_of(await desk.get())
    for path in CHANGES:
        for token in ("", "x", "\u00e9"):
            answer = await desk.client.post(path, data=desk.good | {"csrf": token, "do": "save"})
            assert answer.status_code == 403, path
        foreign = {"origin": "http://evil.example"}
        answer = await desk.client.post(path, data=hidden | desk.good, headers=foreign)
        assert answer.status_code == 403, path

    assert not desk.lab.requests
    assert desk.store.load() is not None


async def test_what_one_enters_nobody_else_sees(desk: Desk) -> None:
    await desk.submit("test", **desk.good | {"api_url": "https://mine.example"})
    async with browser(desk.app) as client:
        await sign_in(client)
        text = (await client.get("/integrations")).text

    assert "mine.example" not in text
    assert "Secret entered" not in text


async def test_drafts_go_with_their_time_and_their_session() -> None:
    clock, alive = Clock(), Sessions(60, 600)
    drafts = Drafts(alive.is_alive, now=clock)
    token, first = alive.begin("alice", "admin")
    _, second = alive.begin("bob", "admin")
    for session in (first, second):
        drafts.keep(session, Draft("secret", {"scope": "x"}, {"client_secret": Secret("y")}))
    kept = drafts.of(first)
    assert kept is not None
    assert kept.until == clock.secs + KEPT_SECS

    alive.end(token)
    assert drafts.of(first) is None
    assert kept.secrets == {}
    clock.secs += KEPT_SECS
    assert drafts.of(second) is None


async def test_a_clock_that_is_set_back_keeps_no_secret_for_longer() -> None:
    clock, alive = Clock(10_000.0), Sessions(60, 600)
    drafts = Drafts(alive.is_alive, now=clock)
    _, session = alive.begin("alice", "admin")
    drafts.keep(session, Draft("secret", {}, {"client_secret": Secret("y")}))

    clock.secs -= 5000

    assert drafts.of(session) is None


async def test_drafts_are_bounded() -> None:
    alive = Sessions(60, 600, max_per_user=1000, max_sessions=1000)
    drafts = Drafts(alive.is_alive)
    for _ in range(MAX_DRAFTS + 5):
        drafts.keep(alive.begin("alice", "admin")[1], Draft("secret", {"scope": "x"}))

    assert len(drafts._drafts) == MAX_DRAFTS
    drafts.clear()
    assert not drafts._drafts


def test_texts_of_others_are_on_a_line_bounded_and_visible() -> None:
    assert shown(None) == ""
    assert shown("a\nb\x1b[2J\u202e<b>") == "a b\\x1b[2J\\u202e<b>"
    long = shown("x" * 1_000_000)
    assert long == "x" * MAX_CHARS + "… (1,000,000 characters)"
    found = shown_list("Added", [str(number) for number in range(1000)])
    assert (found.count, len(found.items), found.more) == (1000, 200, 800)


def test_no_template_marks_anything_safe() -> None:
    folder = Path("nss/admin/portal/templates/integrations")
    for path in folder.glob("*.html"):
        text = path.read_text()
        assert not re.search(r"\|\s*safe|autoescape|Markup|<script|style=|onclick", text), path
