"""Passwords in the one form that equal looking texts have, and their hashes.

Hashes are Argon2id with the memory and the passes of RFC 9106's second recommendation (section 4):
64 MiB, three passes; but one lane, so that a try leaves the stream the other cores. One at a time
is computed.
"""

import unicodedata
from threading import Lock

from formats.dataclass import dataclass
from nss.errors import ServiceError

MAX_PASSWORD_BYTES = 1024

_NO_SALT = "A" * 22
"""16 bytes of nothing, as Argon2's encoding has them,"""
_NO_HASH = "A" * 43
"""and 32."""

_OF_THE_MACHINE = frozenset({"Memory allocation error", "Threading failure"})
"""What Argon2 says when it has not looked at the password."""

_hashing = Lock()
"""64 MiB for each password that is tried at once would be a way to fill the memory."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a hash costs whoever computes it."""

    passes: int = 3
    memory_kib: int = 64 << 10
    lanes: int = 1


_DEAREST = Cost(passes=30, memory_kib=1 << 20, lanes=64)
"""What no hash of ours has ever come near: one that costs more is not computed."""


class PasswordHashes:
    """Makes hashes of a certain cost, and compares passwords with hashes of any."""

    def __init__(self, cost: Cost) -> None:
        from argon2 import PasswordHasher  # noqa: PLC0415 - most commands do without

        self._cost = cost
        self._hasher = PasswordHasher(
            time_cost=cost.passes, memory_cost=cost.memory_kib, parallelism=cost.lanes
        )

    @property
    def of_nobody(self) -> str:
        """A hash that is no password's, and takes as long to compare."""
        cost = self._cost
        parameters = f"m={cost.memory_kib},t={cost.passes},p={cost.lanes}"
        return f"$argon2id$v=19${parameters}${_NO_SALT}${_NO_HASH}"

    def make(self, password: bytes) -> str:
        """Return a new hash of a password. Raises `ServiceError`."""
        from argon2.exceptions import HashingError  # noqa: PLC0415

        try:
            with _hashing:
                return self._hasher.hash(password)
        except HashingError as error:
            raise _uncomputed(error) from None

    def fits(self, hashed: str, password: bytes) -> bool:
        """Return whether a hash is that of a password; one damaged or too dear is of none.

        Raises `ServiceError` when that can't be computed.
        """
        from argon2.exceptions import InvalidHashError, VerificationError  # noqa: PLC0415

        try:
            if _is_too_dear(hashed):
                return False
            with _hashing:
                return self._hasher.verify(hashed, password)
        except InvalidHashError:
            return False
        except VerificationError as error:
            if str(error) in _OF_THE_MACHINE:
                raise _uncomputed(error) from None
            return False

    def is_outdated(self, hashed: str) -> bool:
        """Return whether a hash that fits has another cost."""
        return self._hasher.check_needs_rehash(hashed)


def _is_too_dear(hashed: str) -> bool:
    """Return whether a hash costs so much that signing in would stop the service."""
    from argon2 import extract_parameters  # noqa: PLC0415

    cost = extract_parameters(hashed)
    return (
        cost.time_cost > _DEAREST.passes
        or cost.memory_cost > _DEAREST.memory_kib
        or cost.parallelism > _DEAREST.lanes
    )


def _uncomputed(error: Exception) -> ServiceError:
    reason = str(error).lower()
    return ServiceError(
        f"the hash of the password can't be computed: {reason}",
        tip="it takes 64 MiB of memory and a few threads: see what limits them",
    )


def normal(password: str) -> bytes | None:
    """Return a password as it is hashed: in NFKC (NIST SP 800-63B, 3.1.1.2).

    `None` for one that is too long, or no text.
    """
    if len(password) > MAX_PASSWORD_BYTES:
        return None
    try:
        found = unicodedata.normalize("NFKC", password).encode()
    except UnicodeEncodeError:
        return None
    return found if len(found) <= MAX_PASSWORD_BYTES else None
