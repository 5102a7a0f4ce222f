"""Who is signed in: sessions in memory, which end when the service does."""

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from nss.admin.portal.tokens import hashed, new_token
from nss.setup.portal_users import Role

MAX_PER_USER = 10
MAX_SESSIONS = 200
MAX_NOTICES = 8

NoticeKind = Literal["good", "warn", "bad", "info"]


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to know, for the next page; `tip` says what to do, where there is something."""

    kind: NoticeKind
    text: str
    tip: str = ""


@dataclass(slots=True, eq=False)
class Session:
    """Somebody who is signed in."""

    user: str
    role: Role
    stamp: str
    """That of `User.stamp` when the session began; empty for one that began with a link."""
    csrf: str
    """What each form of this session carries; pages elsewhere can't know it."""
    began_at: float
    """Seconds of the clock of `Sessions`, as is"""
    used_at: float
    """when it was found last."""
    notices: list[Notice] = field(default_factory=list)
    """For the next page."""

    @property
    def is_admin(self) -> bool:
        """Whether it may change things."""
        return self.role == "admin"

    def note(self, kind: NoticeKind, text: str, tip: str = "") -> None:
        """Have the next page show a notice; of too many the oldest are forgotten."""
        self.notices = [*self.notices, Notice(kind, text, tip)][-MAX_NOTICES:]

    def take_notices(self) -> list[Notice]:
        """Return the notices that no page has shown, for one that does."""
        notices, self.notices = self.notices, []
        return notices


@dataclass(frozen=True, slots=True)
class Carried:
    """A session on its way from one service to the next; `key` is the hash of its token, in hex."""

    key: str
    user: str
    role: Role
    stamp: str
    csrf: str
    age_secs: float
    idle_secs: float


class Sessions:
    """All sessions.

    A session ends `idle_secs` after it was used last, and `max_secs` after it began. When there
    are too many, of one user or of all, those used longest ago end.
    """

    def __init__(
        self,
        idle_secs: float,
        max_secs: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        max_per_user: int = MAX_PER_USER,
        max_sessions: int = MAX_SESSIONS,
    ) -> None:
        self._idle_secs = idle_secs
        self._max_secs = max_secs
        self._clock = clock
        self._max_per_user = max_per_user
        self._max_sessions = max_sessions
        self._sessions: dict[bytes, Session] = {}

    def __len__(self) -> int:
        self._end_old()
        return len(self._sessions)

    def begin(self, user: str, role: Role, stamp: str = "") -> tuple[str, Session]:
        """Return a new session with its token, which is always a new one, for the cookie."""
        self._end_old()
        self._make_room([key for key, each in self._sessions.items() if each.user == user])
        self._make_room(list(self._sessions), self._max_sessions)
        token, now = new_token(), self._clock()
        session = Session(user, role, stamp, new_token(), now, now)
        self._sessions[hashed(token)] = session
        return token, session

    def find(self, token: str, *, is_used: bool = True) -> Session | None:
        """Return the session of a token, `None` if there is none or it is over.

        Without `is_used`, for what a page asks by itself, it stays as idle as it was.
        """
        key = hashed(token)
        session = self._sessions.get(key)
        if session is None:
            return None
        if self._is_over(session):
            del self._sessions[key]
            return None
        if is_used:
            session.used_at = self._clock()
        return session

    def is_alive(self, session: Session) -> bool:
        """Return whether a session still goes on; it stays as idle as it was."""
        return not self._is_over(session) and any(
            session is each for each in self._sessions.values()
        )

    def end(self, token: str) -> None:
        """End the session of a token, if there is one."""
        self._sessions.pop(hashed(token), None)

    def end_user(self, name: str) -> int:
        """End all sessions of a user; return how many."""
        ended = [key for key, session in self._sessions.items() if session.user == name]
        for key in ended:
            del self._sessions[key]
        return len(ended)

    def end_where(self, is_over: Callable[[Session], bool]) -> int:
        """End sessions of which something holds, such as another stamp; return how many."""
        ended = [key for key, session in self._sessions.items() if is_over(session)]
        for key in ended:
            del self._sessions[key]
        return len(ended)

    def carried(self) -> list[Carried]:
        """Return all that go on, for the service that takes over."""
        self._end_old()
        now = self._clock()
        return [
            Carried(
                key.hex(),
                each.user,
                each.role,
                each.stamp,
                each.csrf,
                now - each.began_at,
                now - each.used_at,
            )
            for key, each in self._sessions.items()
        ]

    def take_over(self, carried: Sequence[Carried], away_secs: float) -> None:
        """Have sessions of the service before go on; nobody was served for so long."""
        now = self._clock()
        for each in carried[: self._max_sessions]:
            began_at = now - max(0.0, each.age_secs) - away_secs
            used_at = now - max(0.0, each.idle_secs) - away_secs
            session = Session(each.user, each.role, each.stamp, each.csrf, began_at, used_at)
            with contextlib.suppress(ValueError):
                self._sessions[bytes.fromhex(each.key)] = session
        self._end_old()

    def _is_over(self, session: Session) -> bool:
        now = self._clock()
        return now - session.used_at >= self._idle_secs or now - session.began_at >= self._max_secs

    def _end_old(self) -> None:
        self.end_where(self._is_over)

    def _make_room(self, keys: list[bytes], most: int | None = None) -> None:
        """End those used longest ago, until there is room for another among these."""
        excess = len(keys) - (self._max_per_user if most is None else most) + 1
        if excess > 0:
            for key in sorted(keys, key=lambda key: self._sessions[key].used_at)[:excess]:
                del self._sessions[key]
