"""Steps of a test: what was looked at, and what came of it."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """One step of a test. If it is not `ok`, `sentence` says what to fix and `tip` how.

    So they do if it is `ok` and `warns`: then it works, and somebody should look at it.
    """

    name: str
    ok: bool
    sentence: str
    field: str | None = None
    code: str | None = None
    tip: str | None = None
    warns: bool = False


def first_failed(checks: Iterable[Check]) -> Check | None:
    """Return the first check that failed."""
    return next((check for check in checks if not check.ok), None)
