"""Why records of a feed are rejected: how many for each reason, as reasons that differ in nothing
but what they quote count together.
"""

import re

from nss.status.readings import CommonRejectReading

_QUOTED = re.compile(r"'.*'|\".*\"")
_NUMBER = re.compile(r"\d+")
_MOST = 64
"""How many are told apart: reasons are few, and come from records all the same."""

_MAX_CHARACTERS = 200


def unquoted(reason: str) -> str:
    """Return a reason without what it quotes of the record."""
    return _QUOTED.sub("'...'", reason)


def sort_of(reason: str) -> str:
    """Return what reasons have in common that differ only in numbers; `reason` quotes nothing."""
    return _NUMBER.sub("N", reason)


class RejectTally:
    """Counts rejects since the feed started."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._reasons: dict[str, str] = {}
        """The last reason of each sort."""

    def add(self, reason: str) -> None:
        """Count a reject; what comes beyond `_MOST` sorts is not told apart."""
        plain = unquoted(reason)[:_MAX_CHARACTERS]
        sort = sort_of(plain)
        if sort not in self._counts and len(self._counts) >= _MOST:
            return
        self._counts[sort] = self._counts.get(sort, 0) + 1
        self._reasons[sort] = plain

    @property
    def commonest(self) -> CommonRejectReading | None:
        """The commonest reason; `None`: there are no rejects."""
        if not self._counts:
            return None
        sort = max(self._counts, key=lambda each: self._counts[each])
        return CommonRejectReading(reason=self._reasons[sort], records=self._counts[sort])
