"""`nss top`: the status, live, in whatever size the terminal has."""

import sys
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console, ConsoleDimensions
from rich.live import Live
from rich.text import Text

from cli.asking import service_of
from cli.screen.cells import padded, shortened, size_of, wrapped
from cli.screen.fitting import fitted
from cli.screen.keyboard import Key, Keyboard
from cli.screen.report import report_of
from cli.screen.wording import clock_text, moment
from cli.status import picture
from nss.admin.control.client import ControlClient
from nss.errors import NssError, UsageError
from nss.status.summary import Status
from nss.wording import harmless

REFRESH_SECS = 1.0
LOOK_SECS = 0.2
"""How soon a key or another size of the terminal shows."""

_KEYS = "q quits, j and k scroll"
_FAR = 1 << 30
_TIP = "nss status, or nss status --json"


@dataclass(frozen=True, slots=True)
class View:
    """What is to be shown: the last status, and whether the service still answers."""

    status: Status
    asked_at: float
    """When the service was asked last, seconds since the epoch."""
    gone: str = ""
    """Why it does not answer; empty while it does."""
    gone_since: float = 0.0
    first: int = 0
    """The first line, where people have scrolled."""

    def after(self, answer: Status | NssError) -> "View":
        """Return the view once the service has answered, or has not."""
        now = time.time()
        if isinstance(answer, Status):
            return replace(self, status=answer, asked_at=now, gone="")
        since = self.gone_since if self.gone else now
        return replace(self, asked_at=now, gone=str(answer), gone_since=since)

    def scrolled(self, lines: int, columns: int, rows: int) -> "View":
        """Return the view so many lines further down, or up."""
        most = len(report_of(self.status, columns).lines()) - self._height(columns, rows)
        return replace(self, first=max(0, min(self.first + lines, most)))

    def drawn(self, columns: int, rows: int) -> Text:
        """Return it in as many lines as the terminal has."""
        height = self._height(columns, rows)
        report = report_of(self.status, columns)
        lines = report.lines()[self.first :][:height] if self.first else fitted(report, height)
        lines += [Text()] * (height - len(lines))
        return Text("\n").join([*self._notice(columns), *lines, self._footer(columns)])

    def _height(self, columns: int, rows: int) -> int:
        return max(1, rows - 1 - len(self._notice(columns)))

    def _notice(self, columns: int) -> list[Text]:
        if not self.gone:
            return []
        since = moment(self.gone_since, self.asked_at)
        said = (
            f"{harmless(self.gone.splitlines()[0])}, since {since}; tried again every second. "
            f"Below is its status of {clock_text(self.status.at)}."
        )
        return [Text(line, style="bold red") for line in wrapped(said, columns, "! ", "  ")]

    def _footer(self, columns: int) -> Text:
        clock = clock_text(self.status.at)
        keys = padded(_KEYS, columns - len(clock) - 1)
        return Text(shortened(f"{keys} {clock}", columns), style="reverse")


def watch(config: Path) -> int:
    """Show the status once a second, also across restarts of the service, until `q` or Ctrl-C.

    Returns the exit code. Raises `UsageError` without a terminal that can be drawn on, and
    `NssError` when there is no service at first.
    """
    console = Console(highlight=False)
    if not console.is_terminal:
        raise UsageError("top: needs a terminal", tip=_TIP)
    if console.is_dumb_terminal:
        raise UsageError("top: can't draw on this terminal (TERM is dumb or unknown)", tip=_TIP)
    with service_of(config) as service:
        watching = _Watching(console, service, View(service.status(), time.time()))
        with Keyboard() as keyboard:
            watching.until_quit(keyboard)
    console.print(picture(watching.view.status, console.width), soft_wrap=True)
    return 128 + keyboard.ended_by if keyboard.ended_by else 0


class _Watching:
    """Keeps the view up to date, and the terminal with it."""

    def __init__(self, console: Console, service: ControlClient, view: View) -> None:
        self.view = view
        self._console = console
        self._service = service
        self._shown: tuple[object, ...] = ()

    def until_quit(self, keyboard: Keyboard) -> None:
        """Show the status until somebody quits."""
        asked, answer = time.monotonic(), None
        with Live(console=self._console, auto_refresh=False, screen=True) as live:
            while True:
                self._draw(live)
                for key in keyboard.pressed(LOOK_SECS):
                    if key == "quit":
                        return
                    self._obey(key, live, keyboard)
                if answer is not None and answer.done():
                    self.view, answer = self.view.after(_outcome(answer)), None
                elif answer is None and time.monotonic() - asked >= REFRESH_SECS:
                    asked, answer = time.monotonic(), _asked(self._service)

    def _draw(self, live: Live) -> None:
        size = size_of(sys.stdout.fileno())
        if self._shown != (size, self.view):
            self._shown = (size, self.view)
            self._console.size = ConsoleDimensions(*size)
            live.update(self.view.drawn(*size), refresh=True)

    def _obey(self, key: Key, live: Live, keyboard: Keyboard) -> None:
        columns, rows = size_of(sys.stdout.fileno())
        page = max(1, rows - 2)
        moves = {"down": 1, "up": -1, "page down": page, "page up": -page}
        match key:
            case "suspend":
                live.stop()
                keyboard.suspend()
                live.start()
                self._shown = ()
            case "first" | "last":
                self.view = self.view.scrolled(_FAR if key == "last" else -_FAR, columns, rows)
            case _:
                self.view = self.view.scrolled(moves[key], columns, rows)


def _asked(service: ControlClient) -> Future[Status]:
    """Ask the service in a thread, so that keys are heard though it may not answer."""
    answer: Future[Status] = Future()

    def ask() -> None:
        try:
            answer.set_result(service.status())
        except BaseException as error:  # noqa: BLE001 - raised where it is looked at
            answer.set_exception(error)

    threading.Thread(target=ask, daemon=True).start()
    return answer


def _outcome(answer: Future[Status]) -> Status | NssError:
    try:
        return answer.result()
    except NssError as error:
        return error
