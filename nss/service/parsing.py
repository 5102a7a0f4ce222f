"""The watch over the uploaded files of a running service: its life, and its reading."""

import asyncio
from typing import TYPE_CHECKING

from nss.config.model import Config, McasConfig
from nss.config.sinks import CloudDiscoverySinkConfig
from nss.errors import NssError, unplanned
from nss.mcas.access import McasAccess
from nss.service import events
from nss.status.readings import ParseFailureReading, ParsingReading

if TYPE_CHECKING:
    from nss.mcas.parse_results import ParseFailure
    from nss.mcas.parse_watch import ParseWatch

_KIND, _NAME = "watch", "of parse results"

_Wanted = tuple[McasConfig, tuple[str, ...]]


class ParseWatching:
    """Runs the watch that a configuration needs, if it needs one."""

    def __init__(self, access: McasAccess) -> None:
        self._access = access
        self._wanted: _Wanted | None = None
        self._watch: ParseWatch | None = None
        self._task: asyncio.Task[None] | None = None

    async def follow(self, config: Config) -> None:
        """Watch as a configuration says."""
        feeds = tuple(
            feed.name for feed in config.feeds if isinstance(feed.sink, CloudDiscoverySinkConfig)
        )
        wanted = (config.mcas, feeds) if feeds and config.mcas.parse_check_secs else None
        if wanted == self._wanted:
            return
        await self.close()
        self._wanted = wanted
        if wanted is None:
            return
        from nss.mcas.parse_watch import ParseWatch

        try:
            session = self._access.session(config)
        except NssError as error:  # a file is gone since the feeds were built
            events.part_ended(_KIND, _NAME, str(error))
            return
        self._watch = ParseWatch(session, config.mcas, feeds, config.service.state_directory)
        self._task = asyncio.create_task(_guarded(self._watch), name=f"{_KIND} {_NAME}")

    async def close(self) -> None:
        """End the watch."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._watch = self._task = self._wanted = None

    def reading(self) -> ParsingReading | None:
        """Return what is known of uploaded files."""
        watch = self._watch
        if watch is None:
            return None
        known = watch.summary
        return ParsingReading(
            data_source=watch.data_source,
            read_at=watch.read_at,
            unreadable=watch.unreadable,
            parsed=known.parsed,
            failed=known.failed,
            pending=known.pending,
            overdue=known.overdue,
            last_parsed_at=known.last_parsed_at,
            last_failure=None if known.last_failure is None else _reading(known.last_failure),
            standing=tuple(map(_reading, known.standing)),
        )


async def _guarded(watch: "ParseWatch") -> None:
    """Run a watch; an error of its own is reported, and is no reason to stop the stream."""
    try:
        await watch.run()
    except Exception as error:  # noqa: BLE001 - it must not go unseen, nor stop the records
        reason = unplanned(error)
        watch.unreadable = f"the watch ended: {reason}"
        events.part_ended(_KIND, _NAME, reason)


def _reading(failure: "ParseFailure") -> ParseFailureReading:
    return ParseFailureReading(
        at=failure.at,
        text=failure.text,
        remedy=failure.remedy,
        file=failure.file,
        feed=failure.feed,
    )
