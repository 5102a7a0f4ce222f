"""A terminal of some size: what a command wrote on it, as a person sees it."""

import codecs
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from rich.cells import cell_len

from tests.cli.conftest import COMMAND, ENV

WAIT_SECS = 40.0

_PIECE = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])|([\r\n])|([^\x1b\r\n]+)")


class Screen:
    """Rows of cells, and the sequences that commands use; any other is an error."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        self.is_alternate = False
        self.shows_cursor = True
        self.styles: set[str] = set()
        self._cells = [[" "] * columns for _ in range(rows)]
        self._row = self._column = 0

    def feed(self, text: str) -> None:
        """Draw what was written."""
        end = 0
        for found in _PIECE.finditer(text):
            assert found.start() == end, f"unknown: {text[end : found.start()]!a}"
            end = found.end()
            parameters, command, control, letters = found.groups()
            if command:
                self._obey(parameters, command)
            elif control == "\r":
                self._column = 0
            elif control == "\n":
                self._next_row()
            else:
                self._print(letters)
        assert end == len(text), f"unknown: {text[end:]!a}"

    @property
    def text(self) -> str:
        """What is seen, without spaces at the ends of rows and empty rows at the end."""
        rows = ("".join(row).rstrip() for row in self._cells)
        return "\n".join(rows).rstrip("\n") + "\n"

    def _obey(self, parameters: str, command: str) -> None:
        match command, parameters:
            case "h" | "l", "?1049":
                self.is_alternate = command == "h"
                self._cells = [[" "] * self.columns for _ in range(self.rows)]
                self._row = self._column = 0
            case "h" | "l", "?25":
                self.shows_cursor = command == "h"
            case "H", "":
                self._row = self._column = 0
            case "A", number:
                self._row = max(0, self._row - int(number or "1"))
            case "K", "2":
                self._cells[self._row] = [" "] * self.columns
            case "m", _:
                self.styles.add(parameters)
            case _:
                raise AssertionError((parameters, command))

    def _print(self, letters: str) -> None:
        for letter in letters:
            cells = cell_len(letter)
            if self._column + cells > self.columns:
                self._column = 0
                self._next_row()
            self._cells[self._row][self._column] = letter
            for further in range(1, cells):
                self._cells[self._row][self._column + further] = ""
            self._column += cells

    def _next_row(self) -> None:
        self._row += 1
        if self._row == self.rows:
            self._row -= 1
            self._cells = [*self._cells[1:], [" "] * self.columns]


class Terminal:
    """A command on a terminal of its own; used with `with`, it has ended afterwards."""

    def __init__(
        self, arguments: Sequence[str | Path], columns: int, rows: int, **environ: str
    ) -> None:
        self._ours, self._theirs = pty.openpty()
        self._size = (columns, rows)
        self.resize(columns, rows)
        self.settings = termios.tcgetattr(self._theirs)
        usual = {name: value for name, value in ENV.items() if name not in {"COLUMNS", "NO_COLOR"}}
        self.process = subprocess.Popen(  # noqa: S603 - ours
            [*COMMAND, *map(str, arguments)],
            stdin=self._theirs,
            stdout=self._theirs,
            stderr=self._theirs,
            env=usual | {"TERM": "xterm", "TZ": "UTC"} | environ,
            start_new_session=True,
            preexec_fn=_controlled,  # noqa: PLW1509 - one call, and no threads that hold a lock
        )
        # A read may end in the middle of a character.
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self.written = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._theirs)
        os.close(self._ours)

    @property
    def screen(self) -> Screen:
        """What is seen now; of what a terminal of another size has shown nothing is kept."""
        screen = Screen(*self._size)
        screen.feed(self.written)
        return screen

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size, as a window that is dragged."""
        self._size = (columns, rows)
        self.written = ""
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self._ours, keys.encode())

    def until(self, text: str) -> str:
        """Return what is seen once this text is."""
        return self._until(lambda shown: text in shown)

    def shows(self, screen: str) -> None:
        """Return once this is the whole of what is seen."""
        wanted = "\n".join(line.rstrip() for line in screen.splitlines()) + "\n"
        self._until(lambda shown: shown == wanted)

    def until_not(self, text: str) -> str:
        """Return what is seen once this text is not."""
        return self._until(lambda shown: text not in shown and shown != "\n")

    def until_written(self, first: str, then: str) -> None:
        """Return once one sequence was written, and another after it."""
        self._until(lambda _: then in self.written.partition(first)[2])

    def _until(self, is_there: Callable[[str], bool]) -> str:
        deadline = time.monotonic() + WAIT_SECS
        while not is_there(shown := self.screen.text):
            assert self.process.poll() is None, shown
            assert time.monotonic() < deadline, shown
            self._more(0.1)
        return shown

    def ended(self) -> int:
        """Return the exit code, once the command has ended and all that it wrote was read."""
        deadline = time.monotonic() + WAIT_SECS
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.screen.text
            self._more(0.1)
        while self._more(0):
            pass
        return self.process.returncode

    @property
    def settings_now(self) -> object:
        """How the terminal treats keys."""
        return termios.tcgetattr(self._theirs)

    def _more(self, secs: float) -> bool:
        readable, _, _ = select.select([self._ours], [], [], secs)
        if not readable:
            return False
        self.written += self._decoder.decode(os.read(self._ours, 65_536))
        return True


def _controlled() -> None:
    """Have standard input control this process, as a login shell's: Ctrl-C is then a signal."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
