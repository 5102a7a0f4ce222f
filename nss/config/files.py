"""Files that a configuration names: feed formats, keys and passwords, read with a bound."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from formats import FeedFormat, Input, input_of, json_names, parse, presets
from formats.language import Literal
from formats.slips import suspicions
from formats.unchanged import UNCHANGED
from nss.config.values import FormatChoice, format_faults
from nss.errors import ConfigError
from nss.files import private
from nss.wording import error_text

MAX_KEY_BYTES = 64 << 10
MAX_CREDENTIAL_BYTES = 4 << 10
"""More would not fit into the header of a request."""

MAX_FORMAT_BYTES = 1 << 20
MAX_PEM_BYTES = private.MAX_PEM_BYTES
MAX_BYTES = max(MAX_KEY_BYTES, MAX_CREDENTIAL_BYTES, MAX_FORMAT_BYTES, MAX_PEM_BYTES)
"""Of any file that a configuration names and that parts are built from."""


class UnfitFile(ConfigError):  # noqa: N818 - named as the sentence reads
    """A file that the configuration names can't be used; `reason` says it without the path."""

    def __init__(self, what: str, reason: str, path: Path) -> None:
        self.reason = reason
        self.path = path
        super().__init__(f"{what} {path}: {reason}")


def load_format(choice: FormatChoice) -> FeedFormat | None:
    """Return the compiled feed format of a choice, `None` for `auto` and `json`.

    Raises `UnfitFile` when a `.fof` file can't be read or compiled.
    """
    match choice.kind:
        case "auto" | "json":
            return None
        case "unchanged":
            return UNCHANGED
        case "preset":
            return presets.load(choice.value)
        case "string":
            return parse(choice.value)
        case "file":
            path = Path(choice.value)
            return parse(format_of_file(path, for_source=False), name=path.stem)


def load_input(choice: FormatChoice) -> Input | None:
    """Return how records of a choice are read, `None` for `auto`. Raises `UnfitFile`."""
    if choice.kind == "json":
        return json_names()
    feed_format = load_format(choice)
    return None if feed_format is None else input_of(feed_format)


def source_warnings(name: str, choice: FormatChoice) -> Iterator[str]:
    """Yield sentences on values that a source may read wrong. Raises `UnfitFile`."""
    found = load_input(choice)
    for doubt in () if found is None else found.doubts:
        yield f"source {name}: lines of its format are not read back in full: {doubt}"


def format_warnings(feeds: Iterable[tuple[str, FormatChoice]]) -> Iterator[str]:
    """Yield sentences on text of the formats of feeds, by name, that was perhaps to be a field.

    Raises `UnfitFile`.
    """
    for name, choice in feeds:
        parts = () if (found := load_format(choice)) is None else found.parts
        texts = [part.text for part in parts if isinstance(part, Literal)]
        yield from (f"feed {name}: its format {doubt}" for doubt in suspicions(texts))


def read_obfuscation_key(path: Path) -> bytes:
    """Return the key in a file, without one line end at its end. Raises `UnfitFile`.

    Refuses an empty key and a file that is open to everyone.
    """
    return _secret("obfuscation key", path, MAX_KEY_BYTES)


def read_token(path: Path) -> bytes:
    """Return the bearer token in a file, without one line end at its end. Raises `UnfitFile`.

    Refuses a file that is open to everyone, and what no `Authorization` header can carry.
    """
    what = "token"
    token = _secret(what, path, MAX_CREDENTIAL_BYTES)
    if not all(0x21 <= byte <= 0x7E for byte in token):  # noqa: PLR2004 - "!" and "~"
        raise UnfitFile(what, "must be printable ASCII characters without blanks", path)
    return token


def read_basic(path: Path) -> bytes:
    """Return `USER:PASSWORD` from a file, without one line end at its end. Raises `UnfitFile`.

    Refuses a file that is open to everyone, and what can't be sent so (RFC 7617, section 2).
    """
    what = "user and password"
    credentials = _secret(what, path, MAX_CREDENTIAL_BYTES)
    user, _, password = credentials.partition(b":")
    if not user or not password:
        raise UnfitFile(what, "must be USER:PASSWORD, both not empty", path)
    if any(byte < 0x20 or byte == 0x7F for byte in credentials):  # noqa: PLR2004 - ASCII
        raise UnfitFile(what, "must be one line, without control characters", path)
    return credentials


def _secret(what: str, path: Path, max_bytes: int) -> bytes:
    data = read_bounded(what, path, max_bytes, secret=True)
    secret = data.removesuffix(b"\n").removesuffix(b"\r")
    if not secret:
        raise UnfitFile(what, "is empty", path)
    return secret


def format_of_file(path: Path, *, for_source: bool) -> str:
    """Return what a `.fof` file holds, which compiles."""
    what = "feed format"
    try:
        text = read_bounded(what, path, MAX_FORMAT_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnfitFile(what, f"byte {error.start + 1} is not UTF-8", path) from None
    faults = format_faults(text, for_source=for_source)
    if faults:
        raise UnfitFile(what, "\n".join(fault.text for fault in faults), path)
    return text


def read_bounded(what: str, path: Path, max_bytes: int, *, secret: bool = False) -> bytes:
    """Return what a regular file holds. Raises `UnfitFile`, which calls it `what`.

    Refuses more than `max_bytes`, and a `secret` that is open to everyone.
    """
    try:
        return private.read_bounded(path, max_bytes, forbidden=private.EVERYONE if secret else 0)
    except OSError as error:
        raise UnfitFile(what, error_text(error), path) from None
    except private.FileFault as fault:
        raise UnfitFile(what, str(fault), path) from None
