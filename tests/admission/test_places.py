"""Places for connections: limits, who makes way for whom, and that nothing is remembered."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nss.admission.places import NoPlaceError, Place, Places


class Guests:
    """Takes places, and notes who had to make way."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.displaced: list[Place] = []

    def come(self, address: str = "a", *, stay: bool = False, only_another: bool = False) -> Place:
        place = self.places.take(address, only_another=only_another)
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
    assert (refused.value.reason, refused.value.limit) == ("there are as many as allowed", 2)
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
    reason = "there are as many from one address as allowed"
    assert (refused.value.reason, refused.value.limit) == (reason, 2)
    assert guests.displaced == [first]
    other.leave()


def test_only_so_many_are_on_trial_at_once() -> None:
    guests = Guests(Places(10, 10, 2))
    first = guests.come("a")
    guests.come("b", stay=True)
    guests.come("c")
    guests.come("d")
    assert guests.displaced == [first]


def test_without_room_for_one_more_somebody_makes_way_or_nobody_comes() -> None:
    guests = Guests(Places(10, 10))
    first = guests.come("a")
    guests.come("b", only_another=True, stay=True)
    assert guests.displaced == [first]
    with pytest.raises(NoPlaceError) as refused:
        guests.come("c", only_another=True)
    assert refused.value.reason == "no descriptor is left"


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
        st.sampled_from(["come", "come", "scarce", "keep", "risk", "leave"]),
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
        if action in {"come", "scarce"}:
            before = len(present)
            try:
                place = guests.come(address, only_another=action == "scarce")
            except NoPlaceError:
                continue
            for gone in guests.displaced:
                assert present.pop(gone), "it had shown what it was for"
            guests.displaced.clear()
            present[place] = True
            assert action == "come" or len(present) <= before
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
