"""What people press while a command shows something live, and what its terminal sends."""

import os
import re
import select
import signal
import termios
import tty
from types import FrameType
from typing import Literal, Self

Key = Literal["quit", "down", "up", "page down", "page up", "first", "last", "suspend"]

_SEQUENCE = re.compile(rb"\x1b[\[O][0-9;]*[A-Za-z~]|.", re.DOTALL)
_KEYS: dict[bytes, Key] = {
    **dict.fromkeys((b"q", b"Q"), "quit"),
    **dict.fromkeys((b"j", b"\x1b[B", b"\x1bOB"), "down"),
    **dict.fromkeys((b"k", b"\x1b[A", b"\x1bOA"), "up"),
    **dict.fromkeys((b" ", b"\x1b[6~"), "page down"),
    **dict.fromkeys((b"b", b"\x1b[5~"), "page up"),
    **dict.fromkeys((b"g", b"\x1b[H", b"\x1bOH", b"\x1b[1~"), "first"),
    **dict.fromkeys((b"G", b"\x1b[F", b"\x1bOF", b"\x1b[4~"), "last"),
}
_SIGNALS: dict[int, Key] = {
    signal.SIGINT: "quit",
    signal.SIGTERM: "quit",
    signal.SIGHUP: "quit",
    signal.SIGTSTP: "suspend",
}


class Keyboard:
    """Keys of a terminal, each as it is pressed, used with `with`; signals count as keys.

    Afterwards the terminal is as it was. Standard input that is no terminal has no keys.
    """

    def __init__(self, descriptor: int = 0) -> None:
        self._descriptor = descriptor
        self._signalled: list[Key] = []
        self.ended_by = 0
        """The number of the signal that ends the command, 0 for none; Ctrl-C is a key."""

    def __enter__(self) -> Self:
        self._is_terminal = os.isatty(self._descriptor)
        self._handlers = {number: signal.signal(number, self._note) for number in _SIGNALS}
        if self._is_terminal:
            self._settings = termios.tcgetattr(self._descriptor)
            tty.setcbreak(self._descriptor)
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_terminal:
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._settings)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def pressed(self, within_secs: float) -> list[Key]:
        """Return the keys that were pressed, at the latest after so many seconds."""
        keys: list[Key] = []
        watched = [self._descriptor] if self._is_terminal else []
        readable, _, _ = select.select(watched, [], [], within_secs)
        if readable:
            data = self._read()
            keys = [_KEYS[each] for each in _SEQUENCE.findall(data) if each in _KEYS]
            keys += ["quit"] if not data else []  # nobody is there any more
        signalled, self._signalled = self._signalled, []
        return keys + signalled

    def suspend(self) -> None:
        """Give the terminal back and stop, as Ctrl-Z asks, until the shell continues us."""
        self.__exit__()
        os.kill(os.getpid(), signal.SIGTSTP)
        self.__enter__()

    def _read(self) -> bytes:
        try:
            return os.read(self._descriptor, 1024)
        except OSError:  # how Linux says that the terminal is gone
            return b""

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._signalled.append(_SIGNALS[number])
        if number in {signal.SIGTERM, signal.SIGHUP}:
            self.ended_by = number
