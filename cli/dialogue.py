"""Questions at a terminal that echoes nothing by itself.

A terminal echoes what comes in as it comes, whether a program reads it or not. What is pasted a
moment before a hidden question, or in lines together with earlier answers, would be seen. So the
echo is off from the first moment to the last, nothing typed ahead is lost, and visible answers are
shown as they are read.
"""

import codecs
import contextlib
import os
import signal
import sys
import termios
from collections.abc import Iterator
from typing import NoReturn, Self

import typer

_ECHO = termios.ECHO | termios.ECHONL
_DISABLED = b"\0"
_END, _ERASE, _CLEAR, _WORD = b"\x04", b"\x7f\x08", b"\x15", b"\x17"
"""Ctrl-D, Backspace in both forms, Ctrl-U and Ctrl-W, as terminals treat them in a line."""
_LINE_ENDS = b"\r\n"

_LFLAG, _CC = 3, 6
"""Where `termios.tcgetattr` has the local modes and the characters."""


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Have the terminal at standard input echo nothing, if there is one, and put that back.

    What was typed ahead stays.
    """
    if not sys.stdin.isatty():
        yield
        return
    with _mode(sys.stdin.fileno(), reads_letters=False, flushes=False):
        yield


class Dialogue:
    """A dialogue at standard input, which is a terminal; use it with `with`.

    What is left unread at its end is discarded: half a secret does not belong to a shell.
    Ctrl-C and Ctrl-D end it by `typer.Abort`.
    """

    def __init__(self) -> None:
        self._number = sys.stdin.fileno()
        self._modes = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._modes.enter_context(_mode(self._number, reads_letters=True, flushes=True))
        return self

    def __exit__(self, *_exc: object) -> None:
        self._modes.close()

    def ask(self, label: str, kept: str = "", *, hidden: bool = False) -> str:
        """Return the answer to a question, `kept` if there is none. Asks until there is any.

        Without `kept` an empty answer is one.
        """
        typer.echo(f"{label} [{kept}]: " if kept else f"{label}: ", nl=False)
        return self._answer(hidden=hidden) or kept

    def confirm(self, question: str) -> bool:
        """Return whether somebody agrees; Enter does."""
        known = {"": True, "y": True, "yes": True, "n": False, "no": False}
        while True:
            typer.echo(f"{question} [Y/n]: ", nl=False)
            answer = known.get(self._answer(hidden=False).strip().lower())
            if answer is not None:
                return answer
            typer.echo("Error: invalid input")

    def _answer(self, *, hidden: bool) -> str:
        try:
            return self._line(hidden=hidden)
        except (KeyboardInterrupt, EOFError):
            typer.echo()
            raise typer.Abort from None

    def _line(self, *, hidden: bool) -> str:
        line = _Line(hidden=hidden)
        while byte := os.read(self._number, 1):
            if byte in _LINE_ENDS:
                typer.echo()
                return line.text
            line.take(byte)
        raise EOFError  # the terminal is gone


class _Line:
    """A line as it is typed, shown unless it is hidden."""

    def __init__(self, *, hidden: bool) -> None:
        self._letters: list[str] = []
        self._hidden = hidden
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    @property
    def text(self) -> str:
        return "".join(self._letters)

    def take(self, byte: bytes) -> None:
        """Take the next byte. Raises `EOFError` when somebody ends the input."""
        if byte == _END:
            if not self._letters:
                raise EOFError
        elif byte in _ERASE:
            self._erase(1)
        elif byte == _CLEAR:
            self._erase(len(self._letters))
        elif byte == _WORD:
            head, blank, _ = self.text.rstrip().rpartition(" ")
            self._erase(len(self.text) - len(head) - len(blank))
        elif letter := self._decoder.decode(byte):
            self._letters.append(letter)
            self._show(_shown(letter))

    def _erase(self, count: int) -> None:
        count = min(count, len(self._letters))
        del self._letters[len(self._letters) - count :]
        self._show("\b \b" * count)

    def _show(self, text: str) -> None:
        if not self._hidden:
            typer.echo(text, nl=False)


def _shown(letter: str) -> str:
    """Return a letter in one column: what moves the cursor or can't be seen is a question mark."""
    return letter if letter.isprintable() else "?"


@contextlib.contextmanager
def _mode(number: int, *, reads_letters: bool, flushes: bool) -> Iterator[None]:
    """Have a terminal echo nothing, and perhaps hand over each letter as it is typed."""
    before = termios.tcgetattr(number)
    mode = termios.tcgetattr(number)
    mode[_LFLAG] &= ~_ECHO
    # A shell that takes over would switch the echo on.
    mode[_CC][termios.VSUSP] = _DISABLED
    if reads_letters:
        mode[_LFLAG] &= ~termios.ICANON
        mode[_CC][termios.VMIN], mode[_CC][termios.VTIME] = 1, 0
    old_handler = signal.signal(signal.SIGTERM, _terminated)
    try:
        termios.tcsetattr(number, termios.TCSADRAIN, mode)
        yield
    finally:
        when = termios.TCSAFLUSH if flushes else termios.TCSADRAIN
        with contextlib.suppress(termios.error):  # the terminal is gone
            termios.tcsetattr(number, when, before)
        signal.signal(signal.SIGTERM, old_handler)


def _terminated(number: int, _frame: object) -> NoReturn:
    """End in a way that puts the terminal's modes back."""
    sys.exit(128 + number)
