"""What a sync changes in a URL category: pure, so that it can be tested for all there may be.

URLs are compared without regard to case, as ZIA compares them: it was seen to keep `.Logz.io`. What
is already in the category stays as it is spelled there.
"""

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from nss.sync import ListRefused
from nss.wording import counted

_EMPTY_TIP = (
    "mark at least one app as unsanctioned in MCAS (Cloud apps, Cloud app catalog); or, if all of "
    "them are to be freed: nss sync-unsanctioned --allow-shrink"
)
_SHRUNK_TIP = (
    "see in MCAS which apps are still marked as unsanctioned, there must be at least one; if the "
    "list is right: nss sync-unsanctioned --allow-shrink"
)
_PERCENT = 100

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Changes:
    """What makes a category what it should be, as sorted URLs."""

    add: tuple[str, ...]
    remove: tuple[str, ...]
    kept: tuple[str, ...]
    """Not wanted, and not added by this program: people put them there."""
    vanished: tuple[str, ...]
    """Of `add`: they were there after an earlier run, and somebody has removed them since."""


def key(url: str) -> str:
    """Return what is equal for URLs that ZIA takes for the same."""
    return url.lower()


def keys(urls: Iterable[str]) -> frozenset[str]:
    """Return the keys of URLs."""
    return frozenset(map(key, urls))


def changes(
    present: AbstractSet[str],
    wanted: Iterable[str],
    owned: AbstractSet[str],
    *,
    exclusive: bool,
    shared: AbstractSet[str] = frozenset(),
) -> Changes:
    """Return what to change in a category that has the URLs `present`.

    `owned` are the keys of URLs that this program added. Only those are removed, unless the list
    is to be all that is in the category (`exclusive`). `shared` are the keys of those that were
    wanted and there before: people or another service added them.
    """
    wanted_by_key = {key(url): url for url in wanted}
    present_by_key = {key(url): url for url in present}
    add = sorted(url for at, url in wanted_by_key.items() if at not in present_by_key)
    strange = {at: url for at, url in present_by_key.items() if at not in wanted_by_key}
    removable = {at for at in strange if exclusive or at in owned}
    return Changes(
        add=tuple(add),
        remove=tuple(sorted(url for url in present if key(url) in removable)),
        kept=tuple(sorted(url for at, url in strange.items() if at not in removable)),
        vanished=tuple(url for url in add if key(url) in owned | shared),
    )


def check_size(wanted: int, before: int, max_shrink_percent: int) -> None:
    """Raise `ListRefused` when a list is empty, or much shorter than the one synced before."""
    if wanted == 0:
        raise ListRefused(
            "the list of unsanctioned apps is empty, so nothing was changed",
            tip=_EMPTY_TIP,
            is_empty=True,
        )
    if (before - wanted) * _PERCENT > before * max_shrink_percent:
        raise ListRefused(
            f"the list of unsanctioned apps has shrunk from {before:,} to "
            f"{counted(wanted, 'URL')}, more than {max_shrink_percent} %, so nothing was changed",
            tip=_SHRUNK_TIP,
        )


def chunks(items: Sequence[T], size: int) -> Iterator[list[T]]:
    """Yield the items in order, at most `size` at a time."""
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk
