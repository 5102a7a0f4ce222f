"""How many descriptors the process may have, for tests."""

import contextlib
import os
import resource
from collections.abc import Iterator


def free_descriptor() -> int:
    """Return the number that the next descriptor gets."""
    free = os.dup(0)
    os.close(free)
    return free


@contextlib.contextmanager
def at_most(number: int) -> Iterator[None]:
    """Let the process have no descriptor from a number on."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (number, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
