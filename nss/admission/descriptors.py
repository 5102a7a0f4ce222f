"""File descriptors: how many the process may have, and how many of them connections leave alone.

The spool, the control socket, sinks and files need descriptors at any time, and must not find that
strangers have taken the last one.
"""

import contextlib
import resource
import sys

RESERVED = 256
"""How many descriptors connections of senders leave to everything else; if the process may have
few, half of those."""


def raise_limit() -> int:
    """Let the process have as many descriptors as it may grant itself; returns the limit."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # the kernel's own limit can be lower
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return limit()


def limit() -> int:
    """Return how many descriptors the process may have."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if allowed == resource.RLIM_INFINITY else allowed


def reserved() -> int:
    """Return how many descriptors are not for connections of senders."""
    return min(RESERVED, limit() // 2)


class Allowance:
    """The descriptors that connections may have together, of all listeners that share it."""

    def __init__(self) -> None:
        self.taken = 0

    @property
    def most(self) -> int:
        """How many there are."""
        return limit() - reserved()

    @property
    def is_used_up(self) -> bool:
        """Whether one more would be one of those reserved."""
        return self.taken >= self.most


for_senders = Allowance()
"""What all sources of the process share."""
