"""The serial console of a machine: a pseudo-terminal that is read all the time.

Nobody may stop reading it: a guest whose console is full waits.
"""

import os
import re
import threading
import time
import tty
from pathlib import Path
from typing import Self

_READ_BYTES = 65536
_TAIL_CHARS = 6000
_ESCAPES = re.compile(
    r"\x1b\[[0-9;?=]*[ -/]*[@-~]|\x1b[()][A-Z0-9]|\x1b[=>78c]|\x1b\][^\x07]*\x07|\r"
)


class ConsoleError(AssertionError):
    """The console did not show in time what was expected; the text has what it did show."""


class Console:
    """Our end of the console, used with `with`; `far_end` is the descriptor that the emulator gets.

    What comes is also written to `log`, for whoever looks into a failure.
    """

    def __init__(self, log: Path) -> None:
        self.log = log
        self._text = ""
        self._seen = 0
        self._changed = threading.Condition()
        self._ended = False
        self._ours, self.far_end = os.openpty()
        tty.setraw(self.far_end)
        self._thread = threading.Thread(target=self._read, name="console")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        os.close(self.far_end)  # with the emulator's own gone as well, the reading ends
        self._thread.join()
        os.close(self._ours)

    def _read(self) -> None:
        with self.log.open("ab", buffering=0) as log:
            while True:
                try:
                    data = os.read(self._ours, _READ_BYTES)
                except OSError:
                    break  # nobody has the far end any more
                log.write(data)
                with self._changed:
                    self._text += data.decode("utf-8", "replace")
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def expect(self, *patterns: str, secs: float = 60) -> tuple[int, str]:
        """Wait for the first of the patterns; returns which, and what came before it.

        What is found is passed: the next call looks behind it.
        """
        deadline = time.monotonic() + secs
        with self._changed:
            while True:
                clean = _ESCAPES.sub("", self._text[self._seen :])
                matches = [re.search(pattern, clean) for pattern in patterns]
                found = [(one.start(), n, one) for n, one in enumerate(matches) if one]
                if found:
                    _, number, match = min(found, key=lambda one: one[:2])
                    self._text, self._seen = clean[match.end() :], 0
                    return number, clean[: match.start()]
                left = deadline - time.monotonic()
                if left <= 0 or self._ended:
                    why = "the machine has ended" if self._ended else f"not within {secs:g} s"
                    raise ConsoleError(f"{why}: {patterns}\n...{clean[-_TAIL_CHARS:]}")
                self._changed.wait(left)

    def send(self, text: str) -> None:
        """Type text."""
        data = text.encode()
        while data:
            data = data[os.write(self._ours, data) :]

    def answer(self, question: str, text: str, secs: float = 60) -> str:
        """Wait for a question, a pattern, and type the answer; returns what came before."""
        _, before = self.expect(question, secs=secs)
        self.send(f"{text}\n")
        return before

    def tail(self) -> str:
        """Return the end of what was shown, without escapes."""
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        return _ESCAPES.sub("", text)[-_TAIL_CHARS:]
