"""Whether a body, unpacked, is text: decided by its beginning, before anything is accepted.

A body that is packed in a way that nobody recognises (brotli, LZ4, Snappy, deflate without its
header), that is UTF-16 or no text at all would be split wherever a byte happens to be a line feed,
answered 200, and come to nothing but rejects. The rule:

- A *foreign* byte is a control character other than tab, LF and CR, or no part of valid UTF-8.
- If there is none among the first 32 bytes, the body is text, whatever follows: these bytes are
  the format's own (`{"sourcetype"`, a date, `LEEF:1.0|`), so that nobody who only makes requests
  through the gateway can have a batch refused.
- Otherwise it is no text if one of them is a NUL, or if at least a tenth of the first 4 KiB is
  foreign. Packed records have 11 % (LZ4, one record) to 60 % (brotli, xz), UTF-16 has 50 %, while
  German text in Latin-1 has 2 to 8 %. Stray bytes are left to the formatter.
"""

SAMPLE_BYTES = 4096

_FIRST_BYTES = 32
_FOREIGN_SHARE = 10
_CONTROLS = bytes({*range(0x20), 0x7F} - set(b"\t\n\r"))


class NotTextError(Exception):
    """The body is no text, however often it is sent."""


class TextCheck:
    """Looks at the beginning of one body as it comes."""

    def __init__(self) -> None:
        self._sample: bytes | None = b""
        """What came while there isn't enough to decide; then `None`."""

    def add(self, piece: bytes) -> None:
        """Look at the next part. Raises `NotTextError` if the body is no text."""
        if self._sample is None:
            return
        self._sample += piece[:SAMPLE_BYTES]
        if len(self._sample) >= SAMPLE_BYTES:
            self.end()

    def end(self) -> None:
        """Decide by what has come. Raises `NotTextError` if the body is no text."""
        sample, self._sample = self._sample, None
        if sample and not is_text(sample[:SAMPLE_BYTES]):
            raise NotTextError


def is_text(beginning: bytes) -> bool:
    """Return whether a body of which these are the first 4 KiB, or all, is text."""
    first = beginning[:_FIRST_BYTES]
    if not _foreign(first):
        return True
    return b"\0" not in first and _foreign(beginning) * _FOREIGN_SHARE < len(beginning)


def _foreign(data: bytes) -> int:
    """Return how many bytes no text has; of a character cut at the end all count."""
    controls = len(data) - len(data.translate(None, _CONTROLS))
    return controls + len(data) - len(data.decode("utf-8", "ignore").encode())
