"""Who may push: the credentials that an `Authorization` header must carry."""

import base64
import binascii
import hashlib
import hmac


class Credentials:
    """A bearer token, a `USER:PASSWORD`, or both, either of which then admits.

    Only digests are kept, so that no dump shows the secrets and a comparison takes the same time
    whatever the lengths are.
    """

    def __init__(self, *, token: bytes | None, basic: bytes | None) -> None:
        self._token = None if token is None else _digest(token)
        self._basic = None if basic is None else _digest(basic)

    def __repr__(self) -> str:
        return "***"

    def admit(self, authorizations: list[bytes]) -> bool:
        """Return whether the values of a request's `Authorization` headers admit it."""
        if self._token is None and self._basic is None:
            return True
        if len(authorizations) != 1:
            return False
        scheme, _, given = authorizations[0].strip().partition(b" ")
        match scheme.lower():
            case b"bearer":
                return _same(given.strip(), self._token)
            case b"basic":
                return _same(_decoded(given.strip()), self._basic)
        return False

    @property
    def challenges(self) -> list[bytes]:
        """What `WWW-Authenticate` asks for, one header each (RFC 9110, 11.6.1)."""
        asked = []
        if self._token is not None:
            asked.append(b'Bearer realm="nss"')
        if self._basic is not None:
            asked.append(b'Basic realm="nss", charset="UTF-8"')
        return asked


def _digest(secret: bytes) -> bytes:
    return hashlib.sha256(secret).digest()


def _same(given: bytes, expected: bytes | None) -> bool:
    return expected is not None and hmac.compare_digest(_digest(given), expected)


def _decoded(given: bytes) -> bytes:
    try:
        return base64.b64decode(given, validate=True)
    except binascii.Error:
        return b""
