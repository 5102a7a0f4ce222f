"""Places for connections: limits, who makes way for whom, and that nothing is remembered."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nss.admission.descriptors import Allowance
from nss.admission.places import Limit, NoPlaceError, Place, Places


class Guests:
    """Takes places, and notes who had to make way."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.displaced: list[Place] = []

    def come(self, address: str = "a", *, stay: bool = False) -> Place:
        place = self.places.take(address)
        place.make_way = lambda: self.displaced.append(place)
        if stay:
            place.keep()
        return place


def test_a_newcomer_gets_the_place_of_whoever_is_on_trial_for_longest() -> None:
    guests = Guests(Places(3, 3))
    first, second, third = guests.come("a"), guests.come("b"), guests.come("c")
    second.keep()
    guests.come("d")
    assert guests.displaced == [first]
    guests.come("e")
    assert guests.displaced == [first, third]


def test_nobody_makes_way_who_has_shown_what_for() -> None:
    guests = Guests(Places(2, 2))
    guests.come("a", stay=True)
    guests.come("b", stay=True)
    with pytest.raises(NoPlaceError) as refused:
        guests.come("c")
    assert (refused.value.limit, refused.value.most) == (Limit.CONNECTIONS, 2)
    assert guests.displaced == []


def test_an_address_has_only_its_share_and_makes_way_for_itself() -> None:
    guests = Guests(Places(10, 2))
    other = guests.come("b")
    first, second = guests.come("a"), guests.come("a")
    third = guests.come("a")
    assert guests.displaced == [first]
    second.keep()
    third.keep()
    with pytest.raises(NoPlaceError) as refused:
        guests.come("a")
    assert (refused.value.limit, refused.value.most) == (Limit.OF_ONE_ADDRESS, 2)
    assert guests.displaced == [first]
    other.leave()


def test_only_so_many_are_on_trial_at_once() -> None:
    guests = Guests(Places(10, 10, 2))
    first = guests.come("a")
    guests.come("b", stay=True)
    guests.come("c")
    guests.come("d")
    assert guests.displaced == [first]


class Few(Allowance):
    """An allowance of a few descriptors."""

    most = 2


def test_listeners_share_their_descriptors() -> None:
    shared = Few()
    guests, others = Guests(Places(9, 9, 9, shared)), Guests(Places(9, 9, 9, shared))
    first, second = guests.come("a"), others.come("a", stay=True)
    third = guests.come("b", stay=True)
    assert (guests.displaced, others.displaced) == ([first], [])
    first.leave()
    for place in (others, guests):
        with pytest.raises(NoPlaceError) as refused:
            place.come("c")
        assert (refused.value.limit, refused.value.most) == (Limit.DESCRIPTORS, 2)
    second.leave()
    second.leave()
    assert shared.taken == 1
    others.come("c", stay=True)
    third.leave()


def test_whoever_lost_a_place_has_a_descriptor_until_closed() -> None:
    shared = Few()
    guests = Guests(Places(1, 1, 1, shared))
    first = guests.come("a")
    second = guests.come("a")
    assert (guests.displaced, shared.taken) == ([first], 2)
    second.keep()
    first.leave()
    assert shared.taken == 1


def test_whoever_risks_the_place_again_is_the_last_to_make_way() -> None:
    guests = Guests(Places(2, 2))
    first, second = guests.come("a"), guests.come("b")
    first.keep()
    first.risk()
    guests.come("c")
    assert guests.displaced == [second]


def test_a_place_that_is_gone_comes_back_by_no_means() -> None:
    guests = Guests(Places(1, 1))
    first = guests.come("a")
    second = guests.come("b")
    first.keep()
    first.risk()
    first.leave()
    third = guests.come("c")
    assert guests.displaced == [first, second]
    third.leave()
    guests.come("d", stay=True)


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["come", "come", "keep", "risk", "leave"]),
        st.sampled_from(["a", "b", "c"]),
        st.integers(0, 9),
    ),
    max_size=60,
)


@given(ACTIONS, st.integers(1, 6), st.integers(1, 6), st.integers(1, 6))
def test_the_limits_hold_whatever_happens(
    actions: list[tuple[str, str, int]], most: int, most_each: int, most_on_trial: int
) -> None:
    places = Places(most, most_each, most_on_trial)
    guests = Guests(places)
    present: dict[Place, bool] = {}
    """Whether each is on trial."""
    for action, address, number in actions:
        if action == "come":
            try:
                place = guests.come(address)
            except NoPlaceError:
                continue
            for gone in guests.displaced:
                assert present.pop(gone), "it had shown what it was for"
                gone.leave()
            guests.displaced.clear()
            present[place] = True
        elif present:
            place = list(present)[number % len(present)]
            if action == "leave":
                del present[place]
            else:
                present[place] = action == "risk"
            getattr(place, action)()
        assert len(present) <= most
        assert max(Counter(each.address for each in present).values(), default=0) <= most_each
    for place in present:
        place.leave()
    assert (places._taken, places._by_address, places._on_trial) == (set(), {}, {})
    assert places.allowance.taken == 0
