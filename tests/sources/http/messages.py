"""HTTP/1.1 messages for tests: a strict little parser that shares nothing with the source's, and
streams of requests, many of them wrong, from a seed.
"""

import random
import re
from dataclasses import dataclass
from typing import Literal

TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST_LINE = re.compile(rb"(" + TOKEN + rb") +([!-~]+) +HTTP/1\.([01])")
_VALUE = rb"(?:[!-~\x80-\xff](?:[ \t!-~\x80-\xff]*[!-~\x80-\xff])?)?"
_FIELD = re.compile(rb"(" + TOKEN + rb"):[ \t]*(" + _VALUE + rb")[ \t]*")
_QUOTED = rb'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"'
_EXTENSION = rb";" + TOKEN + rb"(?:=(?:" + TOKEN + rb"|" + _QUOTED + rb")?)?"
_CHUNK = re.compile(rb"([0-9A-Fa-f]+)(?:" + _EXTENSION + rb")*")
_MAX_SIZE_DIGITS = 15
_FRAMING = {b"content-length", b"transfer-encoding"}

End = Literal["complete", "incomplete", "invalid", "other protocol"]


@dataclass(frozen=True)
class Request:
    """A request that is complete."""

    method: bytes
    target: bytes
    minor: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    def values(self, name: bytes) -> list[bytes]:
        return [value for header, value in self.headers if header == name]

    @property
    def wants_other_protocol(self) -> bool:
        return b"upgrade" in self._options and any(self.values(b"upgrade"))

    @property
    def closes(self) -> bool:
        """Whether the connection ends after it."""
        return self.minor == 0 or b"close" in self._options

    @property
    def _options(self) -> set[bytes]:
        asked = b",".join(self.values(b"connection")).lower()
        return {option.strip(b" \t") for option in asked.split(b",")} - {b""}

    @property
    def lines(self) -> list[bytes]:
        """The records in the body."""
        lines = [line.removesuffix(b"\r") for line in self.body.split(b"\n")]
        return [line for line in lines if line]

    @property
    def is_ordinary(self) -> bool:
        """Whether there is no reason to refuse it."""
        known = {b"host", b"content-length", b"transfer-encoding", b"connection", b"x"}
        framed = self.values(b"content-length") or self.values(b"transfer-encoding")
        return (
            (self.method, self.target, self.minor) == (b"POST", b"/", 1)
            and {name for name, _ in self.headers} <= known
            and self.values(b"host") == [b"localhost"]
            and bool(framed)
            and self._options <= {b"close", b"keep-alive"}
            and self.body.isascii()
            and re.search(rb"[^\t\n\r -~]", self.body) is None
        )


class _InvalidError(Exception):
    """No parser must take what comes here."""


class _IncompleteError(Exception):
    """More is needed."""


class Stream:
    """Reads requests one after the other (RFC 9112), and takes nothing that is not in it."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self.requests: list[Request] = []
        self.end: End = "complete"
        try:
            while self._skip_empty_lines():
                request = self._request()
                if request.wants_other_protocol:
                    self.end = "other protocol"
                    return
                self.requests.append(request)
        except _IncompleteError:
            self.end = "incomplete"
        except _InvalidError:
            self.end = "invalid"

    def _skip_empty_lines(self) -> bool:
        while self._data[self._at : self._at + 1] in {b"\r", b"\n"}:
            self._at += 1
        return self._at < len(self._data)

    def _request(self) -> Request:
        found = _REQUEST_LINE.fullmatch(self._line())
        if found is None:
            raise _InvalidError
        minor, headers = int(found[3]), self._fields()
        return Request(found[1], found[2], minor, headers, self._body(headers, minor))

    def _line(self) -> bytes:
        end = self._data.find(b"\n", self._at)
        if end < 0:
            raise _IncompleteError
        line, self._at = self._data[self._at : end], end + 1
        if not line.endswith(b"\r") or b"\r" in line[:-1]:
            raise _InvalidError
        return line[:-1]

    def _fields(self) -> tuple[tuple[bytes, bytes], ...]:
        fields = []
        while line := self._line():
            found = _FIELD.fullmatch(line)
            if found is None:
                raise _InvalidError
            fields.append((found[1].lower(), found[2]))
        return tuple(fields)

    def _body(self, headers: tuple[tuple[bytes, bytes], ...], minor: int) -> bytes:
        framing = [header for header in headers if header[0] in _FRAMING]
        if not framing:
            return b""
        (name, value), *others = framing
        if others:
            raise _InvalidError
        if name == b"content-length":
            if not re.fullmatch(rb"[0-9]{1,18}", value):
                raise _InvalidError
            return self._take(int(value))
        if minor == 0 or value.lower() != b"chunked":
            raise _InvalidError
        return self._chunks()

    def _chunks(self) -> bytes:
        body = b""
        while True:
            found = _CHUNK.fullmatch(self._line())
            if found is None or len(found[1]) > _MAX_SIZE_DIGITS:
                raise _InvalidError
            size = int(found[1], 16)
            if not size:
                if any(name in _FRAMING for name, _ in self._fields()):
                    raise _InvalidError
                return body
            body += self._take(size)
            if self._take(2) != b"\r\n":
                raise _InvalidError

    def _take(self, size: int) -> bytes:
        if len(self._data) - self._at < size:
            raise _IncompleteError
        self._at += size
        return self._data[self._at - size : self._at]


# Streams from a seed.

_FIELDS = [
    b"Content-Length: 3",
    b"Content-Length: 0",
    b"Content-Length: 5, 5",
    b"Content-Length: +5",
    b"Content-Length: 0x5",
    b"Content-Length: 5 5",
    b"Content-Length:",
    b"Content-Length: 18446744073709551621",
    b"Content-Length\t: 3",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: Chunked",
    b"Transfer-Encoding: identity",
    b"Transfer-Encoding: chunked, identity",
    b"Transfer-Encoding: identity, chunked",
    b"Transfer-Encoding: chunked, chunked",
    b"Transfer-Encoding: xchunked",
    b"Transfer-Encoding: \x0bchunked",
    b"Transfer-Encoding:",
    b"Transfer-Encoding : chunked",
    b"Transfer-Encoding: chunked;q=1",
    b"Connection: close",
    b"Connection: keep-alive",
    b"Connection: Upgrade",
    b"Connection: upgrade, close",
    b"Upgrade: h2c",
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c",
    b"Upgrade: websocket\r\nConnection: Upgrade",
    b"Expect: 100-continue",
    b"Expect: 200-maybe",
    b"Trailer: Content-Length",
    b"Host: localhost",
    b"Host:",
    b"Host: a b",
    b"X:",
    b"X: a\r\n b",
    b"X: a\r\n\tContent-Length: 3",
    b"X: \x00",
    b" X: a",
    b"X a",
    b": a",
    b"\xe9: a",
]
_LINES = [
    b"GET / HTTP/1.1",
    b"HEAD / HTTP/1.1",
    b"OPTIONS * HTTP/1.1",
    b"CONNECT localhost:80 HTTP/1.1",
    b"PRI * HTTP/2.0",
    b"POST / HTTP/1.0",
    b"POST / HTTP/0.9",
    b"POST / HTTP/2.0",
    b"POST / HTTP/1.2",
    b"POST / HTTP/1.10",
    b"POST /",
    b"POST  / HTTP/1.1",
    b"POST / HTTP/1.1 ",
    b"POST\t/ HTTP/1.1",
    b"post / HTTP/1.1",
    b"POST http://localhost/ HTTP/1.1",
    b"POST /%00 HTTP/1.1",
    b"POST /a b HTTP/1.1",
    b"DESCRIBE / RTSP/1.0",
    b"SOURCE / ICE/1.0",
]
_PIECES = [
    *(b"\r", b"\n", b"\r\n", b"\r\r\n", b"\n\n", b"\r\n\r\n", b" ", b"\t", b"\x00", b"\x0b"),
    *(b":", b",", b";", b"0", b"1", b"f", b"F", b"-", b"+", b"_", b"0x", b";a=b", b';a="\r\n"'),
    *(b"0\r\n\r\n", b"2\r\nab\r\n", b"SM\r\n\r\n", b"\x16\x03\x01", b"HTTP/1.1 200 OK\r\n\r\n"),
]
_CHUNK_EXTRAS = [
    b"",
    b"",
    b"",
    b";a",
    b";a=b",
    b';a="b;c"',
    b" ;a",
    b" ",
    b";",
    b"\t;a=b",
    b";a=\n",
]


def stream_of(seed: int) -> bytes:
    """Return a few requests on one connection: whole, wrong, or mutated; always the same."""
    chance = random.Random(seed)
    data = b"".join(_request(chance, f"{seed}.{n}".encode()) for n in range(chance.randint(1, 4)))
    for _ in range(chance.choice([0] * 4 + [1, 1, 2, 4])):
        at = chance.randrange(len(data) + 1)
        cut = at + chance.choice([0, 0, 1, 2, 5])
        data = data[:at] + chance.choice([b"", chance.choice(_PIECES)]) + data[cut:]
    if chance.random() < 0.1:
        data = data[: chance.randrange(len(data) + 1)]
    return data


def _request(chance: random.Random, name: bytes) -> bytes:
    body = b"".join(b"record %b %d\n" % (name, n) for n in range(chance.randint(0, 3)))
    if chance.random() < 0.3:  # what must not be taken for a request
        inner = b"hidden %b\n" % name
        head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(inner)
        body += head + inner
    line = b"POST / HTTP/1.1" if chance.random() < 0.95 else chance.choice(_LINES)
    fields = [b"Host: localhost", b"X: y"]
    if chance.random() < 0.5:
        fields.append(b"Content-Length: %d" % (len(body) + chance.choice([0] * 12 + [-1, 1, 7])))
    else:
        fields.append(b"Transfer-Encoding: chunked")
        body = _chunked(chance, body)
    for _ in range(chance.choice([0] * 6 + [1, 2])):
        fields.insert(chance.randrange(len(fields) + 1), chance.choice(_FIELDS))
    if chance.random() < 0.05:
        del fields[chance.randrange(len(fields))]
    return b"\r\n".join([line, *fields, b"", body])


def _chunked(chance: random.Random, body: bytes) -> bytes:
    chunks = []
    while body:
        size = chance.randint(1, len(body))
        extra = chance.choice(_CHUNK_EXTRAS) if chance.random() < 0.05 else b""
        form = chance.choice([b"%x", b"%X", b"0%x"])
        chunks.append(form % size + extra + b"\r\n" + body[:size] + b"\r\n")
        body = body[size:]
    trailers = chance.choice([b""] * 9 + [b"X: y\r\n", b"Content-Length: 9\r\n", b"X\r\n"])
    return b"".join(chunks) + b"0\r\n" + trailers + b"\r\n"
