"""Values as the service writes them: `%HH`, base64 and obfuscation.

`%HH` is upper-case hex of the UTF-8 bytes. Facts: Zscaler's general guidelines for NSS feeds
(bytes up to 0x20 and from 0x7F in URLs, feed escape characters).
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Hashable
from typing import TypeVar

# C0, DEL, C1 (NEL splits lines for some readers), the two Unicode line breaks and lone
# surrogates, which UTF-8 cannot carry.
UNSAFE = "\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff"
"""Character class of everything that never leaves a value as it is, in any format."""

NO_TEXT = frozenset({"None", "NA", "N/A", "Unknown"})
"""What the service writes for a text that is not there."""

find_unsafe = re.compile(f"[{UNSAFE}]").search

_EVERY_UNSAFE = re.compile(f"[{UNSAFE}]")
_ESCAPED = re.compile("(?:%[0-9A-Fa-f]{2})+")
_HEX_PLACE = re.compile(r"%[0-9A-Fa-f]?\Z")


def percent(text: str) -> str:
    """Return every byte of `text` as `%HH`."""
    return "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass"))


def _percent_match(found: re.Match[str]) -> str:
    return percent(found[0])


def unescaped(text: str) -> str:
    """Return `text` with each `%HH` as what it stands for; bytes that are no UTF-8 as `xhh`."""
    return _ESCAPED.sub(_characters, text)


def _characters(found: re.Match[str]) -> str:
    return bytes.fromhex(found[0].replace("%", "")).decode("utf-8", "backslashreplace")


def clean(text: str) -> str:
    """Return `text` with control characters as `%HH`; everything else stays."""
    if text.isprintable():
        return text
    return _EVERY_UNSAFE.sub(_percent_match, text)


def cleaner(characters: str) -> Callable[[str], str]:
    """Return a function like `clean` that encodes `characters` too."""
    if not characters:
        return clean
    pattern = re.compile(f"[{UNSAFE}{re.escape(characters)}]")
    return lambda text: pattern.sub(_percent_match, text)


def encoder(escape_characters: str = "") -> Callable[[str], str]:
    """Return the encoding of the `e*` fields: bytes <= 0x20, >= 0x7F and the escape characters.

    Encoding what is already encoded changes nothing, because `%` stays: `escape_characters` must
    hold neither `%` nor hex digits.
    """
    more = f"|[{re.escape(escape_characters)}]" if escape_characters else ""
    pattern = re.compile(f"[^\x21-\x7e]{more}")
    # Spaces make up nearly all of what is encoded; replacing them first leaves a mere scan.
    return lambda text: pattern.sub(_percent_match, text.replace(" ", "%20"))


Key = TypeVar("Key", bound=Hashable)
Answer = TypeVar("Answer")


class Remembered(dict[Key, Answer]):
    """The answers of a function, worked out once for each key: `remembered[key]`.

    User agents, departments and the like come again and again. Bounded, so that hostile values
    cannot fill the memory: a full table is emptied, and texts over `max_chars` are not kept.
    """

    def __init__(
        self, function: Callable[[Key], Answer], max_entries: int = 4096, max_chars: int = 512
    ) -> None:
        super().__init__()
        self._function = function
        self._max_entries = max_entries
        self._max_chars = max_chars

    def __missing__(self, key: Key) -> Answer:
        answer = self._function(key)
        if not isinstance(key, str) or len(key) <= self._max_chars:
            if len(self) >= self._max_entries:
                self.clear()
            self[key] = answer
        return answer


def url_path(url: str) -> str:
    """Return the path of a URL that carries no scheme; `/` when it has none.

    It ends where query or fragment begin, whatever these hold (RFC 3986, 3.3).
    """
    _, slash, path = url.partition("#")[0].partition("?")[0].partition("/")
    return slash + path if slash else "/"


def to_base64(text: str) -> str:
    """Return `text` as padded standard base64 of its UTF-8 bytes."""
    return base64.b64encode(text.encode("utf-8", "surrogatepass")).decode("ascii")


def from_base64(text: str) -> str | None:
    """Return the text in base64 (standard or URL-safe alphabet); `None` when it states none.

    Padding may be missing, but not be too long. The placeholders of `NO_TEXT` are base64 too, and
    would pass for a URL. Bytes that are not UTF-8 become U+FFFD: the vendor names no charset.
    """
    written = text.strip()
    digits = written.rstrip("=")
    padding = -len(digits) % 4
    if written in NO_TEXT or len(written) > len(digits) + padding:
        return None
    padded = digits.translate(_URL_SAFE) + "=" * padding
    try:
        return base64.b64decode(padded, validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return None


_URL_SAFE = str.maketrans("-_", "+/")


def obfuscator(key: bytes) -> Callable[[str], str]:
    """Return the one-way function of the `o*` fields: text to an unsigned 32-bit decimal.

    Keyed BLAKE2b: equal values stay equal under one key, and without it a list of known names
    leads nowhere. `key` has up to 64 bytes; longer keys are hashed first.
    """
    if len(key) > hashlib.blake2b.MAX_KEY_SIZE:
        key = hashlib.blake2b(key).digest()

    def obfuscate(text: str) -> str:
        data = text.encode("utf-8", "surrogatepass")
        return str(int.from_bytes(hashlib.blake2b(data, digest_size=4, key=key).digest(), "big"))

    return obfuscate


def cut(text: str, max_bytes: int, mark: str) -> str:
    """Return `text` shortened to `max_bytes` of UTF-8, ending in `mark`, at a character boundary.

    A `%HH` is not cut in two. Text that fits is returned as it is; when not even the mark fits,
    the result is the mark.
    """
    data = text.encode("utf-8", "surrogatepass")
    if len(data) <= max_bytes:
        return text
    room = max(0, max_bytes - len(mark.encode()))
    kept = data[:room].decode("utf-8", "ignore")
    return _HEX_PLACE.sub("", kept) + mark
