"""The accounts of feeds at a start: held against the batches that are there, and the ledger."""

from collections.abc import Callable, Mapping

import pytest

from nss.batch import Account
from nss.spool.durable import accounts, feed_rows
from nss.spool.durable.accounts import Missing
from nss.spool.durable.bookkeeping import FeedRow, State
from nss.spool.durable.ledger import LedgerEntry
from nss.spool.durable.store import Store
from tests.spool.durable.stores import OVERHEAD, append, clock, stores

__all__ = ["clock", "stores"]

SIZE = 10
"""Bytes of each batch."""


def filled(stores: Callable[..., Store], batches: int = 4) -> Store:
    """Return a store whose batches have 3 records each, of the source `web`."""
    store = stores()
    for _ in range(batches):
        append(store, records=3, size=SIZE)
    return store


def row(passed: int = 0, pending: int = 0, *, written: int = 0, rejected: int = 0) -> FeedRow:
    """Return the row of a feed that has passed batches of `web`, and thinks others are pending."""
    account = Account(delivered=3 * passed, rejected=rejected)
    accepted = 3 * passed + rejected + pending
    return FeedRow.of(passed, accepted, account, ("web",), written)


def held(
    store: Store, feeds: Mapping[str, FeedRow], ledger: LedgerEntry | None = None, commits: int = 0
) -> tuple[State, Missing]:
    """Hold rows against the batches of a store; return the state, and what is missing."""
    state = State(last_sequence=store.state.last_sequence, commits=commits, feeds=dict(feeds))
    return state, accounts.reconcile(store.connection, state, ledger, OVERHEAD)


def test_rows_are_read_as_they_were_written(stores: Callable[..., Store]) -> None:
    store = filled(stores)
    for name, sources in (("mcas", ["web", "dns"]), ("siem", ["web"]), ("old", [])):
        feed_rows.register(store, name, sources, None)
    store.state.feeds["siem"].account = Account(1, 2, 3, 4, 5, 6)
    feed_rows.save(store)
    store.state.changed.add("old")
    feed_rows.save(store)
    store.connection.execute("UPDATE cursors SET sources = '' WHERE feed = 'old'")

    state = State()
    accounts.load_feeds(store.connection, state)

    assert state.commits == store.state.commits == 2
    assert {name: each.written for name, each in state.feeds.items()} == {
        "mcas": 1,
        "siem": 1,
        "old": 2,
    }
    assert state.feeds["mcas"].sources == ("dns", "web")
    assert state.feeds["old"].sources == ()
    assert state.feeds["siem"].account == Account(1, 2, 3, 4, 5, 6)


MCAS, SIEM = row(1), row(2)


@pytest.mark.parametrize(
    ("lost", "ledger", "feeds", "found", "unclaimed"),
    [
        (False, None, {"mcas": MCAS}, {"mcas": MCAS}, None),
        (False, LedgerEntry(), {"mcas": MCAS}, {"mcas": MCAS}, None),
        (False, LedgerEntry(feeds={"siem": SIEM}), {"mcas": MCAS}, {"mcas": MCAS}, None),
        (False, LedgerEntry(feeds={"siem": SIEM}), {}, {}, 2),
        (False, None, {}, {}, 2),
        (True, None, {}, {}, 2),
        (True, None, {"mcas": MCAS}, {"mcas": MCAS}, 2),
        (True, LedgerEntry(), {"mcas": MCAS}, {"mcas": MCAS}, 2),
        (
            True,
            LedgerEntry(feeds={"siem": SIEM, "mcas": SIEM}),
            {"mcas": MCAS},
            {"mcas": MCAS, "siem": SIEM},
            None,
        ),
        (True, LedgerEntry(feeds={"siem": SIEM}), {}, {"siem": SIEM}, None),
    ],
)
def test_feeds_whose_rows_a_salvage_lost_are_those_of_the_ledger_or_start_at_the_first_pending(
    stores: Callable[..., Store],
    lost: bool,  # noqa: FBT001 - a case
    ledger: LedgerEntry | None,
    feeds: dict[str, FeedRow],
    found: dict[str, FeedRow],
    unclaimed: int | None,
) -> None:
    store = filled(stores)
    store.connection.execute("UPDATE batches SET passed_at = 1.0 WHERE sequence = 1")
    store.connection.execute("INSERT INTO salvages VALUES (1.0, 0, 0, '', ?, NULL)", (lost,))
    state = State(feeds=dict(feeds))
    accounts.load_lost_feeds(store.connection, state, ledger)
    assert state.feeds == found
    assert state.unclaimed == unclaimed
    assert bool(state.cursors_lost) is lost
    assert all(each is not SIEM for each in state.feeds.values()), "the ledger's own stay as read"


def test_accounts_that_are_right_stay(stores: Callable[..., Store]) -> None:
    feeds = {"mcas": row(1, 9), "siem": row(4)}
    state, missing = held(filled(stores), feeds)
    assert missing == Missing()
    assert not state.changed
    assert not state.is_ahead
    assert (state.feeds["mcas"].pending, state.feeds["mcas"].accepted) == (9, 12)
    assert state.feeds["mcas"].pending_bytes == 3 * (SIZE + OVERHEAD)
    assert state.feeds["siem"].pending_bytes == 0


def test_what_is_not_there_counts_as_rejected_and_what_is_more_as_accepted(
    stores: Callable[..., Store],
) -> None:
    old = FeedRow(0, 99, Account(), 99)  # which sources it follows was not noted yet
    feeds = {"old": old, "lacks": row(1, 14, rejected=2), "has": row(2, 1, rejected=1)}
    state, missing = held(filled(stores), feeds)
    assert missing == Missing({"lacks": 5, "has": -5})
    lacks, has = state.feeds["lacks"], state.feeds["has"]
    assert (lacks.account.rejected, lacks.accepted, lacks.pending) == (7, 19, 9)
    assert (has.account.rejected, has.accepted, has.pending) == (1, 13, 6)
    assert state.feeds["old"].pending == 99
    assert state.changed == {"lacks", "has"}


@pytest.mark.parametrize(
    ("last", "batches", "last_now"), [(7, "5-7", 7), (5, "5-5", 5), (4, "", 4), (2, "", 4)]
)
def test_later_commits_that_the_ledger_knows_are_missing(
    stores: Callable[..., Store], last: int, batches: str, last_now: int
) -> None:
    feeds = {"mcas": row(1, 9, written=5), "siem": row(4, written=6)}
    moved = row(2, 6, written=7)
    ledger = LedgerEntry(last_sequence=last, commits=9, feeds={"mcas": moved})
    state, missing = held(filled(stores), feeds, ledger, commits=6)
    assert missing == Missing(is_behind=True, batches=batches)
    assert (state.last_sequence, state.is_ahead) == (last_now, bool(batches))
    assert state.feeds["siem"] is feeds["siem"]
    assert state.feeds["mcas"].written == 7
    assert state.feeds["mcas"] is not moved
    assert state.changed == {"mcas"}
    assert state.commits == 9


def test_feeds_of_the_ledger_are_written_beside_those_that_have_changed(
    stores: Callable[..., Store],
) -> None:
    store = filled(stores)
    state = State(last_sequence=4, feeds={"siem": row(4)}, changed={"siem"})
    ledger = LedgerEntry(last_sequence=5, feeds={"mcas": row(4)})
    accounts.reconcile(store.connection, state, ledger, OVERHEAD)
    assert state.changed == {"siem", "mcas"}


@pytest.mark.parametrize(("commits", "of_ledger", "found"), [(6, 9, 9), (9, 6, 9), (3, 0, 3)])
def test_numbers_of_commits_are_never_used_twice(
    stores: Callable[..., Store], commits: int, of_ledger: int, found: int
) -> None:
    store = filled(stores)
    state, missing = held(store, {}, LedgerEntry(last_sequence=4, commits=of_ledger), commits)
    assert (state.commits, missing) == (found, Missing())
    state, _ = held(store, {}, None, commits)
    assert state.commits == commits
