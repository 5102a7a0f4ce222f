"""JSON that others wrote, or that was damaged since: of one form, or one kind of error."""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


def decode(
    data: bytes | str, kind: type[T], dec_hook: Callable[[type, Any], Any] | None = None
) -> T:
    """Return JSON as a `kind`. Raises `msgspec.DecodeError`, whatever else it is.

    msgspec itself raises other errors for text that is no UTF-8, and for what is nested too deeply.
    """
    try:
        return msgspec.json.decode(data, type=kind, dec_hook=dec_hook)
    except UnicodeError:
        raise msgspec.DecodeError("text is not UTF-8") from None
    except RecursionError:
        raise msgspec.DecodeError("JSON is nested too deeply") from None
