"""Where the list goes: a URL category of ZIA, or a file. The contract, and the plan that both make.

plan       what is there, compared with what should be: reads only
carry_out  changes it, puts it in force and reads it back
blocking   looks up whether what is there is blocked
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from nss.status.sync_readings import BlockingReading
from nss.sync.domains import SetAside
from nss.zia import Quota

At = Callable[[str], None]
"""Called at points where tests crash the process, with the point's name."""

TargetKind = Literal["zia", "file"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would change."""

    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    """There, not wanted, and put there by people."""
    vanished: tuple[str, ...] = ()
    """Of `add`: they were there after an earlier run, and somebody has removed them."""
    set_aside: tuple[SetAside, ...] = ()
    """Wanted, and not possible in this target."""
    present: int = 0
    """How many URLs there are now that may be removed if they are not wanted."""
    quota: Quota | None = None
    """As it is now."""
    repairs: bool = False
    """Whether something has to be done although no URL changes."""
    advice: str | None = None
    """What somebody should know about the target."""

    @property
    def changes_something(self) -> bool:
        """Whether there is anything to carry out."""
        return bool(self.add or self.remove or self.repairs)

    @property
    def quota_after(self) -> Quota | None:
        """The quota as it will be, if none of the URLs is in another category."""
        if self.quota is None:
            return None
        more = len(self.add) - len(self.remove)
        return Quota(self.quota.used + more, self.quota.remaining - more)


@dataclass(frozen=True, slots=True)
class Done:
    """What was changed."""

    added: int
    removed: int
    refused: tuple[SetAside, ...] = ()
    """URLs that the target does not accept, with its reason."""
    quota: Quota | None = None
    """As it is afterwards."""


class Target(Protocol):
    """Where a list goes. Raises `NssError`, `deadline` in seconds of the monotonic clock."""

    @property
    def kind(self) -> TargetKind:
        """What it is."""
        ...

    @property
    def destination(self) -> str:
        """Its name for people."""
        ...

    async def plan(self, wanted: Sequence[str], deadline: float) -> Plan:
        """Return what makes the target what it should be; changes nothing, here or there."""
        ...

    async def carry_out(self, plan: Plan, wanted: Sequence[str], deadline: float) -> Done:
        """Do what the plan says, put it in force, and check.

        Raises `Unsettled` when somebody else has changed the target meanwhile: plan anew.
        """
        ...

    async def blocking(self, deadline: float) -> BlockingReading | None:
        """Return whether what is there is blocked; `None` where only others can know."""
        ...

    async def close(self) -> None:
        """Close connections. Never raises."""
        ...
