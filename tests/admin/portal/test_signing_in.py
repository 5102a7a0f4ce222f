"""Signing in and out: who gets in, for how long, and what everybody else sees."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import orjson
import pytest

from nss.admin.portal.app import PortalApp
from nss.admin.portal.attempts import FREE_LINES
from nss.admin.portal.forms import MAX_SMALL_BYTES
from nss.setup.portal_users import FILE_NAME, PortalUsers
from tests.admin.conftest import FakeOperations
from tests.admin.portal.parts import (
    CHEAP,
    PASSWORD,
    add_user,
    browser,
    configuration,
    served,
    sign_in,
    token_of,
)

pytestmark = pytest.mark.long

SESSION = "nss_session_9633"
DATA = ["/", "/overview/live", "/feeds", "/configuration", "/audit", "/integrations", "/studio"]


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[PortalApp]:
    add_user(tmp_path)
    add_user(tmp_path, "victor", "viewer")
    async with served(tmp_path, FakeOperations()) as found:
        yield found


@pytest.fixture
async def client(app: PortalApp) -> AsyncIterator[httpx.AsyncClient]:
    async with browser(app) as found:
        yield found


def audit(folder: Path) -> list[dict[str, object]]:
    lines = (folder / "audit.log").read_bytes().splitlines()
    return [orjson.loads(line) for line in lines]


async def test_a_password_opens_the_overview(client: httpx.AsyncClient, tmp_path: Path) -> None:
    answer = await sign_in(client)

    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{SESSION}=")
    assert cookie.partition(";")[2] == " HttpOnly; Path=/; SameSite=strict"
    page = await client.get("/")
    assert page.status_code == 200
    assert "alice" in page.text
    assert "<h1>Overview</h1>" in page.text
    entry = audit(tmp_path)[-1]
    assert (entry["who"], entry["action"], entry["outcome"], entry["address"]) == (
        "alice (portal)",
        "portal sign-in",
        "passed",
        "127.0.0.1",
    )


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("alice", "wrong horse battery"),
        ("alice", ""),
        ("alice", PASSWORD + " "),
        ("nobody", PASSWORD),
        ("", PASSWORD),
        ("alice\n", "x"),
        ("<script>alert(1)</script>", "x"),
        ("a" * 6_000, "b" * 6_000),
    ],
)
async def test_anything_else_does_not_and_all_refusals_are_alike(
    client: httpx.AsyncClient, name: str, password: str, tmp_path: Path
) -> None:
    answer = await sign_in(client, name, password)

    assert answer.status_code == 401
    assert "the name or the password is not right" in answer.text
    assert "set-cookie" not in answer.headers
    assert "<script>alert" not in answer.text
    assert (await client.get("/")).status_code == 303
    entry = audit(tmp_path)[-1]
    assert (entry["outcome"], entry["action"]) == ("failed", "portal sign-in")
    assert password not in str(entry) or password in {"", "x"}


@pytest.mark.parametrize("path", DATA)
async def test_nothing_is_shown_to_those_who_have_not(client: httpx.AsyncClient, path: str) -> None:
    page = await client.get(path)
    stream = await client.get(path, headers={"accept": "text/event-stream"})
    by_htmx = await client.get(path, headers={"hx-request": "true"})

    assert (page.status_code, page.headers["location"]) == (303, "/sign-in")
    assert [stream.status_code, by_htmx.status_code] == [401, 401]
    assert page.headers["cache-control"] == stream.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example/",
        "/static/../view.py",
        "/static/%2e%2e/view.py",
        "/static/..%2f..%2fserver.py",
        "/static/manifest.json",
        "/static/nss.css/",
        "/sign-in/",
        "/sign-in%00",
        "/once/x",
        "/STATIC/nss.css",
    ],
)
async def test_tricks_with_paths_lead_nowhere(client: httpx.AsyncClient, path: str) -> None:
    request = client.build_request("GET", "http://127.0.0.1:9633/")
    request.url = request.url.copy_with(raw_path=path.encode())
    answer = await client.send(request)

    assert answer.status_code in {303, 404}
    assert "import" not in answer.text


async def test_a_cookie_from_before_is_never_taken_over(client: httpx.AsyncClient) -> None:
    client.cookies.set(SESSION, "chosen-by-somebody-else", domain="127.0.0.1")
    answer = await sign_in(client)

    assert "chosen" not in answer.headers["set-cookie"]
    first = client.cookies[SESSION]
    await sign_in(client)
    second = client.cookies[SESSION]
    assert first != second
    async with browser(client._transport.app) as other:  # type: ignore[attr-defined]
        other.cookies.set(SESSION, first, domain="127.0.0.1")
        assert (await other.get("/")).status_code == 303


@pytest.mark.parametrize("other", ['t={"a": 1, "b": [2]}', "x=a b c", 'q="', "=", "nss_session=x"])
async def test_cookies_of_other_services_of_the_host_hide_nothing(
    client: httpx.AsyncClient, other: str
) -> None:
    await sign_in(client)
    own = f"{SESSION}={client.cookies.get(SESSION)}"
    client.cookies.clear()

    answer = await client.get("/", headers={"cookie": f"{other}; {own}; {other}"})

    assert answer.status_code == 200


async def test_portals_at_several_ports_of_a_host_do_not_sign_each_other_out(
    app: PortalApp, client: httpx.AsyncClient
) -> None:
    await sign_in(client)
    async with browser(app, "http://127.0.0.1:9634") as tunnel:
        tunnel.cookies = client.cookies
        assert (await tunnel.get("/")).status_code == 303
        await sign_in(tunnel)
        assert len(tunnel.cookies) == 2
        client.cookies = tunnel.cookies
        assert (await client.get("/")).status_code == 200
        assert (await tunnel.get("/")).status_code == 200


async def test_no_cookie_takes_long_to_read(client: httpx.AsyncClient) -> None:
    begun = time.thread_time()
    cookie = f'{SESSION}="' + '\\"' * 15_000 + '"'
    answer = await client.get("/sign-in", headers={"cookie": cookie})

    assert answer.status_code == 200
    assert time.thread_time() - begun < 1


async def test_signing_out_ends_the_session_on_the_server(client: httpx.AsyncClient) -> None:
    await sign_in(client)
    kept = client.cookies[SESSION]
    answer = await client.post("/sign-out", data={"csrf": await token_of(client)})

    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    client.cookies.set(SESSION, kept, domain="127.0.0.1")
    assert (await client.get("/")).status_code == 303


@pytest.mark.parametrize("token", ["", "wrong", "x" * 1000, "\u00e4"])
async def test_a_change_without_the_token_of_the_session_is_refused(
    client: httpx.AsyncClient, token: str
) -> None:
    await sign_in(client)
    answer = await client.post("/sign-out", data={"csrf": token})

    assert answer.status_code == 403
    assert (await client.get("/")).status_code == 200


async def test_the_token_of_another_session_is_of_no_use(
    app: PortalApp, client: httpx.AsyncClient
) -> None:
    await sign_in(client)
    async with browser(app) as other:
        await sign_in(other, "victor")
        stolen = await token_of(other)
    answer = await client.post("/sign-out", data={"csrf": stolen})

    assert answer.status_code == 403


async def test_guessing_is_slowed_for_the_account_from_wherever(app: PortalApp) -> None:
    statuses = []
    for number in range(30):
        async with browser(app, peer=f"10.0.{number}.1") as guesser:
            statuses.append((await sign_in(guesser, password=f"guess {number:020}")).status_code)

    assert statuses[0] == 401
    assert statuses[-1] == 429
    async with browser(app, peer="10.9.9.9") as owner:
        answer = await sign_in(owner)
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) >= 1
        assert "too many attempts: try again in" in answer.text
        # Others, and links of the command line, are not held up by that.
        assert (await sign_in(owner, "victor")).status_code == 303


async def test_guessing_many_names_is_slowed_for_the_address(app: PortalApp) -> None:
    async with browser(app, peer="2001:db8::1") as guesser:
        statuses = [(await sign_in(guesser, f"user{number}")).status_code for number in range(60)]
    async with browser(app, peer="2001:db8::ffff") as neighbour:
        assert (await sign_in(neighbour)).status_code == 429
    async with browser(app, peer="2001:db8:1::1") as stranger:
        assert (await sign_in(stranger)).status_code == 303

    assert statuses[0] == 401
    assert statuses[-1] == 429


async def test_a_changed_password_ends_sessions_and_so_does_removal(
    client: httpx.AsyncClient, app: PortalApp, tmp_path: Path
) -> None:
    users = PortalUsers(tmp_path, cost=CHEAP)
    async with browser(app) as viewer:
        await sign_in(client)
        await sign_in(viewer, "victor")
        users.set_password("alice", "another horse battery")
        users.remove("victor")
        async with asyncio.timeout(30):
            while {(await each.get("/")).status_code for each in (client, viewer)} != {303}:  # noqa: ASYNC110
                await asyncio.sleep(0.05)


async def test_a_session_of_a_password_that_was_right_before_ends(
    app: PortalApp, client: httpx.AsyncClient
) -> None:
    # As when the password is changed while somebody signs in.
    token, session = app._sessions.begin("alice", "admin", "admin 1.5")
    client.cookies.set(SESSION, token)
    assert (await client.get("/")).status_code == 200
    async with asyncio.timeout(30):
        while app._sessions.is_alive(session):  # noqa: ASYNC110 - nothing signals it
            await asyncio.sleep(0.1)
    assert (await client.get("/")).status_code == 303


async def test_all_templates_are_compiled_before_anybody_asks(app: PortalApp) -> None:
    templates = app._view._templates
    assert templates.cache is not None
    assert len(templates.cache) == len(templates.list_templates())


async def test_a_viewer_who_becomes_an_administrator_signs_in_anew(
    app: PortalApp, tmp_path: Path
) -> None:
    async with browser(app) as viewer:
        await sign_in(viewer, "victor")
        assert "viewer" in (await viewer.get("/")).text
        PortalUsers(tmp_path, cost=CHEAP).set_password("victor", PASSWORD, "admin")
        async with asyncio.timeout(30):
            while (await viewer.get("/")).status_code != 303:  # noqa: ASYNC110
                await asyncio.sleep(0.05)


async def test_a_link_signs_in_once(app: PortalApp, client: httpx.AsyncClient) -> None:
    path = app.sign_in_path("admin")
    shown = await client.get(path)
    token = httpx.URL(path).params["t"]
    first = await client.post("/once", data={"t": token})
    again = await client.post("/once", data={"t": token})

    assert f'value="{token}"' in shown.text
    assert (first.status_code, again.status_code) == (303, 401)
    assert "used already" in again.text


@pytest.mark.parametrize("token", ["", "x", "x" * 10_000, '"><script>'])
async def test_a_link_that_somebody_made_up_does_not(client: httpx.AsyncClient, token: str) -> None:
    answer = await client.post("/once", data={"t": token})

    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    shown = await client.get("/once", params={"t": token[:500]})
    assert "<script>" not in shown.text.replace("<script src=", "")


async def test_before_the_first_password_the_page_says_how(tmp_path: Path) -> None:
    async with served(tmp_path, FakeOperations()) as app, browser(app) as client:
        page = await client.get("/sign-in")

    assert "nss portal set-password" in page.text
    assert "<input" not in page.text


async def test_over_tls_the_cookie_is_for_tls_and_this_host_alone(tmp_path: Path) -> None:
    add_user(tmp_path)
    config = configuration(tmp_path)
    secured = replace(config.portal, tls_certificate=Path("c.pem"), tls_key=Path("k.pem"))
    operations = FakeOperations()
    async with (
        served(tmp_path, operations, replace(config, portal=secured)) as app,
        browser(app, "https://nss.example.com:9633") as client,
    ):
        answer = await sign_in(client)
        assert (await client.get("/")).status_code == 200

    assert answer.headers["set-cookie"].startswith("__Host-nss")
    assert "Secure" in answer.headers["set-cookie"]


async def test_a_form_that_is_too_large_is_refused(client: httpx.AsyncClient) -> None:
    answer = await sign_in(client, password="x" * MAX_SMALL_BYTES)

    assert answer.status_code == 400
    assert "larger than" in answer.text


async def test_a_users_file_that_can_not_be_read_is_said(
    client: httpx.AsyncClient, tmp_path: Path
) -> None:
    (tmp_path / "portal-users.json").write_bytes(b"no json")
    page = await client.get("/sign-in")
    answer = await sign_in(client)

    assert page.status_code == 200
    assert answer.status_code == 503
    for text in (page.text, answer.text):
        assert "portal-users.json" in text


async def test_what_nobody_has_looked_at_is_no_attempt(app: PortalApp, tmp_path: Path) -> None:
    users = (tmp_path / "portal-users.json").read_bytes()
    async with browser(app) as owner:
        (tmp_path / "portal-users.json").write_bytes(b"no json")
        for _ in range(30):
            assert (await sign_in(owner)).status_code == 503
        (tmp_path / "portal-users.json").write_bytes(users)
        assert (await sign_in(owner)).status_code == 303


async def test_strangers_can_not_push_the_audit_log_out(app: PortalApp, tmp_path: Path) -> None:
    async with browser(app) as stranger:
        for _ in range(FREE_LINES):
            await stranger.post("/once", data={"t": "made up"})
        for _ in range(20):
            await sign_in(stranger, "alice", "wrong horse battery")
            await stranger.post("/once", data={"t": "made up"})
        assert len(audit(tmp_path)) == FREE_LINES
    async with browser(app, peer="10.3.3.3") as owner:
        await sign_in(owner, "victor")

    assert len(audit(tmp_path)) == FREE_LINES + 1
    assert audit(tmp_path)[-1]["outcome"] == "passed"


async def test_many_at_the_same_moment_are_not_all_looked_at(app: PortalApp) -> None:
    async def guess(number: int) -> int:
        async with browser(app, peer=f"10.1.{number}.1") as guesser:
            return (await sign_in(guesser, f"user{number}")).status_code

    statuses = await asyncio.gather(*map(guess, range(60)))
    assert set(statuses) == {401, 503}
    async with browser(app, peer="10.3.3.3") as owner:
        assert (await sign_in(owner)).status_code == 303


async def test_users_that_stay_unreadable_end_the_sessions_that_passwords_began(
    client: httpx.AsyncClient, tmp_path: Path
) -> None:
    await sign_in(client)
    (tmp_path / FILE_NAME).write_text("{")
    async with asyncio.timeout(30):
        while (await client.get("/")).status_code == 200:  # noqa: ASYNC110 - nothing tells when
            await asyncio.sleep(0.05)
    (tmp_path / "other").mkdir()
    add_user(tmp_path / "other")
    (tmp_path / "other" / FILE_NAME).replace(tmp_path / FILE_NAME)
    assert (await sign_in(client)).status_code == 303
    assert (await client.get("/")).status_code == 200
