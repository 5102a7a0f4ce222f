"""Messages to systemd, by the protocol of sd_notify(3); no small maintained library speaks it.

One datagram a message, `KEY=VALUE` lines, to the unix socket that `NOTIFY_SOCKET` names, where a
leading `@` stands for the NUL of an abstract one. Without that variable nothing is sent.

The watchdog is fed only while the service is `alive`. That is about the service itself: a dead
collector or a full disk leaves it alive, since a restart would not repair them.
"""

import asyncio
import os
import socket
import time
from collections.abc import Callable, Mapping
from logging import ERROR, WARNING

from nss.telemetry.counters import Counter
from nss.telemetry.events import event
from nss.wording import error_text

USEC = 1_000_000


class Notifier:
    """Reports the state of the service to the service manager."""

    def __init__(
        self,
        environ: Mapping[str, str] = os.environ,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self._clock = clock
        self.watchdog_secs = _watchdog_secs(environ)
        """The watchdog must be fed within this time; `None`: there is none."""
        self._socket: socket.socket | None = None
        if self._address:
            self._socket = socket.socket(
                socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
            )

    def ready(self) -> None:
        """Report that everything is started, or that a reload has ended."""
        self._send("READY=1")

    def reloading(self) -> None:
        """Report that a reload begins; `ready` reports its end, whatever the outcome."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={int(self._clock() * USEC)}")

    def stopping(self) -> None:
        """Report that the stop begins."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """Show one line of text in `systemctl status`."""
        self._send(f"STATUS={' '.join(text.split())}")

    async def feed_watchdog(self, alive: Callable[[], bool]) -> None:
        """Feed the watchdog while `alive`, three times as often as it must be; never returns.

        Returns at once when there is no watchdog.
        """
        if self._socket is None or self.watchdog_secs is None:
            return
        while True:
            if alive():
                self._send("WATCHDOG=1")
            else:
                _withheld()
            await asyncio.sleep(self.watchdog_secs / 3)

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, message: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto(message.encode(errors="replace"), self._address)
        except OSError as error:
            _unheard(message.partition("\n")[0].partition("=")[0], error_text(error))


def _address(name: str) -> bytes:
    """Return the address of a unix socket; empty if the name is none."""
    if name.startswith("@"):
        return b"\0" + os.fsencode(name[1:])
    return os.fsencode(name) if name.startswith("/") else b""


def _watchdog_secs(environ: Mapping[str, str]) -> float | None:
    """Return what sd_watchdog_enabled(3) does: only a setting for this process counts."""
    usec = environ.get("WATCHDOG_USEC", "")
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(usec) / USEC if usec.isdecimal() and int(usec) else None


@event(ERROR, Counter.WATCHDOG_WITHHELD, name="watchdog_withheld", component="service")
def _withheld() -> None:
    """Records wait, none moves and no part reports an error: the watchdog is no longer fed."""


@event(WARNING, Counter.NOTIFY_FAILURES, name="notify_failed", component="service")
def _unheard(what: str, why: str) -> None:
    """The service manager could not be informed of the state of the service."""
