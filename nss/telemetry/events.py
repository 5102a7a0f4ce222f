"""What happened, told once: each event is one function that writes the log line and counts.

A message is a sentence; facts are fields. The level says whether data was lost: ERROR means it
was or will be, WARNING that something waits or was repaired, INFO that the state changed.
Repeated events of one kind are held back and told as a number: the first at once, then one line
every `QUIET_SECS` with how many there were.
"""

import logging
import time
from collections import Counter
from dataclasses import dataclass

QUIET_SECS = 10.0
MAX_HELD = 1000

log = logging.getLogger("nss")

counters: Counter[tuple[str, str]] = Counter()
"""(counter, component name) -> count since the process started."""


@dataclass(slots=True)
class _Held:
    until: float
    count: int = 0


_held: dict[tuple[str, str, str], _Held] = {}


def emit(
    level: int, event: str, component: str, message: str, *, sort: str = "", **facts: object
) -> None:
    """Write one log line, unless the same event of the same component was told just now.

    Events of different `sort` are not the same. There must be few sorts of an event.
    """
    now = time.monotonic()
    key = (event, component, sort)
    held = _held.get(key)
    if held is not None and now < held.until:
        held.count += 1
        return
    if held is not None and held.count:
        facts["held_back"] = held.count
    if len(_held) >= MAX_HELD:
        tell_held_back()
    _held[key] = _Held(now + QUIET_SECS)
    log.log(level, message, extra={"event": event, "component": component, "facts": facts})


def tell_held_back() -> None:
    """Tell how many events of each sort were held back since they were last told."""
    for (event, component, sort), held in _held.items():
        if held.count:
            facts = {"of": event, "sort": sort, "held_back": held.count}
            log.log(
                logging.INFO,
                "More of what was told before.",
                extra={"event": "held_back", "component": component, "facts": facts},
            )
    _held.clear()


def count(counter: str, component: str, amount: int = 1) -> None:
    """Move a counter."""
    counters[counter, component] += amount


def clear() -> None:
    """Forget all counts and what was held back (tests)."""
    counters.clear()
    _held.clear()


def report(level: int, event: str, component: str, message: str, **facts: object) -> None:
    """Write one log line, always: what a person did is never held back as a repetition."""
    log.log(level, message, extra={"event": event, "component": component, "facts": facts})
