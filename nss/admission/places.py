"""Places for connections: how many there are, for each address and in all, and who makes way.

A connection that has shown nothing yet is on trial: when there is no place left, a newcomer gets
that of the one which has been on trial for longest. So connections that are opened and left idle
keep nobody out, however many they are. One that has shown what it is for keeps its place.
"""

from collections import OrderedDict
from collections.abc import Callable
from enum import Enum

from nss.admission.descriptors import Allowance


class Limit(Enum):
    """What there can be too much of."""

    CONNECTIONS = "there are as many as allowed"
    OF_ONE_ADDRESS = "there are as many from one address as allowed"
    DESCRIPTORS = "there are no more descriptors for them"


class NoPlaceError(Exception):
    """There is no place for a connection, because of a limit, of `most` connections."""

    def __init__(self, limit: Limit, most: int) -> None:
        super().__init__(limit.value)
        self.limit = limit
        self.most = most


class Place:
    """The place of one connection, on trial at first."""

    def __init__(self, places: "Places", address: str) -> None:
        self.address = address
        self.make_way: Callable[[], None] = lambda: None
        """Called when somebody else has got the place: the connection must be closed."""
        self._places = places
        self._is_open = True

    def keep(self) -> None:
        """Have the place for good."""
        self._places.end_trial(self)

    def risk(self) -> None:
        """Be on trial again, as the last who came."""
        self._places.begin_trial(self)

    def leave(self) -> None:
        """Note that the connection is closed, and give the place up unless it was lost before."""
        self._places.vacate(self)
        if self._is_open:
            self._is_open = False
            self._places.allowance.taken -= 1


class _Neighbours:
    """The connections from one address."""

    def __init__(self) -> None:
        self.number = 0
        self.on_trial: OrderedDict[Place, None] = OrderedDict()


class Places:
    """At most `most` places, of which one address has at most `most_each`.

    At most `most_on_trial` connections are on trial at once; without it, as many as have a place.
    The address `unlimited` has no limit of its own.
    The descriptors of all of them, also of those that lost their place and are being closed, come
    out of an `allowance`, which others may share.
    """

    def __init__(
        self,
        most: int,
        most_each: int,
        most_on_trial: int | None = None,
        allowance: Allowance | None = None,
        unlimited: str | None = None,
    ) -> None:
        self.most = most
        self.allowance = allowance or Allowance()
        self._most_each = min(most_each, most)
        self._unlimited = unlimited
        self._most_on_trial = most if most_on_trial is None else most_on_trial
        self._taken: set[Place] = set()
        self._on_trial: OrderedDict[Place, None] = OrderedDict()
        self._by_address: dict[str, _Neighbours] = {}

    def take(self, address: str) -> Place:
        """Return a place for a connection from an address, perhaps one that was another's.

        Raises `NoPlaceError`.
        """
        neighbours = self._by_address.get(address)
        most_each = self.most if address == self._unlimited else self._most_each
        if neighbours is not None and neighbours.number >= most_each:
            self._displace(neighbours.on_trial, Limit.OF_ONE_ADDRESS, most_each)
        elif self.allowance.is_used_up:
            self._displace(self._on_trial, Limit.DESCRIPTORS, self.allowance.most)
        elif len(self._taken) >= self.most or len(self._on_trial) >= self._most_on_trial:
            self._displace(self._on_trial, Limit.CONNECTIONS, self.most)
        self.allowance.taken += 1
        place = Place(self, address)
        self._taken.add(place)
        self._by_address.setdefault(address, _Neighbours()).number += 1
        self.begin_trial(place)
        return place

    def begin_trial(self, place: Place) -> None:
        """Note that a connection has shown nothing of late."""
        if place in self._taken:
            for trials in (self._on_trial, self._by_address[place.address].on_trial):
                trials[place] = None
                trials.move_to_end(place)

    def end_trial(self, place: Place) -> None:
        """Note that a connection has shown what it is for."""
        if place in self._on_trial:
            del self._on_trial[place]
            del self._by_address[place.address].on_trial[place]

    def vacate(self, place: Place) -> None:
        """Have a place back, if it is taken."""
        if place not in self._taken:
            return
        self.end_trial(place)
        self._taken.remove(place)
        neighbours = self._by_address[place.address]
        neighbours.number -= 1
        if not neighbours.number:
            del self._by_address[place.address]

    def _displace(self, trials: OrderedDict[Place, None], limit: Limit, most: int) -> None:
        """Have the place back that is on trial for longest. Raises `NoPlaceError` if none is."""
        longest = next(iter(trials), None)
        if longest is None:
            raise NoPlaceError(limit, most)
        self.vacate(longest)
        longest.make_way()
