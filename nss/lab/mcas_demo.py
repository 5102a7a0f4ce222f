"""The MCAS demonstration on this machine: logs out, and unsanctioned apps back to the gateway.

Sign-in, API, storage and ZIA are the lab's; the commands and the service are run as an
administrator runs them, in processes of their own, with a configuration file of their own.
"""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

from nss.errors import ServiceError
from nss.lab import commands
from nss.lab.cloud import CloudLab
from nss.lab.demo_service import folder_of_demo
from nss.lab.discovery import Discovery
from nss.lab.generator import RecordGenerator
from nss.lab.way_back import WayBack
from nss.wording import counted

TICK_SECS = 0.05
STOP_SECS = 60.0
UPLOAD_SECS = 2

_CONFIG = """\
[service]
log_format = "json"
control_socket = "{folder}/control.sock"
state_directory = "{folder}/state"
drain_secs = 30

[mcas]
ca_file = "{ca_file}"

[zia]
ca_file = "{ca_file}"

[spool]
path = "{folder}/spool.db"

[sources.web]
kind = "file"
path = "{folder}/web.log"
poll_secs = 0.05

[feeds.upload]
format = "MCAS"

[feeds.upload.sink]
kind = "cloud_discovery"
max_secs = {upload_secs}
"""


class McasDemo:
    """One run: `async for part in demo.run()` says what happens."""

    def __init__(self, seconds: float, records_per_sec: int, *, seed: int = 1) -> None:
        self.discovery = Discovery()
        self.sent = self.arrived = self.uploads = 0
        self.is_blocked = False
        """Whether the app that was marked as unsanctioned is blocked at the end."""
        self.complaints: list[str] = []
        self._seconds = seconds
        self._records_per_sec = records_per_sec
        self._lines = RecordGenerator(
            seed, records_per_sec=records_per_sec, start_epoch=int(time.time())
        ).lines(sys.maxsize)

    async def run(self) -> AsyncIterator[str | Discovery]:
        """Run it: lines, and what Cloud Discovery sees once it has all that was uploaded.

        Raises `ServiceError` when a part of it fails.
        """
        with folder_of_demo() as name:
            folder = Path(name)
            (folder / "lab").mkdir()
            (folder / "state").mkdir()
            with CloudLab(folder / "lab") as lab:
                config = self._configuration(folder, lab)
                async for line in self._way_out(folder, config, lab):
                    yield line
                yield self.discovery
                back = WayBack(config, lab)
                async for line in back.run(self.discovery):
                    yield line
                self.is_blocked, self.complaints = back.is_blocked, lab.complaints

    def _configuration(self, folder: Path, lab: CloudLab) -> Path:
        config = folder / "nss.toml"
        config.write_text(
            _CONFIG.format(folder=folder, ca_file=lab.ca_file, upload_secs=UPLOAD_SECS),
            encoding="utf-8",
        )
        return config

    async def _way_out(self, folder: Path, config: Path, lab: CloudLab) -> AsyncIterator[str]:
        yield f"Stand-ins: Entra at {lab.entra_url}, MCAS at {lab.api_url},"
        yield f"ZIA at {lab.zia_url}, all of this machine."
        arguments = ["--client-id", lab.client_id, "--api-url", lab.api_url]
        arguments += ["--authentication-url", lab.authentication_url]
        yield "$ nss configure-mcas2 --client-id ... --authentication-url ... --api-url ..."
        secret = {"NSS_MCAS_CLIENT_SECRET": lab.client_secret}
        for line in await commands.run(config, "configure-mcas2", *arguments, secrets=secret):
            yield f"  {line}"
        yield "$ nss run"
        log = folder / "nss.log"
        (folder / "web.log").touch()
        process = await commands.start_service(config, log)
        try:
            began = time.monotonic()
            with (folder / "web.log").open("ab") as web:
                while (elapsed := time.monotonic() - began) < self._seconds:
                    due = int((elapsed + TICK_SECS) * self._records_per_sec) - self.sent
                    web.write(b"".join(next(self._lines) + b"\n" for _ in range(due)))
                    web.flush()
                    self.sent += due
                    if len(lab.mcas.uploads) > self.uploads:
                        self.uploads = len(lab.mcas.uploads)
                        files = counted(self.uploads, "file")
                        yield f"  {counted(self.sent, 'record')} sent, {files} uploaded"
                    await asyncio.sleep(TICK_SECS)
            await self._arrival(lab, process)
            self.discovery = lab.discovery
            files = counted(self.uploads, "file")
            yield f"  {counted(self.sent, 'record')} sent, {self.arrived:,} arrived in {files}"
            yield "$ nss verify-mcas2"
            for line in await commands.run(config, "verify-mcas2"):
                yield f"  {line}"
            await self._finish(process, log)
        finally:
            await commands.kill(process)

    async def _arrival(self, lab: CloudLab, process: asyncio.subprocess.Process) -> None:
        """Wait until MCAS has read all that was sent, or no more can be hoped for."""
        deadline = time.monotonic() + STOP_SECS
        while lab.parser.lines < self.sent and time.monotonic() < deadline:
            if process.returncode is not None:
                break
            await asyncio.sleep(TICK_SECS)
        self.uploads, self.arrived = len(lab.mcas.uploads), lab.parser.records

    async def _finish(self, process: asyncio.subprocess.Process, log: Path) -> None:
        """Let the service end. Raises `ServiceError` when it did not end well."""
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_SECS):
                code = await process.wait()
        except TimeoutError:
            code = -1
        if code:
            end = commands.end_of(log)
            raise ServiceError(f"demo: the service ended with exit code {code}\n{end}")
