"""Trying out a feed output format string: a draft and sample records in, all there is to see out.

Pure but for a `.fof` file that a draft names, and bounded: strings, records, lines and what is
printed in all have a largest size, so that nothing a person pastes keeps a thread busy for long.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from formats.comparison import Comparison
from formats.errors import FeedFormatError
from formats.lacking import Lacking
from formats.language import FeedFormat
from formats.reading.dissection import Entry
from nss.config.values import AUTO, FormatChoice

MAX_FORMAT_BYTES = 64 << 10
MAX_SAMPLES_BYTES = 1 << 20
MAX_FILTER_BYTES = 8 << 10

MAX_RECORDS = 200
"""So many records are rendered, the rest is counted."""

MAX_RECORD_BYTES = 64 << 10
"""Real ones have 1 to 20 KB."""

SHOWN_CHARS = 4096
"""How much of a line is shown in a list; of the one that is looked at, all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a person has put in: texts as they were typed, right or wrong.

    `input` is how the samples are read. `filter` are the keys of a feed's filter table, in TOML.
    `protect_for` are names of `formats.structure.guards.PROTECTIONS`.
    `compare` is a preset, or nothing for the nearest. `look` is the number of the record whose line
    is taken apart, 0 for the first that has one.
    """

    format_string: str = ""
    samples: str = ""
    input: FormatChoice = AUTO
    zone: str = "GMT"
    source_zone: str = "GMT"
    escape_characters: str = ""
    protect_separators: bool = True
    protect_for: tuple[str, ...] = ()
    filter: str = ""
    compare: str = ""
    look: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a sample record; records are numbered from 1.

    `text` is the line, cut to `SHOWN_CHARS`, or the reason why there is none. `size` is that of the
    whole line in bytes. `record` is the beginning of a record that was rejected.
    """

    number: int
    kind: Literal["line", "filtered", "rejected"]
    text: str = ""
    size: int = 0
    is_cut: bool = False
    record: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """The line of one record, taken apart; `unreadable` says why it can't be.

    `reads_back` is whether reading it with its own format and rendering it again gives the same
    line, and its time is whole; if not, `lost` says why. `doubts` are sentences on what
    may be read back wrong of other lines.
    """

    number: int
    line: str
    entries: tuple[Entry, ...] = ()
    unreadable: str = ""
    reads_back: bool = False
    lost: str = ""
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Compared:
    """The format beside a preset; `None`: it is too large to compare."""

    preset: str
    comparison: Comparison | None


@dataclass(frozen=True, slots=True)
class Rendering:
    """What became of the sample records: `input` is the form that they were read in.

    `left_out` counts those that were not tried, because there are too many or too long ones.
    `unmapped` are keys that no field is known for, with the number of their records.
    """

    input: str
    outcomes: tuple[Outcome, ...]
    left_out: int
    lacking: Lacking
    look: Look | None
    unmapped: Mapping[str, int]

    def count(self, kind: str) -> int:
        """Return how many records came to that."""
        return sum(outcome.kind == kind for outcome in self.outcomes)

    @property
    def longest(self) -> int:
        """The size of the longest line, in bytes."""
        return max((outcome.size for outcome in self.outcomes), default=0)


@dataclass(frozen=True, slots=True)
class Trial:
    """All there is to see of a draft.

    `errors` are those of the format string, `problems` what is wrong elsewhere by the name of the
    draft's field. Without a usable format string the rest is absent.
    """

    errors: tuple[FeedFormatError, ...] = ()
    problems: dict[str, str] = field(default_factory=dict)
    format: FeedFormat | None = None
    rendering: Rendering | None = None
    warnings: tuple[str, ...] = ()
    discovery: str = ""
    compared: Compared | None = None
    toml: str = ""
