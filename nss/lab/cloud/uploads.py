"""What the lab keeps of an upload, and what it found in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that was handed over to Cloud Discovery."""

    name: str
    source_type: str
    data_source: str
    """Or the name of the report, for a snapshot."""
    size_bytes: int
    path: Path
    """Where the bytes are, as they came."""
    gzip: bool
    snapshot: bool


@dataclass(frozen=True, slots=True)
class Parsed:
    """What was in an upload. `failure` is the governance log's text, `None` for a success."""

    upload: Upload
    at: float
    """When it was parsed, seconds since the epoch."""
    records: int
    malformed: int
    too_old: int
    failure: str | None
    examples: Sequence[tuple[bytes, str]]
    """The first few malformed lines, each with what is wrong with it."""

    @property
    def lines(self) -> int:
        """The number of lines read, good or not."""
        return self.records + self.malformed + self.too_old
