'''What happened, reported once: an event is a function that writes its log line and counts.

    @event(ERROR, Counter.SPOOL_READ_FAILURES, name="spool_cannot_read")
    def cannot_read(feed: str, why: str) -> None:
        """The spool can't be read now; it is tried again."""

The first paragraph of the docstring is the sentence of the log line, the parameters are its fields.
The level says whether data was lost: ERROR means it was or will be, WARNING that something waits or
was repaired, INFO that the state changed. An event that repeats is held back and reported as a
number: the first at once, then one line every `QUIET_SECS` with how many there were.
'''

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from inspect import getdoc
from string import Formatter
from typing import Any, ParamSpec, cast

from nss.telemetry.counters import Counter

QUIET_SECS = 10.0
MAX_HELD = 1000

P = ParamSpec("P")

log = logging.getLogger("nss")

counters: defaultdict[tuple[str, str], int] = defaultdict(int)
"""(counter, component name) -> count since the process started."""


@dataclass(frozen=True, slots=True)
class Event:
    """A declared event. `component` is a name, or the parameter that has the name of the part."""

    name: str
    level: int
    sentence: str
    component: str
    fields: Mapping[str, str]
    """The name of each field in the log line, by the parameter that has it."""
    counter: Counter | None


declared: list[Event] = []
"""The events of all modules imported so far."""


@dataclass(slots=True)
class _Held:
    until: float
    count: int = 0


_held: dict[tuple[str, str, str], _Held] = {}


def event(
    level: int,
    counter: Counter | None = None,
    *,
    name: str = "",
    component: str = "",
    amount: str = "",
    always: bool = False,
) -> Callable[[Callable[P, str | None]], Callable[P, None]]:
    """Make a function an event: to call it is to report it and to count it.

    `name` is the event's, if it isn't the function's. `component` is the part that the event is
    about; without it the first parameter names the part. The counter moves by one, or by the
    parameter called `amount`. With `always` it is never held back, as what people do must not be.

    The other parameters are the fields, but for those that the sentence has in braces. A trailing
    underscore, as in `bytes_`, is left out of a field's name.

    The body runs first. It may move further counters, and what it returns is the sort: only events
    of one sort are repetitions of each other. There must be few sorts of an event.
    """

    def declare(function: Callable[P, str | None]) -> Callable[P, None]:
        event_name = name or function.__name__
        sentence = " ".join((getdoc(function) or event_name).split("\n\n")[0].split())
        parameters = _parameters(function)
        in_sentence = {field for _, field, _, _ in Formatter().parse(sentence)}
        fields = {each: each.rstrip("_") for each in parameters if each not in in_sentence}
        part = component or next(iter(fields))
        fields.pop(part, None)
        made = Event(event_name, level, sentence, part, fields, counter)
        declared.append(made)
        return wraps(function)(
            cast("Callable[P, None]", _occur(made, function, amount, always=always))
        )

    return declare


def _parameters(function: Callable[..., object]) -> tuple[str, ...]:
    """Return the names of parameters; `inspect.signature` takes 0.1 ms for each of 150 events."""
    code = function.__code__
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


def _defaults(function: Callable[..., object]) -> dict[str, object]:
    positional = function.__code__.co_varnames[: function.__code__.co_argcount]
    values = function.__defaults__ or ()
    of_positional = zip(positional[len(positional) - len(values) :], values, strict=True)
    return dict(of_positional) | (function.__kwdefaults__ or {})


def _occur(
    made: Event, function: Callable[..., str | None], amount: str, *, always: bool
) -> Callable[..., None]:
    """Return what is called when the event happens. All that can be is looked up in advance."""
    name, counter = made.name, made.counter
    parameters = order = _parameters(function)
    defaults = _defaults(function)
    fixed = "" if made.component in parameters else made.component
    part_at = 0 if fixed else order.index(made.component)
    amount_at = order.index(amount) if amount else 0

    def occur(*args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as `function` takes them
        sort = function(*args, **kwargs) or ""  # it also checks the arguments
        part = fixed or (args[part_at] if part_at < len(args) else kwargs[made.component])
        if counter is not None:
            moved = 1
            if amount:
                moved = args[amount_at] if amount_at < len(args) else kwargs[amount]
            counters[counter, part] += moved
        held_back = 0 if always else _held_back(name, part, sort)
        if held_back is not None and log.isEnabledFor(made.level):
            values = defaults | dict(zip(order, args, strict=False)) | kwargs
            facts = {field: values[each] for each, field in made.fields.items()}
            if held_back:
                facts["held_back"] = held_back
            kind = "" if fixed else made.component
            _write(made.level, name, part, made.sentence.format_map(values), facts, kind)

    return occur


def _held_back(name: str, component: str, sort: str) -> int | None:
    """Return how many were held back since the last line; `None` holds this one back, too."""
    now = time.monotonic()
    key = (name, component, sort)
    held = _held.get(key)
    if held is None:
        if len(_held) >= MAX_HELD:
            report_held_back()
        _held[key] = _Held(now + QUIET_SECS)
        return 0
    if now < held.until:
        held.count += 1
        return None
    _held[key] = _Held(now + QUIET_SECS)
    return held.count


def report_held_back() -> None:
    """Report how many events of each sort were held back since the last line about them."""
    for (name, component, sort), held in _held.items():
        if held.count:
            facts = {"of": name, "sort": sort, "held_back": held.count}
            sentence = "More events like one that was reported before."
            _write(logging.INFO, "held_back", component, sentence, facts)
    _held.clear()


def _write(
    level: int,
    name: str,
    component: str,
    sentence: str,
    facts: Mapping[str, object],
    kind: str = "",
) -> None:
    """Log an event; `kind` is what its component is, such as `feed`."""
    extra = {"event": name, "component": component, "facts": facts, "kind": kind}
    log.log(level, sentence, extra=extra)


def count(counter: Counter, component: str, amount: int = 1) -> None:
    """Move a counter."""
    counters[counter, component] += amount


def clear() -> None:
    """Forget all counts and what was held back (tests)."""
    counters.clear()
    _held.clear()
