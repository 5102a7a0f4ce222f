"""Whether the configuration on the disk is another than the one that runs, looked at at times."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from nss.config.load import parse, read_text
from nss.config.model import Config
from nss.config.restart import settings_needing_restart
from nss.errors import NssError
from nss.service.changes import retired_by
from nss.service.refused_reload import in_one_line
from nss.service.repeated import repeated
from nss.service.running import Running, RunningFeed, RunningSource
from nss.service.threads import off_loop
from nss.status.readings import NewerFileReading

LOOK_SECS = 2.0
"""How often the file, and those that it names, are looked at."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What the file says, and what is in the way of putting it in force."""

    differs: bool = True
    is_refused: bool = False
    """Whether it is what a reload refused: that is reported already, with the reason."""
    problem: str | None = None
    more: int = 0
    restart: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()


class NewerFile:
    """Compares what is in the file with what runs. `configuration` returns the one in force.

    By content, in the way a reload would: a changed comment is no change, a renewed certificate,
    token or format that the file names is one.
    """

    def __init__(self, path: Path, running: Running, configuration: Callable[[], Config]) -> None:
        self.reading: NewerFileReading | None = None
        """`None`: what runs is what the file says, or nobody has looked."""
        self._path = path
        self._running = running
        self._configuration = configuration
        self._parsed: tuple[str, Config | tuple[str, int]] | None = None
        """The text read last, and what it states: a configuration, or its first problem and the
        number of others."""
        self._reloads = 0
        self._refused: str | None = None
        """The text that a reload refused: somebody knows already."""

    async def watch(self, look_secs: float = LOOK_SECS) -> None:
        """Look again and again; a look that fails is reported, and not the last."""
        await asyncio.sleep(look_secs)
        await repeated("the configuration file", self.look, look_secs)

    async def look(self) -> None:
        """Look once; a reload that happens meanwhile makes that worth nothing."""
        reloads = self._reloads
        parts = dict(self._running.sources), dict(self._running.feeds)
        found = await off_loop(partial(self._compared, self._configuration(), *parts))
        if reloads == self._reloads:
            self._note(found)

    def reloaded(self) -> None:
        """Note that the file was put in force."""
        self._reloads += 1
        self._refused, self.reading = None, None

    async def refused(self) -> None:
        """Note that a reload was refused: that is reported with its reason, until the file is
        another.
        """
        self.reading = None
        self._refused = await off_loop(self._text)
        self._reloads += 1  # a look that began before knew nothing of it

    def _note(self, found: _Found) -> None:
        if not found.is_refused:
            # Somebody changed it; perhaps back to what runs.
            self._refused = self._running.refused_reload = None
        if not found.differs or found.is_refused:
            self.reading = None
            return
        since = time.time() if self.reading is None else self.reading.since
        self.reading = NewerFileReading(
            path=str(self._path.absolute()),
            since=since,
            problem=found.problem,
            parts=found.parts,
            needs_restart=found.restart,
            more=found.more,
        )

    def _text(self) -> str:
        """Return what is in the file; what can't be read reads as the reason. Reads a bounded
        regular file, no pipe.
        """
        try:
            return read_text(self._path)
        except NssError as error:
            return f"\0{error.args[0]}".replace(f" ({self._path})", "")

    def _compared(
        self,
        config: Config,
        sources: Mapping[str, RunningSource],
        feeds: Mapping[str, RunningFeed],
    ) -> _Found:
        """Return what is different; runs in a thread of its own."""
        text = self._text()
        if text == self._refused:
            return _Found(is_refused=True)
        if self._parsed is None or self._parsed[0] != text:
            self._parsed = text, self._stated(text)
        stated = self._parsed[1]
        if isinstance(stated, tuple):
            return _Found(problem=stated[0], more=stated[1])
        if stated != config:
            return _Found(restart=tuple(settings_needing_restart(config, stated)))
        parts = tuple(retired_by(stated, sources, feeds).names)
        return _Found(differs=bool(parts), parts=parts)

    def _stated(self, text: str) -> Config | tuple[str, int]:
        if text.startswith("\0"):
            return text[1:].splitlines()[0].removeprefix("configuration: "), 0
        try:
            return parse(text, self._path.absolute().parent, origin=str(self._path))
        except NssError as error:
            return in_one_line(error)
