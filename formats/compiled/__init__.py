"""The compiled core: decode, check and render in one pass, with the interpreter lock released.

It is optional, and Python is its judge: where it is not built, or `NSS_PURE=1` is set, everything
runs in Python; what the core does not do it hands over record by record. The lines are the same.
"""

import os
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from formats.compiled._core import Core as Core
else:
    try:
        from formats.compiled._core import Core
    except ImportError:
        Core = None

PURE = "NSS_PURE"
"""The environment variable that forces Python, unless it is empty or 0."""


def is_wanted() -> bool:
    """Return whether what is compiled may run: `PURE` does not force Python."""
    return os.environ.get(PURE, "0") in {"", "0"}


def core_type() -> "type[Core] | None":
    """Return the class of the core; `None` where Python has to run."""
    return Core if is_wanted() else None


def mode() -> Literal["compiled", "python"]:
    """Return what runs: `compiled` or `python`."""
    return "python" if core_type() is None else "compiled"
