"""One-time links that sign in."""

import pytest

from nss.admin.portal.links import LINK_SECS, MAX_LINKS, Link, Links


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
def links(clock: Clock) -> Links:
    return Links(clock=clock)


def test_a_link_is_good_once(links: Links) -> None:
    token = links.new("viewer", "alice")
    assert len(token) == 43
    assert links.is_good(token)
    assert links.is_good(token), "to look changes nothing"
    assert links.use(token) == Link("viewer", "alice", 1600.0)
    assert links.use(token) is None
    assert not links.is_good(token)


def test_a_link_is_good_for_ten_minutes(links: Links, clock: Clock) -> None:
    first, second = links.new("admin"), links.new("admin")
    clock.now += LINK_SECS - 0.1
    assert links.use(first)
    clock.now += 0.1
    assert links.use(second) is None


def test_of_too_many_the_oldest_is_void(links: Links) -> None:
    tokens = [links.new("admin") for _ in range(MAX_LINKS + 1)]
    assert [links.is_good(token) for token in tokens] == [False, *[True] * MAX_LINKS]


@pytest.mark.parametrize("token", ["", "x", "\udcff", "x" * 100_000])
def test_what_is_no_token_is_good_for_nothing(links: Links, token: str) -> None:
    links.new("admin")
    assert links.use(token) is None


def test_tokens_are_nowhere_kept(links: Links) -> None:
    assert links.new("admin") not in repr(vars(links))
