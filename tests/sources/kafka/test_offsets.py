"""How far partitions are: the later position wins, and nothing is committed back."""

import pytest

from nss.sources.kafka.offsets import KeptOffsets, Ledger, kept_offsets, position_text

A, B = ("web", 0), ("web", 1)


def _ledger(
    kept: KeptOffsets | None = None, *, delivered: bool = False, sequence: int = 0
) -> Ledger:
    return Ledger(kept or KeptOffsets(), delivered=delivered, sequence=sequence)


def test_a_position_is_read_back() -> None:
    text = position_text("nss", "c1", {A: 7, B: 9})
    assert kept_offsets(text) == KeptOffsets("nss", "c1", {A: 7, B: 9})


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"group":"g","cluster":"c","offsets":{"t":{"x":1}}}', "\udc80"]
)
def test_a_position_that_is_none_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        kept_offsets(text)


@pytest.mark.parametrize(("ours", "theirs", "start"), [(5, 9, 9), (9, 5, 9), (9, None, 9)])
def test_the_later_position_wins(ours: int, theirs: int | None, start: int) -> None:
    ledger = _ledger(KeptOffsets("nss", "c1", {A: ours}))
    assert not ledger.use_kept("nss", "c1")
    assert ledger.assign(A, theirs) == start
    assert ledger.due() == ({A: 9} if start != theirs else {})


def test_without_any_position_there_is_no_start() -> None:
    ledger = _ledger()
    ledger.use_kept("nss", "c1")
    assert ledger.assign(A, None) is None
    assert ledger.due() == {}


@pytest.mark.parametrize(("group", "cluster"), [("other", "c1"), ("nss", "c2")])
def test_a_position_of_others_does_not_count(group: str, cluster: str) -> None:
    ledger = _ledger(KeptOffsets("nss", "c1", {A: 5}))
    assert ledger.use_kept(group, cluster)
    assert ledger.assign(A, None) is None


def test_only_what_is_owned_is_committed_and_never_back() -> None:
    ledger = _ledger()
    ledger.assign(A, 4)
    ledger.assign(B, 4)
    ledger.accept({A: 6, B: 8}, 1, 100)
    assert ledger.due() == {A: 6, B: 8}
    ledger.revoke({B})
    assert ledger.due() == {A: 6}
    ledger.committed({A: 6})
    assert ledger.due() == {}
    # Another instance was further when the partition came back.
    assert ledger.assign(B, 20) == 20
    assert ledger.due() == {}


def test_delivered_commits_what_every_feed_is_past() -> None:
    ledger = _ledger(delivered=True)
    ledger.assign(A, 0)
    ledger.accept({A: 3}, 1, 10)
    ledger.accept({A: 5}, 2, 20)
    assert ledger.due() == {}
    assert ledger.undelivered_bytes == 30
    ledger.passed(1)
    assert ledger.due() == {A: 3}
    assert not ledger.is_passed({A})
    ledger.passed(2)
    assert ledger.due() == {A: 5}
    assert ledger.is_passed({A})
    assert not ledger.undelivered_bytes


def test_delivered_never_commits_what_nobody_can_tell_of() -> None:
    ledger = _ledger(delivered=True)
    ledger.assign(A, 0)
    ledger.accept({A: 3}, None, 10)
    ledger.passed(1_000_000)
    assert ledger.due() == {}


def test_delivered_commits_what_the_spool_kept_once_it_is_passed() -> None:
    ledger = _ledger(KeptOffsets("nss", "c1", {A: 9}), delivered=True, sequence=4)
    ledger.use_kept("nss", "c1")
    assert ledger.assign(A, 2) == 9
    ledger.passed(3)
    assert ledger.due() == {}
    ledger.passed(4)
    assert ledger.due() == {A: 9}


def test_a_partition_made_anew_begins_again() -> None:
    ledger = _ledger()
    ledger.assign(A, 100)
    ledger.restart(A, 0)
    ledger.accept({A: 2}, 1, 1)
    assert ledger.due() == {A: 2}


def test_what_proves_membership_never_goes_back() -> None:
    ledger = _ledger()
    ledger.assign(A, 5)
    ledger.assign(B, 7)
    ledger.accept({A: 6}, 1, 1)
    assert ledger.proof() == {A: 6, B: 7}


@pytest.mark.parametrize("delivered", [False, True])
def test_where_a_partition_begins_is_committed_in_either_way(*, delivered: bool) -> None:
    ledger = _ledger(delivered=delivered)
    assert ledger.assign(A, None) is None
    ledger.begin(A, 100)
    assert ledger.due() == {A: 100}
    ledger.accept({A: 120}, 1, 10)
    ledger.begin(A, 119)
    assert ledger.due() == {A: 100 if delivered else 120}


@pytest.mark.parametrize("delivered", [False, True])
def test_where_a_partition_was_to_begin_goes_with_it(*, delivered: bool) -> None:
    ledger = _ledger(delivered=delivered)
    for key in (A, B):
        assert ledger.assign(key, None) is None
        ledger.begin(key, 1000)
    ledger.committed({B: 1000})
    ledger.revoke([A, B])
    assert ledger.assign(A, 500) == 500  # another had begun before that, and read so far
    assert ledger.assign(B, 500) == 1000
    assert ledger.due([A]) == {}
