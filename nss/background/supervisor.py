"""The supervisor: `python -m nss.background.supervisor LOCK LOG CONFIG READY_FD COMMAND...`.

On the descriptor READY_FD it writes one line of JSON when the service is ready, or has ended before
it was: `{"pid": 12, "exit_code": null}`. It ends with the exit code of the service.
"""

import asyncio
import contextlib
import logging
import os
import resource
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Sequence
from logging.handlers import RotatingFileHandler
from pathlib import Path

import msgspec

from nss.background.lock import Lock, Note
from nss.errors import NssError

RESTART_SECS = 5.0
MAX_STARTS = 60
WITHIN_SECS = 600.0
"""The supervisor gives up after too many starts within this time."""

WATCHDOG_SECS = 30.0
ABORT_SECS = 10.0
"""How long a service that missed the watchdog may take to dump its stacks."""

NEVER_AGAIN = frozenset({0, 64, 66, 75, 78, 143})
"""Exit codes after which another start would change nothing, or is not wanted."""

TAKEN = 73
"""Exit code of a supervisor that finds another already running."""

LOG_BYTES = 10 << 20
LOGS_KEPT = 5

_CHUNK_BYTES = 64 * 1024


class StartReport(msgspec.Struct, frozen=True):
    """The result of a start."""

    pid: int
    """The supervisor's."""
    exit_code: int | None
    """`None`: the service is ready. Otherwise it has ended, for good."""


class Supervisor:
    """Runs `command` until it is asked to stop, and restarts it when it fails.

    `ready` is a descriptor for the `StartReport`. Tests give shorter `restart_secs` and
    `watchdog_secs`.
    """

    def __init__(
        self,
        command: Sequence[str],
        lock: Lock,
        log: Path,
        config: str,
        ready: int,
        *,
        restart_secs: float = RESTART_SECS,
        watchdog_secs: float = WATCHDOG_SECS,
    ) -> None:
        self._command = command
        self._lock = lock
        self._log = RotatingFileHandler(
            log, maxBytes=LOG_BYTES, backupCount=LOGS_KEPT, errors="replace", delay=True
        )
        self._log.terminator = ""
        self._config = config
        self._ready: int | None = ready
        self._restart_secs = restart_secs
        self._watchdog_secs = watchdog_secs
        self._notices = _NoticeSocket()
        self._stopping = asyncio.Event()
        self._service: asyncio.subprocess.Process | None = None
        self._fed_at: float | None = None

    async def run(self) -> int:
        """Return the exit code of the service, when it has ended for good."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        loop.add_signal_handler(signal.SIGHUP, self._pass_on, signal.SIGHUP)
        loop.add_reader(self._notices.fileno(), self._heard)
        try:
            code = await self._run_on()
        finally:
            loop.remove_reader(self._notices.fileno())
            self._notices.close()
        self._say(f"The service ended with {code}.")
        self._report(code)
        self._log.close()
        return code

    async def _run_on(self) -> int:
        """Start the service, and restart it after failures; return its last exit code."""
        starts: deque[float] = deque()
        while True:
            starts.append(time.monotonic())
            code = await self._run_once()
            while len(starts) > 1 and starts[0] < time.monotonic() - WITHIN_SECS:
                starts.popleft()
            was_never_ready = self._ready is not None
            if was_never_ready or code in NEVER_AGAIN or len(starts) >= MAX_STARTS:
                return code
            self._say(f"The service ended with {code}; it is started again.")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), self._restart_secs)
            if self._stopping.is_set():
                return code

    async def _run_once(self) -> int:
        self._fed_at = None
        self._service = service = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=os.environ
            | {
                "NOTIFY_SOCKET": self._notices.name,
                "WATCHDOG_USEC": str(int(self._watchdog_secs * 1e6)),
            },
        )
        self._lock.note(Note(self._config, service_pid=service.pid))
        watching = asyncio.create_task(self._watch(service))
        if service.stdout is not None:
            await self._keep_log(service.stdout)
        code = await service.wait()
        watching.cancel()
        self._service = None
        shown = 128 - code if code < 0 else code
        self._lock.note(Note(self._config, exit_code=shown, ended_at=time.time()))
        return shown

    async def _keep_log(self, stream: asyncio.StreamReader) -> None:
        rest = b""
        while data := await stream.read(_CHUNK_BYTES):
            whole, newline, rest = (rest + data).rpartition(b"\n")
            if len(rest) > _CHUNK_BYTES:
                whole, newline, rest = whole + newline + rest, b"\n", b""
            self._write((whole + newline).decode(errors="replace"))
        if rest:
            self._write(rest.decode(errors="replace") + "\n")

    async def _watch(self, service: asyncio.subprocess.Process) -> None:
        """End a service that missed the watchdog, after it has dumped its stacks."""
        while True:
            await asyncio.sleep(min(1.0, self._watchdog_secs / 3))
            if self._fed_at is not None and time.monotonic() - self._fed_at > self._watchdog_secs:
                break
        self._say(f"The service has not fed the watchdog for {self._watchdog_secs:.0f} s.")
        with contextlib.suppress(ProcessLookupError):
            service.send_signal(signal.SIGABRT)
            await asyncio.sleep(min(ABORT_SECS, self._watchdog_secs))
            service.kill()

    def _heard(self) -> None:
        for notice in self._notices.read():
            self._fed_at = time.monotonic()
            if "READY=1" in notice:
                self._report(None)
            if "STOPPING=1" in notice:
                self._fed_at = None
                return

    def _stop(self) -> None:
        self._stopping.set()
        self._pass_on(signal.SIGTERM)

    def _pass_on(self, number: signal.Signals) -> None:
        if self._service is not None:
            with contextlib.suppress(ProcessLookupError):
                self._service.send_signal(number)

    def _report(self, code: int | None) -> None:
        if self._ready is not None:
            with contextlib.suppress(OSError):  # whoever asked is gone
                os.write(self._ready, msgspec.json.encode(StartReport(os.getpid(), code)) + b"\n")
            os.close(self._ready)
            self._ready = None

    def _say(self, sentence: str) -> None:
        self._write(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} supervisor: {sentence}\n")

    def _write(self, text: str) -> None:
        if text:
            self._log.handle(logging.makeLogRecord({"msg": text}))


class _NoticeSocket:
    """Where the service reports how it is; an abstract address of this process alone."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.name = f"@nss-supervisor-{os.getpid()}-{os.urandom(8).hex()}"
        self._socket.bind(f"\0{self.name[1:]}".encode())

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def read(self) -> list[list[str]]:
        """Return the notices that have come, each as its lines; not those of other users."""
        notices = []
        with contextlib.suppress(BlockingIOError):
            while True:
                data, extra, _, _ = self._socket.recvmsg(4096, socket.CMSG_SPACE(12))
                if os.geteuid() in {_sender(body) for *_, body in extra}:
                    notices.append(data.decode(errors="replace").splitlines())
        return notices


def _sender(credentials: bytes) -> int:
    """Return the user in a `struct ucred`."""
    return int.from_bytes(credentials[4:8], sys.byteorder)


def main(arguments: Sequence[str]) -> int:
    """Run until the service ends for good; return the exit code."""
    lock, log, config, ready, *command = arguments
    logging.raiseExceptions = False  # a full disk must not end the service
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(0o077)
    held = Lock(Path(lock))
    if not held.take():
        return TAKEN

    async def supervised() -> int:
        return await Supervisor(command, held, Path(log), config, int(ready)).run()

    return asyncio.run(supervised())


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except NssError as error:
        sys.exit(str(error))
