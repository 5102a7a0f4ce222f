"""A file as the target, for a proxy or DNS server that is not ZIA.

The file is replaced as a whole: whoever reads it sees the old list or the new. Another file that is
there already is never overwritten.
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Literal

import msgspec

from nss.config.sync import SyncConfig
from nss.files.beneath import open_folder
from nss.files.private import FileFault, read_bounded
from nss.sync import TargetFailed, TargetUnfit
from nss.sync.state import MAX_BYTES, FileMemory, SyncStore
from nss.sync.targets import At, Done, Plan
from nss.sync.targets.formats import Rendered, advice, render
from nss.sync.unbroken import unbroken
from nss.wording import error_text

FILE_NAME = "unsanctioned.txt"
"""In the state directory, unless the settings name another file."""

_MODE = 0o644
_MAX_OUTPUT_BYTES = 4 << 10
_MAX_SHOWN = 200
_MAX_SERIAL = 0xFFFF_FFFF
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
"""Of the reload command: what is in our own is none of its business, secrets above all."""


class FileTarget:
    """The file that the settings name, by default one in the state directory."""

    def __init__(
        self,
        settings: SyncConfig,
        state_directory: Path,
        store: SyncStore,
        *,
        now: Callable[[], float] = time.time,
        at: At = lambda _point: None,
    ) -> None:
        self.kind: Literal["file"] = "file"
        self.path = settings.file_path or state_directory / FILE_NAME
        self.destination = f"{settings.file_format} file {self.path}"
        self._settings = settings
        self._store = store
        self._now = now
        self._at = at

    async def close(self) -> None:
        """There is nothing to close."""

    async def blocking(self, deadline: float) -> None:
        """Return nothing: who reads the file, and what it does with it, is not known."""

    async def plan(self, wanted: Sequence[str], deadline: float) -> Plan:  # noqa: ARG002 - the contract's
        """See `Target.plan`. Raises `TargetUnfit` for a file that is not ours."""
        return await asyncio.to_thread(self._plan, wanted)

    def _plan(self, wanted: Sequence[str]) -> Plan:
        memory, data = self._remembered(), self._read()
        if data and not memory.path:
            raise TargetUnfit(
                f"there is a file already that this program did not write ({self.path})",
                tip="move it away, or name another file as file_path in [sync]",
            )
        rendered = render(wanted, self._settings.file_format, memory.serial)
        written, listed = set(memory.urls), _expressed(wanted, rendered)
        return Plan(
            add=tuple(sorted(listed - written)),
            remove=tuple(sorted(written - listed)),
            set_aside=rendered.set_aside,
            present=len(written),
            repairs=memory.is_pending or rendered.data != data,
            advice=advice(self._settings.file_format),
        )

    async def carry_out(self, plan: Plan, wanted: Sequence[str], deadline: float) -> Done:  # noqa: ARG002 - the contract's
        """See `Target.carry_out`. Raises `TargetFailed`."""
        memory = self._remembered()
        serial = min(max(memory.serial + 1, int(self._now())), _MAX_SERIAL)
        claimed = msgspec.structs.replace(
            memory, path=str(self.path), serial=serial, is_pending=True
        )
        await unbroken(lambda: self._store.keep_file(claimed))
        self._at("claimed")
        rendered = render(wanted, self._settings.file_format, serial)
        try:
            await unbroken(lambda: self._write(rendered.data))
        except TargetFailed:  # what somebody puts there from now on is not ours
            await unbroken(lambda: self._store.keep_file(memory))
            raise
        self._at("written")
        listed = tuple(sorted(_expressed(wanted, rendered)))
        written = msgspec.structs.replace(claimed, urls=listed)
        await unbroken(lambda: self._store.keep_file(written))
        self._at("owned")
        if self._settings.reload_command is not None:
            await self._reload(self._settings.reload_command)
            self._at("activated")
        known = msgspec.structs.replace(written, is_pending=False)
        await unbroken(lambda: self._store.keep_file(known))
        return Done(len(plan.add), len(plan.remove))

    def _remembered(self) -> FileMemory:
        """Return what is remembered of this file, nothing of another."""
        memory = self._store.file()
        return memory if memory.path == str(self.path) else FileMemory()

    def _read(self) -> bytes:
        """Return what is in the file, nothing when there is none."""
        try:
            return read_bounded(self.path, MAX_BYTES)
        except FileNotFoundError:
            return b""
        except FileFault as fault:
            raise TargetUnfit(f"the file of the list {fault} ({self.path})") from None
        except OSError as error:
            raise self._failed("can't be read", error) from None

    def _write(self, data: bytes) -> None:
        try:
            with open_folder(self.path.parent) as folder:
                folder.write(self.path.name, data, _MODE, None)
        except OSError as error:
            raise self._failed("can't be written", error) from None

    def _failed(self, verb: str, error: OSError) -> TargetFailed:
        return TargetFailed(
            f"the file of the list {verb}: {error_text(error)} ({self.path})",
            tip="its folder must be there, and open to the user that nss runs as",
        )

    async def _reload(self, command: Sequence[str]) -> None:
        """Run the reload command. Raises `TargetFailed`."""
        # Into a file: a daemon that the command starts may keep a pipe open for ever.
        with TemporaryFile() as output:
            try:
                process = await asyncio.create_subprocess_exec(
                    *command,
                    env=_ENVIRONMENT,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
            except OSError as error:
                raise _not_reloaded(command, error_text(error)) from None
            try:
                async with asyncio.timeout(self._settings.reload_secs):
                    code = await process.wait()
            except TimeoutError:
                reason = f"it had not ended after {self._settings.reload_secs:g} s"
                raise _not_reloaded(command, reason) from None
            finally:
                await _end(process)
            if code:
                how = f"exit code {code}" if code > 0 else f"signal {-code}"
                raise _not_reloaded(command, f"{how}{_last_line(output)}")


def _expressed(wanted: Sequence[str], rendered: Rendered) -> set[str]:
    """Return the URLs that the format can express."""
    return set(wanted) - {aside.entry for aside in rendered.set_aside}


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill a process that has not ended, and what it has started."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def _last_line(output: IO[bytes]) -> str:
    output.seek(0, os.SEEK_END)
    output.seek(max(0, output.tell() - _MAX_OUTPUT_BYTES))
    lines = output.read().decode(errors="replace").strip().splitlines()
    last = lines[-1].strip()[:_MAX_SHOWN] if lines else ""
    shown = "".join(letter if letter.isprintable() else "?" for letter in last)
    return f": {shown}" if shown else ""


def _not_reloaded(command: Sequence[str], reason: str) -> TargetFailed:
    return TargetFailed(
        f"the list was written and reload_command failed: {reason} ({command[0]})",
        tip="run the command by hand, as the user that nss runs as",
    )
