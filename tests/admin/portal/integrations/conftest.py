"""Administrators at the page of Partner Integrations, and the lab that it talks to."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from html import unescape
from pathlib import Path

import httpx
import orjson
import pytest

from nss.admin.portal.app import PortalApp
from nss.admin.portal.pages.integrations.sync import setup_of
from nss.config.model import Config
from nss.lab.cloud import CloudLab
from nss.lab.cloud.zia.policies import ssl_inspection_rule, url_filtering_rule
from nss.mcas.credentials import CredentialsStore, McasCredentials
from nss.secret import Secret
from nss.status.summary import Status, SyncStatus
from nss.sync.schedule import Schedule
from nss.zia.credentials import ZiaCredentials, ZiaCredentialsStore
from tests.admin.conftest import FakeOperations
from tests.admin.portal.parts import add_user, browser, configuration, served, sign_in

CATEGORY = "MS Defender Unsanctioned Apps"

TOML = """
[mcas]
ca_file = "{ca_file}"
timeout_secs = 5
data_source = "{data_source}"
{mcas_extra}
[zia]
ca_file = "{ca_file}"
timeout_secs = 5
{extra}
[sources.web]
kind = "stdin"
[feeds.mcas]
format = "MCAS"
[feeds.mcas.sink]
kind = "{sink}"
{sink_extra}
"""


class Operations(FakeOperations):
    """A service with a configuration, and a sync whose results are in its state."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config

    def configuration(self) -> Config:
        return self.config

    def status(self) -> Status:
        setup = setup_of(self.config, [])
        if setup.settings.target == "off":
            return replace(super().status(), sync=None)
        reading = Schedule(setup, setup.store).reading()
        shown = {name: getattr(reading, name) for name in asdict(reading)}
        state = "synced" if reading.last_success_at else "waiting"
        return replace(super().status(), sync=SyncStatus(**shown, state=state))  # type: ignore[arg-type]


@dataclass
class Desk:
    """A browser in front of the page, what it has seen, and what is behind the page."""

    folder: Path
    lab: CloudLab
    operations: Operations
    app: PortalApp
    client: httpx.AsyncClient
    seen: list[httpx.Response] = field(default_factory=list)

    @property
    def store(self) -> CredentialsStore:
        return CredentialsStore(self.folder, {})

    @property
    def zia_store(self) -> ZiaCredentialsStore:
        return ZiaCredentialsStore(self.folder, {})

    @property
    def good(self) -> dict[str, str]:
        """What the lab's MCAS takes."""
        lab = self.lab
        return {
            "method": "secret",
            "client_id": lab.client_id,
            "client_secret": lab.client_secret,
            "client_secret_expires": "",
            "scope": "",
            "authentication_url": lab.authentication_url,
            "api_url": lab.api_url,
        }

    @property
    def good_zia(self) -> dict[str, str]:
        """What the lab's ZIA takes."""
        lab = self.lab
        return {
            "method": "oneapi_secret",
            "client_id": lab.zia.one_api.client_id,
            "client_secret": lab.zia.one_api.secret,
            "token_url": lab.one_api_token_url,
            "api_url": lab.one_api_url,
        }

    def store_good(self) -> None:
        """Store what the lab takes, as the command line does."""
        self.store.save(
            McasCredentials(
                method="secret",
                client_id=self.lab.client_id,
                client_secret=Secret(self.lab.client_secret),
                authentication_url=self.lab.authentication_url,
                api_url=self.lab.api_url,
                tested_at=1.0,
            )
        )

    def store_good_zia(self) -> None:
        """Store what the lab's ZIA takes, as the command line does."""
        given = {name: text for name, text in self.good_zia.items() if name != "method"}
        secret = Secret(given.pop("client_secret"))
        found = ZiaCredentials(method="oneapi_secret", client_secret=secret, **given)  # type: ignore[arg-type]
        self.zia_store.save(found)

    def mark(self, *domains: str, app: str = "App") -> None:
        """Mark an app with these domains as unsanctioned."""
        self.lab.mcas.unsanctioned.apps[app] = list(domains)

    def block(self) -> None:
        """Have rules inspect and block the category."""
        category = self.lab.zia.categories.shown(CATEGORY)["id"]
        policies = self.lab.zia.policies
        policies.url_filtering.append(url_filtering_rule("Unsanctioned", [category]))
        policies.ssl_inspection.append(
            ssl_inspection_rule("Unsanctioned", [category], action="DECRYPT")
        )

    async def get(self, path: str = "/integrations") -> str:
        """Return the text of a page."""
        answer = await self.client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.text

    async def send(self, path: str, page: str = "/integrations", **values: str) -> httpx.Response:
        """Send a form of a page, with its hidden fields."""
        hidden = hidden_of(await self.get(page))
        return await self.client.post(path, data=hidden | values)

    async def submit(self, do: str, page: str = "/integrations", **values: str) -> str:
        """Send the form of an account; return the page that shows what came of it."""
        partner = "zia" if page == "/integrations/zia" else "mcas"
        answer = await self.send(f"/integrations/{partner}/submit", page, do=do, **values)
        return await self.followed(answer)

    async def followed(self, answer: httpx.Response) -> str:
        """Return the page that a form led to."""
        assert answer.status_code == 303, answer.text
        return await self.get(answer.headers["location"].partition("#")[0])

    async def checked(self, name: str, partner: str = "mcas", **values: str) -> str:
        """Return what is said of a field while somebody types."""
        page = "/integrations/zia" if partner == "zia" else "/integrations"
        path = f"/integrations/{partner}/check?field={name}"
        answer = await self.send(path, page, **values)
        assert answer.status_code == 200, answer.text
        return unescape(answer.text.strip())

    def audited(self) -> list[dict[str, object]]:
        """Return the entries of the audit log."""
        lines = (self.folder / "audit.log").read_bytes().splitlines()
        return [orjson.loads(line) for line in lines]

    def everything_seen(self) -> str:
        """Return all that was sent to the browser, headers included."""
        return "".join(f"{answer.headers} {answer.text}" for answer in self.seen)


def hidden_of(page: str) -> dict[str, str]:
    """Return the hidden fields of the forms of a page."""
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))


def error_of(page: str, name: str) -> str:
    """Return what a page says is wrong with a field."""
    found = re.search(rf'<p class="error" id="f-{name}-error"[^>]*>(.*?)</p>', page, re.DOTALL)
    return "" if found is None else unescape(found[1]).strip()


def value_of(page: str, name: str) -> str | None:
    """Return what a field of a page has."""
    found = re.search(rf'<input id="f-{name}"[^>]* value="([^"]*)"', page)
    return None if found is None else unescape(found[1])


def words(page: str) -> str:
    """Return the words of a page, without markup."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def part(page: str, name: str) -> str:
    """Return the words of a page from an element with an id on."""
    return words(page.partition(f'id="{name}"')[2].partition(">")[2])[:3000]


async def until(holds: Callable[[], object]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 - nobody would tell
            await asyncio.sleep(0.01)


@asynccontextmanager
async def desk_of(
    folder: Path,
    lab: CloudLab,
    *,
    sink: str = "cloud_discovery",
    sink_extra: str = "",
    extra: str = "",
    data_source: str = "NSS",
    mcas_extra: str = "",
) -> AsyncIterator[Desk]:
    """Have a desk in front of a portal with some configuration, signed in as an administrator."""
    facts = {"ca_file": lab.ca_file, "data_source": data_source, "extra": extra}
    facts["mcas_extra"] = mcas_extra
    config = configuration(folder, TOML.format(sink=sink, sink_extra=sink_extra, **facts))
    operations = Operations(config)
    add_user(folder)
    add_user(folder, "victor", "viewer")
    async with served(folder, operations, config) as app, browser(app) as client:
        desk = Desk(folder, lab, operations, app, client)

        async def note(answer: httpx.Response) -> None:
            await answer.aread()
            desk.seen.append(answer)

        client.event_hooks["response"].append(note)
        await sign_in(client)
        yield desk


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[CloudLab]:
    (tmp_path / "lab").mkdir()
    with CloudLab(tmp_path / "lab", requests_per_minute=1000) as found:
        # Then Cloud App Control is not read: ten seconds at ZIA's pace.
        found.zia.policies.advanced_settings["cascadeUrlFiltering"] = True
        yield found


@pytest.fixture
async def desk(tmp_path: Path, lab: CloudLab) -> AsyncIterator[Desk]:
    (tmp_path / "state").mkdir()
    async with desk_of(tmp_path / "state", lab) as found:
        yield found
