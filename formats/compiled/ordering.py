"""Where the compiled core finds the order key of a record."""

from collections.abc import Mapping
from dataclasses import dataclass

from formats.compiled.program import MAX_WAYS, How, Unfit, how_of
from formats.order import ORDER_FIELD, order_key
from formats.plan import Constant, Derived, FieldAccess, Own


@dataclass(frozen=True, slots=True)
class Order:
    """The slot of the text whose order key it is, slots to derive it from, and the key without."""

    slot: int
    ways: tuple[tuple[int, How], ...]
    otherwise: int


def order_of(access: FieldAccess, slots: Mapping[str, int]) -> Order:
    """Return where the order key comes from. Raises `Unfit`."""
    value = access.values[ORDER_FIELD]
    match value:
        case Constant(constant):
            return Order(-1, (), order_key(str(constant)))
        case Own(own):
            defaults = {attribute.name: attribute.default for attribute in access.attributes}
            return Order(slots[own], (), order_key(str(defaults[own])))
        case Derived(own, derivations, placeholder) if len(derivations) <= MAX_WAYS:
            ways = tuple((slots[way.source], how_of(way)) for way in derivations)
            return Order(-1 if own is None else slots[own], ways, order_key(str(placeholder)))
    raise Unfit("users that the core can't tell apart")
