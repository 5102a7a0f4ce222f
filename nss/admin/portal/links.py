"""One-time links that sign in: made on the command line, by whoever may use the control socket."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from nss.admin.portal.tokens import hashed, new_token
from nss.setup.portal_users import Role

LINK_SECS = 600.0
MAX_LINKS = 8


@dataclass(frozen=True, slots=True)
class Link:
    """What a link is good for."""

    role: Role
    person: str
    """Who asked for it: the audit log names him."""
    ends_at: float
    """Seconds of the clock of `Links`."""


class Links:
    """The links that nobody has used yet.

    Each is good for `LINK_SECS`, and once. Of more than `MAX_LINKS` the oldest are void.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._links: OrderedDict[bytes, Link] = OrderedDict()

    def new(self, role: Role, person: str = "") -> str:
        """Return the token of a new link, which belongs into a URL."""
        self._forget_old()
        while len(self._links) >= MAX_LINKS:
            self._links.popitem(last=False)
        token = new_token()
        self._links[hashed(token)] = Link(role, person, self._clock() + LINK_SECS)
        return token

    def use(self, token: str) -> Link | None:
        """Return what a link is good for, and void it; `None` if it is good for nothing."""
        self._forget_old()
        return self._links.pop(hashed(token), None)

    def is_good(self, token: str) -> bool:
        """Return whether a link could be used now. It stays as it is."""
        self._forget_old()
        return hashed(token) in self._links

    def _forget_old(self) -> None:
        now = self._clock()
        for key in [key for key, link in self._links.items() if link.ends_at <= now]:
            del self._links[key]
