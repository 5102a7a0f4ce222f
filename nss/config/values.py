"""What settings take that has a meaning of its own: addresses, zones, feed formats, names."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from formats import language, presets, times
from formats.errors import FeedFormatError, NotReadable, Problem, ZoneError
from formats.reading import recognise
from nss.addresses import host_port
from nss.config.kinds import OFF, off_too
from nss.config.setting import Kind, Refused, suggestion, toml_text

SYSLOG_PORT = 514
"""The port of syslog over UDP (RFC 5426, section 3.3)."""

MAX_PORT = 65_535

_NAME = re.compile(r"[a-z0-9_-]{1,64}")
_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_BRACKETED = re.compile(r"\[([^\[\]]*)\](?::(.*))?")
_HEX_DIGITS = frozenset("0123456789abcdefABCDEF")


class Address(NamedTuple):
    """A host name or IP address without brackets (empty: every interface), and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return host_port(self.host, self.port)


@dataclass(frozen=True, slots=True)
class FormatChoice:
    """Which feed format a source reads or a feed renders.

    `value` is the preset's name, the file's path, or the feed output format string itself; it is
    empty for `auto` (recognised from the records) and `json` (objects with NSS field names).
    """

    kind: Literal["auto", "json", "preset", "file", "string"]
    value: str = ""


AUTO = FormatChoice("auto")


class ComponentName(Kind):
    """The name of a source or feed."""

    takes = "1 to 64 of a-z, 0-9, _ and -"

    def read(self, value: object) -> str:
        """Return the name."""
        if not isinstance(value, str) or not _NAME.fullmatch(value):
            raise self.refuse(value)
        return value


@dataclass(frozen=True)
class ListenAddress(Kind):
    """Where to listen: the host may be left out, the port may be 0 for any free one."""

    off: bool = False

    @property
    def takes(self) -> str:
        """The ways to write it."""
        return f'"HOST:PORT", "[IPV6]:PORT" or ":PORT" for every interface{off_too(self.off)}'

    def read(self, value: object) -> Address | None:
        """Return the address; its host is empty for every interface."""
        if self.off and value == OFF:
            return None
        if not isinstance(value, str):
            raise self.refuse(value)
        host, port = _split(self, value)
        if port is None:
            raise self.refuse(value, f"has no port; must be {self.takes}")
        if host or value.startswith("["):
            _check_host(self, value, host)
        return Address(host, _port(self, value, port, lowest=0))

    def show(self, value: object) -> str:
        """Return the address in quotes."""
        return toml_text(OFF if value is None else str(value))


class Destination(Kind):
    """Where to send: a port left out is the one of syslog."""

    takes = f'"HOST", "HOST:PORT" or "[IPV6]:PORT" (port {SYSLOG_PORT} when left out)'

    def read(self, value: object) -> Address:
        """Return the address with its port."""
        if not isinstance(value, str):
            raise self.refuse(value)
        host, port = _split(self, value)
        _check_host(self, value, host)
        return Address(host, SYSLOG_PORT if port is None else _port(self, value, port, lowest=1))

    def show(self, value: object) -> str:
        """Return the address in quotes."""
        return toml_text(str(value))


def _split(kind: Kind, text: str) -> tuple[str, str | None]:
    """Split into host and port, both unchecked; the port is `None` when left out."""
    bracketed = _BRACKETED.fullmatch(text)
    if bracketed is not None:
        return bracketed[1], bracketed[2]
    host, colon, port = text.partition(":")
    if ":" in port:
        raise kind.refuse(text, "an IPv6 address needs brackets, like [2001:db8::1]:514")
    return host, port if colon else None


def _check_host(kind: Kind, text: str, host: str) -> None:
    if text.startswith("["):
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            raise kind.refuse(text, "between the brackets must be an IPv6 address") from None
        return
    labels = host.removesuffix(".").split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):  # noqa: PLR2004 - RFC 1035, 2.3.4
        raise kind.refuse(text, f"has no valid host; must be {kind.takes}")
    if labels[-1].isdigit():
        try:
            ipaddress.IPv4Address(host)
        except ValueError:
            raise kind.refuse(text, "the host is neither a name nor an IPv4 address") from None


def _port(kind: Kind, text: str, port: str, *, lowest: int) -> int:
    if re.fullmatch("[0-9]{1,5}", port) and lowest <= int(port) <= MAX_PORT:
        return int(port)
    raise kind.refuse(text, f"the port must be from {lowest} to {MAX_PORT}")


class HostName(Kind):
    """The name or address of a host, as a certificate has it."""

    takes = "a host name or an IP address, without port"

    def read(self, value: object) -> str:
        """Return the name."""
        if not isinstance(value, str):
            raise self.refuse(value)
        if ":" not in value:
            _check_host(self, value, value)
            return value
        try:
            ipaddress.IPv6Address(value)
        except ValueError:
            raise self.refuse(value) from None
        return value


_URL_PATH = re.compile(r"/[A-Za-z0-9._~/-]{0,255}")


class UrlPath(Kind):
    """The path of a URL."""

    takes = "a path that starts with /, of letters, digits and . _ ~ - /"

    def read(self, value: object) -> str:
        """Return the path."""
        if not isinstance(value, str) or not _URL_PATH.fullmatch(value):
            raise self.refuse(value)
        return value


class Zone(Kind):
    """A time zone."""

    takes = 'an IANA name like "Europe/Berlin", or "GMT", "GMT+2", "GMT-05:30"'

    def read(self, value: object) -> str:
        """Return the zone's name, which is known to `formats.times.zone`."""
        if not isinstance(value, str):
            raise self.refuse(value)
        try:
            times.zone(value)
        except ZoneError:
            raise self.refuse(value) from None
        return value


@dataclass(frozen=True)
class FormatName(Kind):
    """The name of a preset or the path of a `.fof` file; for sources also `auto` and `json`."""

    for_source: bool = False

    @property
    def takes(self) -> str:
        """The ways to name a format."""
        words = '"auto", "json", ' if self.for_source else ""
        return f"{words}the name of a preset, or the path of a .fof file"

    def read(self, value: object) -> FormatChoice:
        """Return the choice; the path of a file stays as it is written."""
        if not isinstance(value, str) or not value.isprintable():
            raise self.refuse(value)
        if self.for_source and value == "auto":
            return FormatChoice("auto")
        if self.for_source and value == "json":
            return FormatChoice("json")
        if value.endswith(".fof") or "/" in value:
            return FormatChoice("file", value)
        known = (*(("auto", "json") if self.for_source else ()), *presets.names())
        if value not in known:
            raise self.refuse(value, f"there is no such preset; {suggestion(value, known)}")
        return FormatChoice("preset", value)

    def show(self, value: object) -> str:
        """Return the format's name or path in quotes."""
        if isinstance(value, FormatChoice):
            return toml_text(value.value or value.kind)
        return toml_text(value)


@dataclass(frozen=True)
class FormatText(Kind):
    """A feed output format string; one for a source must be readable back."""

    for_source: bool = False

    @property
    def takes(self) -> str:
        """How such a string is written."""
        return "a feed output format string, best in ''' quotes"

    def read(self, value: object) -> FormatChoice:
        """Return the choice of a string that compiles."""
        if not isinstance(value, str):
            raise self.refuse(value)
        why = format_fault(value, for_source=self.for_source)
        if why:
            raise self.refuse(value, why)
        return FormatChoice("string", value)


def format_fault(text: str, *, for_source: bool) -> str | None:
    """Return why `text` is no usable feed output format string, or `None` when it is one."""
    try:
        compiled = language.parse(text)
        if not compiled.slots:
            return "prints no field"
        if for_source:
            recognise.input_of(compiled)
    except FeedFormatError as error:
        return str(error).removeprefix("feed format: ")
    except NotReadable as error:
        return f"can't be read back: {error}"
    return None


class EscapeCharacters(Kind):
    """Further characters that `e*` fields encode as `%HH`.

    `%` and hex digits are refused: an encoded character would itself have to be encoded.
    """

    takes = "printable ASCII characters, without %, 0-9, a-f and A-F"

    def read(self, value: object) -> str:
        """Return the characters."""
        if not isinstance(value, str):
            raise self.refuse(value)
        wrong = [c for c in value if not "!" <= c <= "~" or c == "%" or c in _HEX_DIGITS]
        if wrong:
            listed = " ".join(dict.fromkeys(toml_text(char) for char in wrong))
            raise self.refuse(value, f"must be {self.takes}; wrong here: {listed}")
        return value


@dataclass(frozen=True)
class HeaderText(Kind):
    """A name in the header of a syslog message (RFC 5424, section 6): PRINTUSASCII."""

    max_length: int

    @property
    def takes(self) -> str:
        """The length and the characters."""
        return f"1 to {self.max_length} printable ASCII characters without blanks"

    def read(self, value: object) -> str:
        """Return the name."""
        if not isinstance(value, str) or not 1 <= len(value) <= self.max_length:
            raise self.refuse(value)
        if not all("!" <= char <= "~" for char in value):
            raise self.refuse(value)
        return value


@dataclass(frozen=True)
class LineText(Kind):
    """Text for people, on one line."""

    min_length: int
    max_length: int

    @property
    def takes(self) -> str:
        """The length, and that it is one line."""
        return f"{self.min_length} to {self.max_length} characters, without control characters"

    def read(self, value: object) -> str:
        """Return the text."""
        if not isinstance(value, str) or not self.min_length <= len(value) <= self.max_length:
            raise self.refuse(value)
        if not value.isprintable() or value != value.strip():
            raise self.refuse(value)
        return value


class ProxyUrl(Kind):
    """Where an HTTP proxy listens."""

    takes = "http://HOST:PORT, without a user"

    def read(self, value: object) -> str:
        """Return the URL without anything behind the port."""
        if not isinstance(value, str) or not value.isprintable():
            raise self.refuse(value)
        if "@" in value:
            why = f"must be {self.takes}; the file in proxy_auth_file has that"
            raise Refused(Problem("", "***", why))
        try:
            parts = urlsplit(value)
            port = parts.port
        except ValueError:
            raise self.refuse(value) from None
        if parts.scheme != "http" or not parts.hostname or not port:
            raise self.refuse(value)
        if parts.path not in {"", "/"} or parts.query or parts.fragment:
            raise self.refuse(value)
        return f"http://{host_port(parts.hostname, port)}"
