"""The portal on the lab's data: a service with feeds that work and one that does not, to look at.

Sign-in, API, storage and ZIA are the lab's; commands and service are run as an administrator runs
them, in processes of their own, with a configuration file of their own.
"""

import asyncio
import contextlib
import errno
import os
import socket
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Self

from nss.config.sync import SyncConfig
from nss.errors import ServiceError
from nss.lab import commands
from nss.lab.catalog import APPS
from nss.lab.cloud import CloudLab
from nss.lab.cloud.zia.policies import url_filtering_rule
from nss.lab.collector import Collector
from nss.lab.generator import RecordGenerator
from nss.lab.ports import HOST, free_port
from nss.wording import error_text

PORT = 9633
"""Taken if it is free, any other if not."""

SECRET_DAYS = 120
"""How long the application's secret is good for."""

UPLOAD_SECS = 30
"""How long records are collected before they are uploaded."""

TICK_SECS = 0.05
START_SECS = 30.0

STARTS = 3
"""A port that was free may be taken before the service listens; so often others are tried."""

_IN_USE = error_text(OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE)))

_CONFIG = """\
[service]
log_format = "json"
control_socket = "{folder}/control.sock"
state_directory = "{folder}/state"
drain_secs = 2

[portal]
listen = "{host}:{portal_port}"

[mcas]
ca_file = "{ca_file}"
# The lab's limit is the real one; a demonstration looks more often.
parse_check_secs = 20

[zia]
ca_file = "{ca_file}"

[spool]
path = "{folder}/spool.db"
max_bytes = "256MiB"

[sources.gateway]
kind = "tcp"
listen = "{host}:{tcp_port}"

# Uploads to Cloud Discovery, by the lab.
[feeds.mcas]
format = "MCAS"
[feeds.mcas.sink]
kind = "cloud_discovery"
max_secs = {upload_secs}

# A SIEM that takes QRadar LEEF over UDP.
[feeds.siem]
format = "QRADAR"
filter = {{ not_users = ["healthcheck@example.com"] }}
[feeds.siem.sink]
kind = "syslog_udp"
destinations = ["{host}:{udp_port}"]

# A collector that is down, to see what that looks like.
[feeds.branch]
format = "CSV"
[feeds.branch.sink]
kind = "syslog_tcp"
destinations = ["{host}:{closed_port}"]
"""


class _PortTakenError(ServiceError):
    """The service has ended as somebody else listens at one of its ports."""


class PortalDemo:
    """One demonstration, used with `async with`; `run` keeps it at work.

    `is_set_up`: whether the accounts of MCAS and ZIA are configured already, as the commands do it.
    Records are uploaded every `upload_secs`.
    """

    def __init__(
        self,
        records_per_sec: int,
        *,
        seed: int = 1,
        is_set_up: bool = True,
        upload_secs: int = UPLOAD_SECS,
    ) -> None:
        self.sent = 0
        self.link = ""
        """Signs in once, as an administrator."""
        self._records_per_sec = records_per_sec
        self._is_set_up = is_set_up
        self._upload_secs = upload_secs
        self._lines = RecordGenerator(
            seed, records_per_sec=records_per_sec, start_epoch=int(time.time())
        ).lines(sys.maxsize)
        self._exits = contextlib.AsyncExitStack()
        self._port = 0

    async def __aenter__(self) -> Self:
        try:
            await self._begin()
        except BaseException:
            await self._exits.aclose()
            raise
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._exits.aclose()

    async def _begin(self) -> None:
        enter = self._exits.enter_context
        self.folder = folder = Path(enter(tempfile.TemporaryDirectory(prefix="nss-demo-")))
        (folder / "lab").mkdir()
        (folder / "state").mkdir(mode=0o700)
        self.lab = lab = enter(CloudLab(folder / "lab"))
        collector = await self._exits.enter_async_context(Collector())
        closed = enter(socket.socket())
        closed.bind((HOST, 0))  # and never listens
        self._collector_port, self._closed_port = collector.port, closed.getsockname()[1]
        self.config = folder / "nss.toml"
        self.log = folder / "nss.log"
        self._configure(free_port(PORT))
        self._prepare(lab)
        if self._is_set_up:
            await self._set_up(lab)
        for _ in range(STARTS - 1):
            try:
                await self._start()
            except _PortTakenError:
                self._configure(free_port())
            else:
                return
        await self._start()

    def _configure(self, portal_port: int) -> None:
        self._port = free_port()
        text = _CONFIG.format(
            folder=self.folder,
            host=HOST,
            ca_file=self.lab.ca_file,
            portal_port=portal_port,
            tcp_port=self._port,
            udp_port=self._collector_port,
            closed_port=self._closed_port,
            upload_secs=self._upload_secs,
        )
        self.config.write_text(text, encoding="utf-8")

    async def _start(self) -> None:
        self.process = await commands.start_service(self.config, self.log)
        self._exits.push_async_callback(commands.kill, self.process)
        await self._wait_for_link()

    def _prepare(self, lab: CloudLab) -> None:
        """Have the lab block what is unsanctioned, once there is such a category."""
        for app in APPS:
            if app.status == "Unsanctioned":
                domain = "." + app.host.removeprefix("www.")
                lab.mcas.unsanctioned.apps[app.name] = [domain]
        lab.zia.policies.advanced_settings["cascadeUrlFiltering"] = True

    async def _set_up(self, lab: CloudLab) -> None:
        arguments = ["--client-id", lab.client_id, "--api-url", lab.api_url]
        arguments += ["--authentication-url", lab.authentication_url]
        ends = datetime.now(UTC).date() + timedelta(days=SECRET_DAYS)
        arguments += ["--client-secret-expires", ends.isoformat()]
        secret = {"NSS_MCAS_CLIENT_SECRET": lab.client_secret}
        await commands.run(self.config, "configure-mcas2", *arguments, secrets=secret)
        arguments = ["--client-id", lab.zia.one_api.client_id, "--cloud", lab.one_api_url]
        arguments += ["--vanity-domain", lab.one_api_token_url]
        secret = {"NSS_ZIA_CLIENT_SECRET": lab.zia.one_api.secret}
        await commands.run(self.config, "configure-zia", *arguments, secrets=secret)

    async def _wait_for_link(self) -> None:
        deadline = time.monotonic() + START_SECS
        while True:
            try:
                self.link = (await commands.run(self.config, "portal sign-in-link"))[0]
            except ServiceError as error:
                is_over = self.process.returncode is not None
                if is_over or time.monotonic() > deadline:
                    end = commands.end_of(self.log)
                    kind = _PortTakenError if is_over and _IN_USE in end else ServiceError
                    raise kind(f"{error}\n{end}".rstrip()) from None
                await asyncio.sleep(TICK_SECS)
            else:
                return

    @property
    def address(self) -> str:
        """The portal's address."""
        return self.link.partition("/once")[0]

    async def run(self) -> None:
        """Keep it at work until cancelled. Raises `ServiceError` when the service ends."""
        blocking = asyncio.create_task(self.block())
        try:
            await self.send()
        finally:
            blocking.cancel()
            await asyncio.gather(blocking, return_exceptions=True)

    async def send(self) -> None:
        """Send records at the chosen rate, until cancelled. Raises `ServiceError`."""
        while True:
            with contextlib.suppress(OSError):  # the service is restarted
                await self._send()
            if self.process.returncode is not None:
                end = commands.end_of(self.log)
                raise ServiceError(f"demo: the service has ended\n{end}".rstrip())
            await asyncio.sleep(1)

    async def _send(self) -> None:
        _, writer = await asyncio.open_connection(HOST, self._port)
        began, sent_before = time.monotonic(), self.sent
        try:
            while True:
                due_by_now = (time.monotonic() - began + TICK_SECS) * self._records_per_sec
                block = list(islice(self._lines, max(int(due_by_now) + sent_before - self.sent, 0)))
                writer.write(b"".join(line + b"\n" for line in block))
                await writer.drain()
                self.sent += len(block)
                await asyncio.sleep(TICK_SECS)
        finally:
            writer.close()

    async def block(self) -> None:
        """Add the rule to ZIA that blocks the category, once the first sync has made it."""
        while True:
            try:
                category = self.lab.zia.categories.shown(SyncConfig().category)
            except KeyError:
                await asyncio.sleep(TICK_SECS)
            else:
                break
        rule = url_filtering_rule("Unsanctioned apps", [category["id"]])
        self.lab.zia.policies.url_filtering.append(rule)
