"""Who is signed in, and until when."""

import pytest

from nss.admin.portal.sessions import Notice, Sessions


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(clock: Clock) -> Sessions:
    return Sessions(60, 600, clock=clock, max_per_user=3, max_sessions=5)


def test_a_token_finds_the_session_that_it_began(sessions: Sessions) -> None:
    token, session = sessions.begin("alice", "admin", "stamp")
    assert sessions.find(token) is session
    assert (session.user, session.role, session.is_admin, session.stamp) == (
        *("alice", "admin", True, "stamp"),
    )
    assert not sessions.begin("bob", "viewer")[1].is_admin


@pytest.mark.parametrize("token", ["", "x", "\udcff", "x" * 100_000])
def test_what_is_no_token_finds_nothing(sessions: Sessions, token: str) -> None:
    sessions.begin("alice", "admin")
    assert sessions.find(token) is None
    sessions.end(token)
    assert len(sessions) == 1


def test_each_session_has_tokens_of_its_own_that_are_nowhere_kept(sessions: Sessions) -> None:
    begun = [sessions.begin("alice", "admin") for _ in range(3)]
    secrets = [token for token, _ in begun] + [session.csrf for _, session in begun]
    assert len(set(secrets)) == 6
    assert all(len(secret) == 43 for secret in secrets)
    kept = repr(vars(sessions))
    assert not [token for token, _ in begun if token in kept]


def test_a_session_ends_when_it_is_idle(sessions: Sessions, clock: Clock) -> None:
    token, _ = sessions.begin("alice", "admin")
    for _ in range(5):
        clock.now += 59
        assert sessions.find(token)
    clock.now += 60
    assert sessions.find(token) is None
    assert len(sessions) == 0


def test_what_a_page_asks_by_itself_does_not_keep_it_alive(
    sessions: Sessions, clock: Clock
) -> None:
    token, _ = sessions.begin("alice", "admin")
    clock.now += 59
    assert sessions.find(token, is_used=False)
    clock.now += 1
    assert sessions.find(token) is None


def test_a_session_ends_at_its_time_however_busy(sessions: Sessions, clock: Clock) -> None:
    token, _ = sessions.begin("alice", "admin")
    for _ in range(19):
        clock.now += 30
        assert sessions.find(token)
    clock.now += 30
    assert sessions.find(token) is None


def test_a_session_that_was_ended_is_over(sessions: Sessions) -> None:
    token, _ = sessions.begin("alice", "admin")
    sessions.end(token)
    sessions.end(token)
    assert sessions.find(token) is None


def test_all_sessions_of_a_user_can_be_ended(sessions: Sessions) -> None:
    alice = [sessions.begin("alice", "admin")[0] for _ in range(2)]
    bob, _ = sessions.begin("bob", "viewer")
    assert sessions.end_user("alice") == 2
    assert [sessions.find(token) for token in alice] == [None, None]
    assert sessions.find(bob)
    assert sessions.end_where(lambda session: session.stamp != "new") == 1
    assert sessions.find(bob) is None


def test_of_too_many_the_one_used_longest_ago_ends(sessions: Sessions, clock: Clock) -> None:
    tokens = []
    for _ in range(3):
        tokens.append(sessions.begin("alice", "admin")[0])
        clock.now += 1
    sessions.find(tokens[0])
    tokens.append(sessions.begin("alice", "admin")[0])
    assert [sessions.find(token) is not None for token in tokens] == [True, False, True, True]
    for number in range(3):
        clock.now += 1
        sessions.begin(f"user{number}", "viewer")
    assert len(sessions) == 5


def test_a_notice_is_shown_once(sessions: Sessions) -> None:
    _, session = sessions.begin("alice", "admin")
    for number in range(20):
        session.note("good", f"{number}")
    assert session.take_notices() == [Notice("good", f"{number}") for number in range(12, 20)]
    assert session.take_notices() == []
