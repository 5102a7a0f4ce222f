"""The plan of changes: from any category and any wanted list."""

from contextlib import nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nss.sync import ListRefused
from nss.sync.changes import changes, check_size, chunks, key, keys

URLS = st.sets(
    st.sampled_from([*(f"{name}.example" for name in "abcdefgh"), ".A.example", ".a.example"])
)
BIG = st.integers(0, 50_000)


@given(present=URLS, wanted=URLS, owned=URLS, exclusive=st.booleans())
def test_what_is_changed_makes_the_category_right_and_leaves_the_urls_of_others(
    *, present: set[str], wanted: set[str], owned: set[str], exclusive: bool
) -> None:
    mine = keys(owned)
    plan = changes(present, wanted, mine, exclusive=exclusive)
    after = (present - set(plan.remove)) | set(plan.add)
    assert keys(wanted) <= keys(after)
    strangers = {url for url in present if key(url) not in mine | keys(wanted)}
    assert strangers.isdisjoint(after) if exclusive else strangers <= after
    if exclusive:
        assert keys(after) == keys(wanted)
    else:
        assert keys(plan.kept) == keys(strangers)
    assert not keys(after) & (mine - keys(wanted))
    assert keys(plan.add).isdisjoint(keys(present))
    assert keys(plan.vanished) == mine & keys(wanted) - keys(present)


@given(present=URLS, wanted=URLS, owned=URLS, exclusive=st.booleans())
def test_a_second_run_has_nothing_to_do(
    *, present: set[str], wanted: set[str], owned: set[str], exclusive: bool
) -> None:
    first = changes(present, wanted, keys(owned), exclusive=exclusive)
    after = (present - set(first.remove)) | set(first.add)
    second = changes(after, wanted, keys(owned) | keys(first.add), exclusive=exclusive)
    assert (second.add, second.remove) == ((), ())


@given(before=BIG, wanted=BIG, percent=st.integers(0, 100))
def test_a_list_shrinks_by_no_more_than_is_allowed(before: int, wanted: int, percent: int) -> None:
    is_right = wanted > 0 and wanted >= before - before * percent / 100
    with nullcontext() if is_right else pytest.raises(ListRefused):
        check_size(wanted, before, percent)


@pytest.mark.parametrize(("wanted", "before"), [(0, 0), (0, 1), (4, 10), (1, 3)])
def test_an_empty_or_much_shorter_list_is_refused_and_says_what_to_do(
    wanted: int, before: int
) -> None:
    with pytest.raises(ListRefused, match="at least one") as refused:
        check_size(wanted, before, 50)
    assert "--allow-shrink" in (refused.value.tip or "")
    assert "nothing was changed" in str(refused.value)


@pytest.mark.parametrize(("wanted", "before"), [(1, 0), (5, 10), (1, 2), (100, 10)])
def test_other_lists_are_taken(wanted: int, before: int) -> None:
    check_size(wanted, before, 50)


def test_chunks_lose_nothing() -> None:
    assert list(chunks(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert list(chunks([], 2)) == []
