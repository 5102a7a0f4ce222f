"""The rehearsal ground of `nss lab`: stand-ins for Entra, MCAS, its storage, ZIA and a collector.

None of it is Microsoft's or Zscaler's. Secrets are made up for each run and open nothing else.
"""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Self

from nss.config.sync import SyncConfig
from nss.config.values import Address
from nss.errors import ServiceError
from nss.files.private import write_private
from nss.lab.catalog import APPS
from nss.lab.cloud import CloudLab
from nss.lab.cloud.serving import HOST
from nss.lab.cloud.zia.policies import url_filtering_rule
from nss.lab.generator import RecordGenerator
from nss.lab.ports import free_port
from nss.lab.receiving import Receiver
from nss.wording import counted, error_text

NAME = "nss-lab.localhost"
"""By this name another machine has to know the one that `listen` is of."""

RECORDS_PORT = 5514
"""Where the configuration takes records, if the port is free."""

LOOK_SECS = 0.5
COLLECTOR_SECS = 2.0
_TICK_SECS = 0.05

_CONFIG = """\
# Made by nss lab: everything in here goes to stand-ins on this machine, and ends with nss lab.

[service]
control_socket = "control.sock"
state_directory = "state"

[spool]
path = "spool.db"
max_bytes = "256MiB"

[mcas]
ca_file = "lab/ca.pem"

[zia]
ca_file = "lab/ca.pem"

[sources.gateway]
kind = "tcp"
listen = "{records_to}"

[feeds.upload]
format = "MCAS"
[feeds.upload.sink]
kind = "cloud_discovery"
max_secs = 10

[feeds.collector]
format = "MCAS"
[feeds.collector.sink]
kind = "syslog_udp"
destinations = ["{collector}"]

[feeds.siem]
format = "JSON"
[feeds.siem.sink]
kind = "syslog_tcp"
destinations = ["{collector}"]
"""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that arrived. `text` may hold anything that clients sent."""

    part: str
    text: str
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(slots=True)
class _Seen:
    requests: int = 0
    complaints: int = 0
    uploads: int = 0
    results: int = 0
    lines: dict[str, int] = field(default_factory=dict)
    looked_at: float = 0.0
    urls: dict[str, frozenset[str]] = field(default_factory=dict)


class Rehearsal:
    """Used with `async with`; `events` says what arrives.

    Everything is kept in `folder`, which is empty, of mode 0700, and whose `nss.toml` uses all of
    it. `listen` is an address of this machine.
    """

    def __init__(self, folder: Path, *, listen: str = HOST) -> None:
        self.folder = folder
        self.config = folder / "nss.toml"
        self.client_secret_file = folder / "client-secret"
        self.zia_secret_file = folder / "zia-secret"
        self.records_to = Address(HOST, RECORDS_PORT)
        """Where `nss run` with `config` takes records."""
        self._listen = listen
        self._seen = _Seen(looked_at=time.monotonic())
        self._exits = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self._begin()
        except OSError as error:
            await self._exits.aclose()
            reason = error_text(error)
            raise ServiceError(f"lab: can't start: {reason} ({self._listen})") from None
        except BaseException:
            await self._exits.aclose()
            raise
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._exits.aclose()

    async def _begin(self) -> None:
        for name in ("lab", "state"):
            (self.folder / name).mkdir(mode=0o700)
        name = "localhost" if self._listen == HOST else NAME
        lab = CloudLab(self.folder / "lab", address=self._listen, name=name)
        self.lab = self._exits.enter_context(lab)
        for app in APPS:
            if app.status == "Unsanctioned":
                domain = "." + app.host.removeprefix("www.")
                self.lab.mcas.unsanctioned.apps[app.name] = [domain]
        self.receiver = await self._exits.enter_async_context(Receiver(self._listen))
        self.records_to = Address(HOST, free_port(RECORDS_PORT))
        text = _CONFIG.format(records_to=self.records_to, collector=self.collector)
        self.config.write_text(text, encoding="utf-8")
        write_private(self.client_secret_file, self.lab.client_secret.encode())
        write_private(self.zia_secret_file, self.lab.zia.one_api.secret.encode())

    @property
    def collector(self) -> Address:
        """Where the collector listens, over UDP and TCP."""
        return Address(self._listen, self.receiver.port)

    @property
    def commands(self) -> list[list[str]]:
        """The commands that sign in and run, with the lab's own configuration."""
        lab, config = self.lab, ["--config", str(self.config)]
        mcas = ["--client-id", lab.client_id, "--client-secret-file", str(self.client_secret_file)]
        mcas += ["--authentication-url", lab.authentication_url, "--api-url", lab.api_url]
        one_api = lab.zia.one_api
        zia = ["--method", "oneapi_secret", "--client-id", one_api.client_id]
        zia += ["--client-secret-file", str(self.zia_secret_file)]
        zia += ["--vanity-domain", lab.one_api_token_url, "--cloud", lab.one_api_url]
        return [
            ["nss", "configure-mcas2", *mcas, *config],
            ["nss", "configure-zia", *zia, *config],
            ["nss", "run", *config],
        ]

    async def events(self) -> AsyncIterator[Event]:
        """Yield what arrives, without end."""
        while True:
            for event in self._look():
                yield event
            await asyncio.sleep(LOOK_SECS)

    def _look(self) -> Iterator[Event]:
        yield from self._sign_ins()
        yield from self._uploads()
        yield from self._categories()
        yield from self._lines()
        complaints = self.lab.complaints[self._seen.complaints :]
        self._seen.complaints += len(complaints)
        for complaint in complaints:
            yield Event("protocol", f"against the protocol: {complaint}")

    def _sign_ins(self) -> Iterator[Event]:
        requests = self.lab.requests[self._seen.requests :]
        self._seen.requests += len(requests)
        for request in requests:
            if request.server in {"entra", "zidentity"} and request.method == "POST":
                part = "Entra" if request.server == "entra" else "ZIdentity"
                is_good = request.status == 200  # noqa: PLR2004 - of HTTP
                word = "accepted" if is_good else f"refused (HTTP {request.status})"
                yield Event(part, f"sign-in {word}", {"status": request.status})

    def _uploads(self) -> Iterator[Event]:
        uploads = self.lab.mcas.uploads[self._seen.uploads :]
        self._seen.uploads += len(uploads)
        for upload in uploads:
            text = f"upload {upload.name}, {upload.size_bytes:,} bytes, to data source "
            facts = {"file": upload.name, "bytes": upload.size_bytes}
            source = {"data_source": upload.data_source}
            yield Event("MCAS", text + upload.data_source, facts | source)
        results = self.lab.parser.results[self._seen.results :]
        self._seen.results += len(results)
        for found in results:
            bad = found.malformed + found.too_old
            text = f"{counted(found.records, 'record')}, {bad:,} unusable, in {found.upload.name}"
            if found.failure:
                text += f": {found.failure}"
            facts = {"file": found.upload.name, "records": found.records, "unusable": bad}
            yield Event("MCAS", text, facts | {"failure": found.failure})

    def _categories(self) -> Iterator[Event]:
        now: dict[str, frozenset[str]] = {}
        for category in self.lab.zia.categories.listed("ALL", is_custom_only=True):
            urls = frozenset([*category["urls"], *category["dbCategorizedUrls"]])
            now[str(category["configuredName"])] = urls
        before, self._seen.urls = self._seen.urls, now
        for name in sorted(now.keys() | before.keys()):
            old, new = before.get(name, frozenset()), now.get(name, frozenset())
            added, removed = len(new - old), len(old - new)
            if added or removed:
                grown = counted(added, "URL")
                text = f'category "{name}": {grown} added, {removed:,} removed'
                facts = {"category": name, "added": added, "removed": removed, "urls": len(new)}
                yield Event("ZIA", f"{text}, {len(new):,} now", facts)
        if SyncConfig().category in now.keys() - before.keys():
            yield self._block(SyncConfig().category)

    def _block(self, name: str) -> Event:
        """Block a category, as an administrator does in the portal."""
        policies = self.lab.zia.policies
        policies.advanced_settings["cascadeUrlFiltering"] = True
        category = self.lab.zia.categories.shown(name)["id"]
        policies.url_filtering.append(url_filtering_rule("Unsanctioned apps", [category]))
        text = f'rule "Unsanctioned apps" added by the lab: it blocks "{name}"'
        return Event("ZIA", text, {"rule": "Unsanctioned apps"})

    def _lines(self) -> Iterator[Event]:
        now = time.monotonic()
        elapsed = now - self._seen.looked_at
        if elapsed < COLLECTOR_SECS:
            return
        self._seen.looked_at = now
        receiver = self.receiver
        for way, lines, last in (
            ("UDP", receiver.udp_lines, receiver.udp_last),
            ("TCP", receiver.tcp_lines, receiver.tcp_last),
        ):
            more = lines - self._seen.lines.get(way, 0)
            self._seen.lines[way] = lines
            if more:
                shown = last.decode(errors="backslashreplace")
                text = f"{way}: {lines:,} lines, {more / elapsed:,.0f}/s, the last: {shown}"
                facts = {"way": way.lower(), "lines": lines, "last": shown}
                yield Event("collector", text, facts | {"per_sec": round(more / elapsed, 1)})

    async def send(self, records_per_sec: int, to: Address | None = None) -> None:
        """Send generated records over TCP until cancelled, whenever somebody listens there."""
        host, port = to or self.records_to
        generator = RecordGenerator(
            records_per_sec=records_per_sec, start_epoch=int(time.time()), seed=time.time_ns()
        )
        lines = generator.lines(sys.maxsize)
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection(host, port)
                with contextlib.closing(writer):
                    await _send(writer, lines, records_per_sec)
            await asyncio.sleep(LOOK_SECS)


async def _send(writer: asyncio.StreamWriter, lines: Iterator[bytes], records_per_sec: int) -> None:
    began, sent = time.monotonic(), 0
    while True:
        due = int((time.monotonic() - began + _TICK_SECS) * records_per_sec) - sent
        writer.write(b"".join(line + b"\n" for line in islice(lines, max(due, 0))))
        await writer.drain()
        sent += max(due, 0)
        await asyncio.sleep(_TICK_SECS)
