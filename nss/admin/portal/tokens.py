"""Tokens that nobody guesses, of which only a hash is kept: memory that leaks signs nobody in."""

import secrets
from hashlib import sha256

_BYTES = 32
_MAX_CHARS = 128


def new_token() -> str:
    """Return a new token of 256 bits, in characters that cookies and URLs may have."""
    return secrets.token_urlsafe(_BYTES)


def hashed(token: str) -> bytes:
    """Return what is kept of a token; of what is too long to be one, any hash."""
    return sha256(token[:_MAX_CHARS].encode("utf-8", "replace")).digest()
