"""What settings accept that has a meaning of its own: addresses, zones, feed formats, names."""

import ipaddress
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from formats import language, presets, times
from formats.errors import NotReadable, Problem, ZoneError
from formats.reading import recognise
from nss.addresses import host_port
from nss.config.kinds import OFF, InvalidValue, Kind, invalid, suggestion, texts, texts_that
from nss.config.toml import toml_text

SYSLOG_PORT = 514
"""The port of syslog over UDP (RFC 5426, section 3.3)."""

MAX_PORT = 65_535

MAX_FAULTS = 10
"""Of one feed format that are reported at once; the others are counted."""

_MAX_COUNTED = 100
"""Finding the nearest field takes a millisecond for each fault."""

_NAME = re.compile(r"[a-z0-9_-]{1,64}")
_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_BRACKETED = re.compile(r"\[([^\[\]]*)\](?::(.*))?")
_URL_PATH = re.compile(r"/[A-Za-z0-9._~/-]{0,255}")
_HEADER_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TAKEN_HEADERS = frozenset(
    {"authorization", "connection", "content-encoding", "content-length", "content-type", "date"}
    | {"expect", "host", "keep-alive", "origin", "te", "trailer", "transfer-encoding", "upgrade"}
)
_EVERY_INTERFACE = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to
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
    empty for `auto` (recognised from the records) and `json` (objects with NSS field names), and
    the word itself for `unchanged` (each record as it came).
    """

    kind: Literal["auto", "json", "preset", "file", "string", "unchanged"]
    value: str = ""

    @property
    def file(self) -> Path | None:
        """The `.fof` file, if it is one."""
        return Path(self.value) if self.kind == "file" else None


AUTO = FormatChoice("auto")
AS_IT_CAME = FormatChoice("unchanged", "unchanged")


def component_name() -> Kind:
    """Return the kind of names of sources and feeds."""
    return texts_that("1 to 64 of a-z, 0-9, _ and -", _NAME.fullmatch)


def listen_address(*, off: bool = False) -> Kind:
    """Return the kind of addresses to listen at.

    The host may be left out, and is empty then; the port may be 0 for any that is free.
    """

    def read(text: str) -> Address:
        host, port = _split(text)
        if port is None:
            raise invalid(text, f"has no port; must be {kind.expected}")
        if host or text.startswith("["):
            _check_host(text, host, kind.expected)
        return Address(host, _port(text, port, lowest=0))

    expected = '"HOST:PORT", "[IPV6]:PORT" or ":PORT" for every interface'
    kind = texts(expected, read, show=_shown, none=OFF if off else "")
    return kind


def destination(default_port: int = SYSLOG_PORT) -> Kind:
    """Return the kind of addresses to send to: a port left out is by default the one of syslog."""
    expected = f'"HOST", "HOST:PORT" or "[IPV6]:PORT" (port {default_port} when left out)'

    def read(text: str) -> Address:
        host, port = _split(text)
        _check_host(text, host, expected)
        return Address(host, default_port if port is None else _port(text, port, lowest=1))

    return texts(expected, read, show=_shown)


def _shown(value: object) -> str:
    return toml_text(str(value))


def _split(text: str) -> tuple[str, str | None]:
    """Split into host and port, both unchecked; the port is `None` when left out."""
    bracketed = _BRACKETED.fullmatch(text)
    if bracketed is not None:
        return bracketed[1], bracketed[2]
    host, colon, port = text.partition(":")
    if ":" in port:
        raise invalid(text, "an IPv6 address needs brackets, like [2001:db8::1]:514")
    return host, port if colon else None


def _check_host(text: str, host: str, expected: str) -> None:
    if text.startswith("["):
        if not isinstance(ip_address(host), ipaddress.IPv6Address):
            raise invalid(text, "between the brackets must be an IPv6 address")
        return
    labels = host.removesuffix(".").split(".")
    if len(host) > 253 or not all(map(_LABEL.fullmatch, labels)):  # noqa: PLR2004 - RFC 1035, 2.3.4
        raise invalid(text, f"has no valid host; must be {expected}")
    if labels[-1].isdigit() and ip_address(host) is None:
        raise invalid(text, "the host is neither a name nor an IPv4 address")


def ip_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the IP address that a host is written as, `None` for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def is_loopback(host: str) -> bool:
    """Return whether a host to listen at is reached from this machine alone."""
    ip = ip_address(canonical(host))
    return ip is not None and ip.is_loopback


def is_every_interface(host: str) -> bool:
    """Return whether a host to listen at stands for all addresses of this machine."""
    return canonical(host) in _EVERY_INTERFACE


def canonical(host: str) -> str:
    """Return a host in the form in which hosts are compared."""
    name = host.lower().removesuffix(".")
    return str(ip_address("127.0.0.1" if name == "localhost" else name) or name)


def _port(text: str, port: str, *, lowest: int) -> int:
    if re.fullmatch("[0-9]{1,5}", port) and lowest <= int(port) <= MAX_PORT:
        return int(port)
    raise invalid(text, f"the port must be from {lowest} to {MAX_PORT}")


def host_name() -> Kind:
    """Return the kind of names and addresses of a host, as a certificate has them."""
    expected = "a host name or an IP address, without port"

    def read(text: str) -> str | None:
        if ":" not in text:
            _check_host(text, text, expected)
            return text
        return text if ip_address(text) else None

    return texts(expected, read)


def url_path() -> Kind:
    """Return the kind of paths of a URL."""
    return texts_that(
        "a path that starts with /, of letters, digits and . _ ~ - /", _URL_PATH.fullmatch
    )


def header_name() -> Kind:
    """Return the kind of names of a header of HTTP that has no other meaning (RFC 9110, 5.1)."""

    def read(text: str) -> str | None:
        if text.lower() in _TAKEN_HEADERS:
            raise invalid(text, "has another meaning in HTTP; choose a name like X-Api-Key")
        return text if _HEADER_NAME.fullmatch(text) else None

    return texts("the name of a header: 1 to 64 letters, digits, - and _", read)


def zone_name() -> Kind:
    """Return the kind of time zones that `formats.times.zone` knows."""
    return texts_that('an IANA name like "Europe/Berlin", or "GMT", "GMT+2", "GMT-05:30"', _is_zone)


def _is_zone(name: str) -> bool:
    try:
        times.zone(name)
    except ZoneError:
        return False
    return True


def format_name(*, for_source: bool = False) -> Kind:
    """Return the kind of presets and of paths of `.fof` files.

    For sources it has `auto` and `json` as well, for feeds `unchanged`.
    """
    others = ("auto", "json") if for_source else (AS_IT_CAME.value,)

    def read(text: str) -> FormatChoice | None:
        if not text.isprintable():
            return None
        match text:
            case "auto" | "json" if for_source:
                return FormatChoice(text)
            case AS_IT_CAME.value if not for_source:
                return AS_IT_CAME
        if text.endswith(".fof") or "/" in text:
            return FormatChoice("file", text)
        known = (*others, *presets.names())
        if text not in known:
            raise invalid(text, f"there is no such preset; {suggestion(text, known)}")
        return FormatChoice("preset", text)

    expected = "".join(f"{toml_text(other)}, " for other in others)
    expected += "the name of a preset, or the path of a .fof file"
    return texts(expected, read, show=lambda choice: toml_text(choice.value or choice.kind))


def format_text(*, for_source: bool = False) -> Kind:
    """Return the kind of feed output format strings; one for a source must be readable back."""

    def read(text: str) -> FormatChoice:
        faults = format_faults(text, for_source=for_source)
        if faults:
            first, *others = (Problem("", None, fault.text, fault.stands_for) for fault in faults)
            raise InvalidValue(replace(first, value=text), *others)
        return FormatChoice("string", text)

    return texts("a feed output format string, best in ''' quotes", read)


class FormatFault(NamedTuple):
    """A sentence on what is wrong in a feed output format string, or on how much more is."""

    text: str
    stands_for: int = 1


def format_faults(text: str, *, for_source: bool) -> list[FormatFault]:
    """Return all that makes `text` no usable feed output format string; nothing: it is one.

    Beyond `MAX_FAULTS`, the last one says how many more there are.
    """
    wrong = language.faults(text, _MAX_COUNTED)
    if wrong:
        shown = wrong[:MAX_FAULTS]
        found = [FormatFault(str(error).removeprefix("feed format: ")) for error in shown]
        further = len(wrong) - len(shown)
        least = "at least " if len(wrong) == _MAX_COUNTED else ""
        return [*found, FormatFault(f"and {least}{further} more", further)] if further else found
    compiled = language.parse(text)
    if not compiled.slots:
        return [FormatFault("prints no field")]
    try:
        if for_source:
            recognise.input_of(compiled)
    except NotReadable as error:
        return [FormatFault(f"can't be read back: {error}")]
    return []


def further_escapes() -> Kind:
    """Return the kind of further characters that `e*` fields encode as `%HH`.

    `%` and hex digits are refused: an encoded character would itself have to be encoded.
    """
    expected = "printable ASCII characters, without %, 0-9, a-f and A-F"

    def read(text: str) -> str:
        wrong = [c for c in text if not "!" <= c <= "~" or c == "%" or c in _HEX_DIGITS]
        if wrong:
            listed = " ".join(dict.fromkeys(map(toml_text, wrong)))
            raise invalid(text, f"must be {expected}; wrong here: {listed}")
        return text

    return texts(expected, read)


def header_text(max_length: int) -> Kind:
    """Return the kind of names in a syslog header (RFC 5424, section 6): PRINTUSASCII."""
    return texts_that(
        f"1 to {max_length} printable ASCII characters without blanks",
        re.compile(rf"[!-~]{{1,{max_length}}}").fullmatch,
    )


def line_text(min_length: int, max_length: int) -> Kind:
    """Return the kind of texts for people, on one line."""
    return texts_that(
        f"{min_length} to {max_length} characters, without control characters",
        lambda text: (
            min_length <= len(text) <= max_length and text.isprintable() and text == text.strip()
        ),
    )


def proxy_url() -> Kind:
    """Return the kind of URLs of an HTTP proxy, read without what may follow the port."""
    expected = "http://HOST:PORT, without a user"

    def read(text: str) -> str | None:
        if not text.isprintable():
            return None
        if "@" in text:
            raise invalid("***", f"must be {expected}; the file in proxy_auth_file has that")
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError:
            return None
        if parts.scheme != "http" or not parts.hostname or not port:
            return None
        if parts.path not in {"", "/"} or parts.query or parts.fragment:
            return None
        return f"http://{host_port(parts.hostname, port)}"

    return texts(expected, read)
