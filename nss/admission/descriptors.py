"""File descriptors: how many the process may have, and how many of them connections leave alone.

The spool, the control socket, sinks and files need descriptors at any time, and must not find that
strangers have taken the last one. The kernel hands out the lowest number that is free, so that of
the next one says how many are taken at least: that makes looking cheap.
"""

import contextlib
import fcntl
import os
import resource
import sys

RESERVED = 256
"""How many descriptors connections from outside leave to everything else; if the process may have
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
    """Return how many descriptors are not for connections from outside."""
    return min(RESERVED, limit() // 2)


def are_scarce(descriptor: int, *, spares_reserve: bool) -> bool:
    """Return whether there is no further descriptor, or only those that are reserved.

    `descriptor` is any that is open.
    """
    try:
        following = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 0)
    except OSError:
        return True
    os.close(following)
    return spares_reserve and following >= limit() - reserved()
