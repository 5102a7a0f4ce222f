"""The compiled loops of framing, where they are built and wanted.

They take what is ordinary, and leave all else to the framers, which do without them as well.
"""

from typing import TYPE_CHECKING, Protocol

from formats.compiled import is_wanted

if TYPE_CHECKING:
    from nss.sources.framing import _scan
else:
    try:
        from nss.sources.framing import _scan
    except ImportError:
        _scan = None


class Scan(Protocol):
    """What the module `_scan` has; see there."""

    DONE: int
    BROKEN: int
    DEEP: int
    DEPTH: int

    def plain_lines(
        self, half: bytes | bytearray, block: bytes, start: int, end: int, max_bytes: int
    ) -> tuple[bytes, int]:
        """Return half a line and what is behind it, and how many ordinary lines that is."""

    def plain_messages(
        self, held: bytes | bytearray, at: int, max_bytes: int
    ) -> tuple[bytes, int, int]:
        """Return ordinary messages as lines, how many there are, and where they end."""

    def scan_object(
        self,
        buffer: bytes | bytearray,
        at: int,
        opened: bytes,
        before: int,
        in_string: bool,  # noqa: FBT001 - a state, not an option
    ) -> tuple[int, int, bytes, int, bool]:
        """Scan a JSON object: what it came to, and where it is then."""


def compiled_scan() -> Scan | None:
    """Return the compiled loops; `None` where Python has to run."""
    return _scan if is_wanted() else None
