"""What Cloud Discovery would make of the lines: traffic per cloud app, user and action."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

MAX_NAMES = 10_000
"""Apps and users counted by name; all others are counted together under `OTHER`."""

OTHER = "(other)"


@dataclass(slots=True)
class Traffic:
    """The traffic of one cloud app or one user."""

    transactions: int = 0
    upload_bytes: int = 0
    download_bytes: int = 0
    partners: set[str] = field(default_factory=set)
    """The users of an app, or the apps of a user."""

    @property
    def total_bytes(self) -> int:
        """Upload and download together."""
        return self.upload_bytes + self.download_bytes


class Discovery:
    """Adds up LEEF attributes of web transactions: `cat appname usrName srcBytes dstBytes`."""

    def __init__(self) -> None:
        self.actions: Counter[str] = Counter()
        self.apps: dict[str, Traffic] = {}
        self.users: dict[str, Traffic] = {}

    def add(self, attributes: Mapping[str, str]) -> None:
        """Count one transaction.

        Raises `KeyError` when an attribute is missing and `ValueError` when a size is no number;
        nothing is counted then.
        """
        action, app_name = attributes["cat"], attributes["appname"]
        user_name = attributes["usrName"]
        upload_bytes = int(attributes["srcBytes"])
        download_bytes = int(attributes["dstBytes"])
        self._count(action, 1)
        app_name, app = _entry(self.apps, app_name)
        user_name, user = _entry(self.users, user_name)
        for traffic, partner in ((app, user_name), (user, app_name)):
            traffic.transactions += 1
            traffic.upload_bytes += upload_bytes
            traffic.download_bytes += download_bytes
            traffic.partners.add(partner)

    def merge(self, found: "Discovery") -> None:
        """Add what was found elsewhere."""
        for action, transactions in found.actions.items():
            self._count(action, transactions)
        for entries, others in ((self.apps, found.apps), (self.users, found.users)):
            for name, more in others.items():
                _, traffic = _entry(entries, name)
                traffic.transactions += more.transactions
                traffic.upload_bytes += more.upload_bytes
                traffic.download_bytes += more.download_bytes
                traffic.partners |= more.partners

    def top_apps(self, limit: int = 10) -> list[tuple[str, Traffic]]:
        """Return the apps with the most bytes, most first."""
        return _top(self.apps, limit)

    def top_users(self, limit: int = 10) -> list[tuple[str, Traffic]]:
        """Return the users with the most bytes, most first."""
        return _top(self.users, limit)

    def _count(self, action: str, transactions: int) -> None:
        known = action in self.actions or len(self.actions) < MAX_NAMES
        self.actions[action if known else OTHER] += transactions


def _entry(entries: dict[str, Traffic], name: str) -> tuple[str, Traffic]:
    traffic = entries.get(name)
    if traffic is None:
        if len(entries) >= MAX_NAMES:
            name = OTHER
        traffic = entries.setdefault(name, Traffic())
    return name, traffic


def _top(entries: dict[str, Traffic], limit: int) -> list[tuple[str, Traffic]]:
    ranked = sorted(entries.items(), key=lambda entry: (-entry[1].total_bytes, entry[0]))
    return ranked[:limit]
