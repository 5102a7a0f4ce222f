"""Who may push: the token or the password that a request must carry, in the ways people send it."""

import base64
import binascii
import hashlib
import hmac

Headers = list[tuple[bytes, bytes]]
"""Names in lower case, and values."""


class Credentials:
    """A token, a `USER:PASSWORD`, or both, either of which then admits.

    The token may come as `Authorization: Bearer TOKEN`, as `Splunk TOKEN` (SIEM type Splunk), as
    the bare value, or as user or password of `Basic`; in the same forms it may come in the header
    named `token_header`. Only digests are kept, so that no dump shows the secrets and a comparison
    takes the same time whatever the lengths are.
    """

    def __init__(
        self, *, token: bytes | None, basic: bytes | None, token_header: str | None = None
    ) -> None:
        self._token = None if token is None else _digest(token)
        self._basic = None if basic is None else _digest(basic)
        self._names = [b"authorization"]
        if token_header is not None:
            self._names.append(token_header.lower().encode())

    def __repr__(self) -> str:
        return "***"

    @property
    def required(self) -> bool:
        """Whether a request must carry any."""
        return self._token is not None or self._basic is not None

    def admit(self, headers: Headers) -> bool:
        """Return whether the headers of a request admit it; one that comes twice never does."""
        if not self.required:
            return True
        admitted = False
        for name in self._names:
            values = [value for header, value in headers if header == name]
            admitted |= len(values) == 1 and self._admits(values[0].strip())
        return admitted

    @property
    def challenges(self) -> list[bytes]:
        """What `WWW-Authenticate` asks for, one header each (RFC 9110, 11.6.1)."""
        asked = []
        if self._token is not None:
            asked.append(b'Bearer realm="nss"')
        if self._basic is not None:
            asked.append(b'Basic realm="nss", charset="UTF-8"')
        return asked

    def _admits(self, value: bytes) -> bool:
        scheme, _, given = value.partition(b" ")
        match scheme.lower():
            case b"bearer" | b"splunk":
                return _same(given.strip(), self._token)
            case b"basic":
                pair = _decoded(given.strip())
                user, _, password = pair.partition(b":")
                expected = ((pair, self._basic), (user, self._token), (password, self._token))
                return sum(_same(*each) for each in expected) > 0  # all are compared
        return _same(value, self._token)


def _digest(secret: bytes) -> bytes:
    return hashlib.sha256(secret).digest()


def _same(given: bytes, expected: bytes | None) -> bool:
    return expected is not None and hmac.compare_digest(_digest(given), expected)


def _decoded(given: bytes) -> bytes:
    try:
        return base64.b64decode(given, validate=True)
    except binascii.Error:
        return b""
