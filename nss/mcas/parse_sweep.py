"""A walk through the governance log, page after page, that fills the results of our files."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from nss.mcas import McasError
from nss.mcas.api import McasApi
from nss.mcas.parse_results import ParseFailure, ParseResults
from nss.mcas.uploaded import UploadedFile

ODD_ENTRIES = "entries of an unknown shape in the governance log"


class Position(msgspec.Struct, frozen=True):
    """Where a sweep is: at entries from `since` on, without the first `skip` of them."""

    since: float
    """Seconds since the epoch."""
    skip: int = 0


@dataclass(slots=True)
class Sweep:
    """A walk from a position to the end of the log, which may be interrupted.

    Where the service sorts by time, the next page begins with the time of the last entry; where it
    does not, or all entries are of one moment, pages are counted.
    """

    position: Position
    odd: int = 0
    """How many entries had an unknown shape."""
    is_done: bool = False

    async def read_page(self, api: McasApi, results: ParseResults) -> list[ParseFailure]:
        """Read the next page into the results; return new failures. Raises `McasError`."""
        at = self.position
        page = await api.governance(at.since, at.skip)
        self.odd += page.odd
        self.is_done = not page.has_more
        if page.last_at is not None and page.last_at > at.since and not at.skip:
            self.position = Position(page.last_at)
        else:
            self.position = Position(at.since, at.skip + page.size)
        return results.take(page.entries)


async def stream_id(api: McasApi, files: Sequence[UploadedFile], data_source: str) -> str | None:
    """Return the id of a data source: as finalizes said it, or as the list of them has it.

    `None` where neither does: entries are found by the names of files all the same.
    """
    said = next((file.stream_id for file in reversed(files) if file.stream_id), None)
    if said is not None:
        return said
    try:
        streams = await api.streams()
    except McasError:
        return None
    return next((stream.stream_id for stream in streams if stream.name == data_source), None)
