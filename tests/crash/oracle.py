"""Judges what the collectors got against what the spool had accepted, kill by kill.

- Conservation: what a cursor has passed was delivered before; at the end everything accepted was.
- Integrity: every line is, byte for byte, what the feed makes of one of the records.
- Order: the first deliveries of one sender's records come in the order they were sent.
- Duplicates: a record comes once, and once more for each kill that found it delivered in a batch
  behind the last cursor that was committed: the batches in flight.
- Accounts: accepted = what became of it + what is pending, after every kill.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from tests.crash.ledger import Ledger
from tests.crash.records import Records, stem_and_number


class Delivered(Protocol):
    @property
    def lines(self) -> Sequence[bytes]:
        """What came so far, in order."""


class FeedOracle:
    """Follows one feed."""

    def __init__(self, feed: str, named: dict[bytes, str], collector: Delivered) -> None:
        self.times: Counter[str] = Counter()
        """How often each record came."""
        self.most_in_flight = 0
        """Records behind the cursor at a kill that had been delivered."""
        self._feed = feed
        self._named = named
        self._collector = collector
        self._judged = 0
        self._highest: dict[str, int] = {}
        self._again: Counter[str] = Counter()
        self._passed = 0

    def judge(self, ledger: Ledger) -> None:
        """Take what came since the last time, after a kill or at the end."""
        self._take()
        row = ledger.feeds.get(self._feed)
        behind = ledger.behind(self._feed)
        in_flight = [name for one in behind for name in one.names if name in self.times]
        self._again.update(in_flight)
        self.most_in_flight = max(self.most_in_flight, len(in_flight))
        if row is None:
            return
        passed = range(self._passed + 1, row.passed + 1)
        lost = [n for seq in passed for n in ledger.batches[seq].names if n not in self.times]
        assert lost == [], f"{self._feed}: passed and never delivered"
        self._passed = row.passed
        pending = sum(one.records for one in behind)
        assert row.accepted == row.done + pending, f"{self._feed}: the account does not add up"

    def judge_duplicates(self) -> None:
        """No record may have come more often than kills explain."""
        allowed = {name: 1 + self._again[name] for name in self.times}
        more = {name: n for name, n in self.times.items() if n > allowed[name]}
        assert more == {}, f"{self._feed}: delivered too often"

    @property
    def duplicates(self) -> int:
        """How many deliveries there were beyond the first."""
        return self.times.total() - len(self.times)

    def _take(self) -> None:
        lines = self._collector.lines
        for line in lines[self._judged :]:
            name = self._named.get(line)
            assert name is not None, f"{self._feed}: no record makes this line: {line!r}"
            self.times[name] += 1
            if self.times[name] == 1:
                stem, number = stem_and_number(name)
                before = self._highest.get(stem, -1)
                assert number > before, f"{self._feed}: {name} came after {stem}-{before}"
                self._highest[stem] = number
        self._judged = len(lines)


class Oracle:
    """Follows all feeds of a service."""

    def __init__(self, ledger: Ledger, records: Records, collectors: dict[str, Delivered]) -> None:
        self.ledger = ledger
        self.feeds = {
            feed: FeedOracle(feed, records.named[feed], collector)
            for feed, collector in collectors.items()
        }

    def judge(self) -> None:
        """The service is dead, and the collectors have taken all that it sent."""
        self.ledger.look()
        for feed in self.feeds.values():
            feed.judge(self.ledger)

    def judge_end(self) -> None:
        """The service has ended by itself, with everything delivered."""
        self.judge()
        accepted = {name for one in self.ledger.batches.values() for name in one.names}
        for name, feed in self.feeds.items():
            assert feed.times.keys() == accepted, f"{name}: not what was accepted"
            feed.judge_duplicates()
            row = self.ledger.feeds[name]
            total = sum(one.records for one in self.ledger.batches.values())
            names = sum(len(one.names) for one in self.ledger.batches.values())
            assert row.accepted == row.done == total
            assert (row.delivered, row.rejected) == (names, total - names)
