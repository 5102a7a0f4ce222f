"""What was last found out about the data source in MCAS, by whoever asked in the portal."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from nss.admin.portal.pages.integrations.foreign import MAX_ITEM_CHARS, shown

if TYPE_CHECKING:
    from nss.mcas.connection_test import ConnectionReport


@dataclass(slots=True)
class Arrival:
    """The data source as MCAS last showed it. Times are seconds since the epoch."""

    at: float | None = None
    """When MCAS was asked; `None`: not since the start of the service."""
    is_there: bool = False
    """Whether MCAS has the data source."""
    received_at: float | None = None
    """When it last received data, if that can be read."""
    received: str = ""
    """The same as MCAS writes it; empty: never."""
    failed_files: int = 0

    def found(self, report: "ConnectionReport") -> None:
        """Take what a test found, if it came as far as the data source."""
        if not any(check.name == "data source" for check in report.steps):
            return
        stream = report.stream
        self.at, self.is_there = time.time(), stream is not None
        text = "" if stream is None else stream.last_received or ""
        self.received, self.received_at = shown(text, MAX_ITEM_CHARS), _moment(text)
        self.failed_files = 0 if stream is None else stream.failed_files


def _moment(text: str) -> float | None:
    """Return the time of a text in ISO 8601, in UTC unless it says otherwise."""
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
