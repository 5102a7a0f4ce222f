"""From any category and any list, with any single fault and any other administrator.

The category ends correct or as it was, or the next run repairs it; what people put there is never
touched; what this program added is never left without an owner; the reason is recorded.
"""

import asyncio
import tempfile
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nss.errors import NssError
from tests.sync.conftest import Bench, names
from tests.sync.organisation import FAULTS, Killed, Organisation

pytestmark = pytest.mark.long

POOL = st.sets(st.sampled_from(names(range(10))), min_size=1)
HAND = st.sets(st.sampled_from([f"hand{number}.example" for number in range(4)]))
MAX_CALLS = 14
POINTS = ("claimed", "added", "owned", "removing", "removed", "activated")

FAULT = st.one_of(
    st.none(),
    st.tuples(
        st.integers(0, MAX_CALLS),
        st.sampled_from([(kind, done) for kind, (_, may) in FAULTS.items() for done in may]),
    ),
)
POINT = st.one_of(st.none(), st.tuples(st.sampled_from(POINTS), st.integers(1, 3)))


class KillAt:
    """Kills at the nth time that a point is passed."""

    def __init__(self, point: str, count: int) -> None:
        self.point = point
        self.left = count

    def __call__(self, point: str) -> None:
        if point == self.point:
            self.left -= 1
            if self.left == 0:
                raise Killed


class Administrator:
    """Adds URLs of his own and removes some of anybody's, before the nth change."""

    def __init__(self, at: int, add: set[str], remove: set[str]) -> None:
        self.left = at
        self.add = add
        self.remove = remove
        self.has_acted = False

    def __call__(self, organisation: Organisation) -> None:
        self.left -= 1
        if self.left == 0:
            self.has_acted = organisation.category is not None
            organisation.change(self.add, self.remove)


ADMINISTRATOR = st.builds(Administrator, st.integers(0, 4), HAND, POOL)


@settings(max_examples=60)
@given(
    by_hand=st.none() | HAND | POOL,
    before=POOL,
    wanted=POOL,
    fault=FAULT,
    point=POINT,
    administrator=ADMINISTRATOR,
    retain=st.booleans(),
)
def test_a_run_does_all_or_nothing_or_the_next_one_repairs_it(
    *,
    by_hand: set[str] | None,
    before: set[str],
    wanted: set[str],
    fault: tuple[int, tuple[str, bool]] | None,
    point: tuple[str, int] | None,
    administrator: Administrator,
    retain: bool,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        organisation = Organisation()
        bench = Bench(
            Path(folder), organisation, retain_parent_category=retain, max_shrink_percent=100
        )
        asyncio.run(_go(bench, by_hand, before, wanted, fault, point, administrator))


async def _go(
    bench: Bench,
    by_hand: set[str] | None,
    before: set[str],
    wanted: set[str],
    fault: tuple[int, tuple[str, bool]] | None,
    point: tuple[str, int] | None,
    administrator: Administrator,
) -> None:
    organisation = bench.organisation
    strangers = by_hand or set()
    if by_hand is not None:
        organisation.put(by_hand)
    await bench.run(*before)
    assert organisation.urls == before | strangers

    organisation.calls.clear()
    if fault is not None:
        number, (kind, is_done) = fault
        organisation.faults[number] = (FAULTS[kind][0], is_done)
    if point is not None:
        bench.at = KillAt(*point)
    organisation.between = administrator
    error = await _outcome(bench, wanted)
    if administrator.has_acted:
        strangers = (strangers - administrator.remove) | administrator.add
    # What people put there is there, whatever happened.
    assert strangers <= organisation.urls
    # Nothing is there that nobody wanted at any time.
    assert organisation.urls <= strangers | before | wanted
    if error is None:
        assert organisation.urls == wanted | strangers
        assert organisation.is_active
    _check_record(bench, error)

    organisation.faults.clear()
    organisation.between = lambda _: None
    bench.at = lambda _point: None
    assert await _outcome(bench, wanted) is None
    assert organisation.urls == wanted | strangers
    assert organisation.is_active
    # All that this program added it also removes again, and nothing else.
    assert await _outcome(bench, {"last.example"}) is None
    assert organisation.urls == {"last.example"} | strangers


async def _outcome(bench: Bench, wanted: set[str]) -> BaseException | None:
    try:
        await bench.run(*wanted)
    except (NssError, Killed) as error:
        return error
    return None


def _check_record(bench: Bench, error: BaseException | None) -> None:
    last = bench.store.history().last
    entries = (bench.folder / "audit.log").read_bytes().splitlines()
    audited = orjson.loads(entries[-1])
    assert last is not None
    if isinstance(error, NssError):
        assert (last.outcome, last.error) == ("failed", error.args[0])
        assert (audited["outcome"], audited["reason"]) == ("failed", error.args[0])
    elif error is None:
        assert last.error is None
        assert audited["outcome"] in {"synced", "unchanged"}
