"""A sync with a stand-in for ZIA, a list that the test gives, and clocks that do not wait."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from nss.config.sync import SyncConfig
from nss.sync.run import Clocks, Report, Sync
from nss.sync.state import SyncStore
from nss.sync.targets import At, Target
from nss.sync.targets.zia import Look, ZiaTarget
from nss.telemetry.audit import AuditLog
from tests.sync.organisation import Organisation


class Bench:
    """One state directory, one organisation, one list."""

    def __init__(self, folder: Path, organisation: Organisation, **settings: object) -> None:
        self.folder = folder
        self.organisation = organisation
        self.settings = SyncConfig(**{"urls_per_request": 3, **settings})  # type: ignore[arg-type]
        self.store = SyncStore(folder)
        self.at: At = lambda _point: None
        self.account = "here"
        self.look: Look | None = None
        self.list: list[str] = []
        self.failures: list[Exception] = []
        """What reading the list raises, one after the other."""
        self.time = 1000.0

    def wants(self, *urls: str) -> "Bench":
        """Give the list."""
        self.list = list(urls)
        return self

    @property
    def sync(self) -> Sync:
        """The sync, as a new process has it."""
        audit = AuditLog(self.folder / "audit.log")
        clocks = Clocks(lambda: self.time, lambda: self.time, self._sleep)
        return Sync(self.settings, self.store, audit, self._entries, self._open, clocks=clocks)

    async def run(self, *urls: str, allow_shrink: bool = False) -> Report:
        """Sync a list."""
        return await self.wants(*urls).sync.run(allow_shrink=allow_shrink)

    async def _sleep(self, secs: float) -> None:
        self.time += secs

    async def _entries(self) -> list[str]:
        if self.failures:
            raise self.failures.pop(0)
        return self.list

    async def _open(self) -> Target:
        return ZiaTarget(
            self.organisation,
            self.settings,
            self.store,
            account=self.account,
            look=self.look,
            at=self.at,
        )


def names(numbers: Iterable[int]) -> list[str]:
    """Return URLs by their numbers."""
    return [f"{number:03}.example" for number in numbers]


def files(folder: Path) -> list[Path]:
    """Return what is in a folder."""
    return sorted(folder.iterdir())


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A bench with an organisation that has no category yet."""
    return Bench(tmp_path, Organisation())
