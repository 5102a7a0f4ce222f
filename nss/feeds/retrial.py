"""What becomes of records that were rejected and go through their feeds once more."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from nss.batch import Account, Batch
from nss.spool import Reject


@dataclass(slots=True)
class FeedRetrial:
    """Records of one feed; numbers are of records."""

    expected: int = 0
    seen: int = 0
    """How many the feed has worked on; those it delivers later, together with others, included."""
    done: Account = field(default_factory=Account)
    reasons: Counter[str] = field(default_factory=Counter)
    """Why some were rejected again."""


class Retrial:
    """Follows batches from the spool that accepted them again through their feeds.

    A batch is recognised by what is in it: the feed may have it from the disk.
    """

    def __init__(self) -> None:
        self.feeds: dict[str, FeedRetrial] = {}
        self._expected: Counter[tuple[str, bytes]] = Counter()

    def expect(self, batch: Batch) -> None:
        """Note that a batch of retried records is about to be accepted for its feed."""
        self.feeds.setdefault(batch.feed, FeedRetrial()).expected += batch.records
        self._expected[_key(batch)] += 1

    def note(self, batch: Batch, done: Account, rejects: Sequence[Reject]) -> None:
        """Note what a feed made of a batch; one that nobody expects is left out."""
        key = _key(batch)
        if not self._expected[key]:
            return
        self._expected[key] -= 1
        found = self.feeds[batch.feed]
        found.seen += batch.records
        found.done.add(done)
        found.reasons.update(reject.reason for reject in rejects)


def _key(batch: Batch) -> tuple[str, bytes]:
    return batch.feed, sha256(batch.data).digest()
