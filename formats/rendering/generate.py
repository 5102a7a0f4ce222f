"""Plans become Python: the only place that writes source text, and the only one that runs it.

The loop over a batch trusts nothing that it has not checked, but checks in the cheapest way there
is: one f-string builds a line, and the checks of the plan run over it. Whatever looks odd goes to
the reference. Control characters are not sought here: whoever read the records knows where
they may be. A filter is one expression. Case folding and set look-ups are as cheap as remembering
their answers; what must be parsed first (addresses, codes, lists) is parsed once for each
distinct value.
"""

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, repeat
from typing import Any, assert_never, cast

from formats.filters.predicate import (
    AllOf,
    AnyOf,
    Comparison,
    Not,
    NumberTest,
    Predicate,
    Reading,
    TextTest,
)
from formats.filters.readings import MEMO_MAX_CHARS, MEMO_MAX_ENTRIES, READINGS
from formats.language import Literal, Slot
from formats.plan import (
    UNSTATED,
    BackslashBefore,
    Check,
    Constant,
    Derived,
    FieldAccess,
    LineHolds,
    Own,
    RenderPlan,
    Shifted,
    TimeCells,
    TimeKey,
    TimePiece,
    Total,
    Value,
    ValueHolds,
    ValuePiece,
)
from formats.reading.time_key import stated_pairs
from formats.record import Deriver
from formats.times import ABSENT, BadTime
from formats.values import Remembered, unescaped

_MAX_PIECES = 29
"""CPython builds an f-string of up to 30 pieces on the stack, a longer one through a list."""

_INLINE_RANGES = 8
"""More ranges than this are found by bisection, fewer by comparisons."""

Record = Any
Expression = Callable[[str], str]
"""The Python expression of a field's value over the record `r`."""


def compile_function(
    name: str, source: str, names: Mapping[str, object], title: str = ""
) -> Callable[..., Any]:
    """Run generated source and return the function `name` that it defines.

    Nothing else in the project runs text as code. The source comes from the functions below, which
    quote every text that is not theirs; `names` are the objects it uses. `title` stands in
    tracebacks and profiles.
    """
    namespace = dict(names)
    exec(compile(source, f"<{title or name}>", "exec"), namespace)  # noqa: S102 - ours, see above
    return cast("Callable[..., Any]", namespace[name])


def _compile_expression(
    name: str, argument: str, expression: str, names: Mapping[str, object]
) -> Callable[[Any], Any]:
    """Return the function `name` of one argument that returns an expression."""
    return compile_function(name, f"def {name}({argument}):\n    return {expression}\n", names)


# Values


class Fields:
    """The Python of fields: the expression of each over the record `r`, and the names in them."""

    def __init__(self, access: FieldAccess, derivers: Mapping[str, Deriver]) -> None:
        self._values = access.values
        self.names = {f"derive_{field}": derive for field, derive in derivers.items()}

    def expression(self, field: str) -> str:
        """Return the expression of a field that the access has, time fields left out."""
        return _value(field, self._values[field])


def _value(field: str, value: Value) -> str:
    match value:
        case Constant(constant):
            return repr(constant)
        case Own(attribute):
            return f"r.{attribute}"
        case Shifted():
            return f"derive_{field}(r)"
        case Total(own, summands):
            otherwise, number = " + ".join(f"r.{name}" for name in summands), True
        case Derived(own, _, placeholder):
            otherwise, number = f"derive_{field}(r)", isinstance(placeholder, int)
    if own is None:
        return f"({otherwise})"
    return (
        f"(r.{own} if r.{own} != {UNSTATED} else {otherwise})"
        if number
        else f"(r.{own} or {otherwise})"
    )


def compile_field(field: str, fields: Fields) -> Callable[[Record], Any]:
    """Return the function from a record to the value of a field."""
    return _compile_expression("value", "r", fields.expression(field), fields.names)


def compile_values(plan: RenderPlan, fields: Fields) -> Callable[[Record], tuple[str | int, ...]]:
    """Return the function from a record to the values of the value pieces of a line, in order."""
    values = "".join(f"{_value(p.name, p.value)}, " for p in _values_in(plan))
    return _compile_expression("values", "r", f"({values})", fields.names)


# Lines


def compile_batch(
    plan: RenderPlan, fields: Fields, names: Mapping[str, object], title: str
) -> Callable[[Sequence[Record], list[tuple[int, str]]], list[bytes]]:
    """Return the function `batch(records, bad)`, which returns lines.

    A record without a usable time gets an empty line, and its index and reason go to `bad`. The
    function uses these `names`: `times`, the texts of the time pieces by time key; `encoded`, what
    `e*` fields print of a text; `reference`, which renders a record slowly.
    """
    known = {"BadTime": BadTime, "absent": ABSENT, "stated_pairs": stated_pairs}
    return compile_function("batch", _batch_source(plan), fields.names | known | dict(names), title)


def _batch_source(plan: RenderPlan) -> str:
    local = _locals(plan)
    body = [*_time_lookup(plan), *_assignments(plan, local), *_line(list(_pieces(plan, local)))]
    if plan.checks:
        body += [
            f"if {' or '.join(map(_check, plan.checks))}:",
            "    append(reference(r))",
            "else:",
            "    append(line.encode())",
        ]
    else:
        body.append("append(line.encode())")
    head = ["def batch(records, bad):", "    lines = []", "    append = lines.append"]
    loop = ["    for r in records:", *(f"        {row}" for row in body)]
    return "\n".join([*head, *loop, "    return lines", ""])


def _time_lookup(plan: RenderPlan) -> list[str]:
    count = sum(isinstance(piece, TimePiece) for piece in plan.pieces)
    if not count:
        return []
    names = "".join(f"t{number}, " for number in range(count))
    return [
        "try:",
        f"    {names}= times[{_time_key(plan.time_key)}]",
        "except BadTime as error:",
        "    bad.append((len(lines), str(error)))",
        "    append(b'')",
        "    continue",
    ]


def _time_key(key: TimeKey) -> str:
    """Return the expression of the key; `reading.time_key.key_of` is its readable twin."""
    if isinstance(key, TimeCells):
        texts = [f"r.{name}" for name in key.attributes]
        return f"({', '.join(texts)})" if len(texts) > 1 else "".join(texts) or "None"
    return (
        "(r.time if r.tz is None else (r.time, r.tz))"
        " if r.epochtime is None and r.time not in absent"
        f" else stated_pairs(r, {key.attributes!r})"
    )


def _values_in(plan: RenderPlan) -> list[ValuePiece]:
    return [piece for piece in plan.pieces if isinstance(piece, ValuePiece)]


def _locals(plan: RenderPlan) -> set[str]:
    """Return the fields whose text the loop needs more than once."""
    texts = [piece for piece in _values_in(plan) if piece.variable_text]
    counts = Counter(piece.name for piece in texts)
    names = {p.name for p in texts if p.slot.field.encoded or counts[p.name] > 1}
    for check in plan.checks:
        if isinstance(check, ValueHolds):
            names.add(check.field)
        elif isinstance(check, LineHolds):
            names.update(check.unguarded)
    return names


def _assignments(plan: RenderPlan, local: set[str]) -> Iterator[str]:
    pieces = {piece.name: piece for piece in _values_in(plan)}
    for name in sorted(local):
        yield f"v_{name} = {_value(name, pieces[name].value)}"
        if pieces[name].slot.field.encoded:
            odd = f"if ' ' in v_{name} or not v_{name}.isascii(): "
            yield f"{'' if plan.escape_characters else odd}v_{name} = encoded[v_{name}]"


def _line(pieces: Sequence[str]) -> list[str]:
    """Return the statements that build the line, from f-strings of `_MAX_PIECES` each."""
    chunks = [pieces[at : at + _MAX_PIECES] for at in range(0, len(pieces), _MAX_PIECES)]
    if len(chunks) <= 1:
        return [f'line = f"{"".join(pieces)}"']
    rows = [f'part{number} = f"{"".join(chunk)}"' for number, chunk in enumerate(chunks)]
    whole = "".join(f"{{part{number}}}" for number in range(len(chunks)))
    return [*rows, f'line = f"{whole}"']


def _pieces(plan: RenderPlan, local: set[str]) -> Iterator[str]:
    """Yield static texts and replacement fields as they stand in an f-string."""
    time_numbers = iter(range(len(plan.pieces)))
    for piece in plan.pieces:
        match piece:
            case Literal():
                yield _escaped(piece.text)
            case TimePiece():
                yield f"{{t{next(time_numbers)}}}"
            case ValuePiece(slot, Constant(constant)):
                yield _escaped(slot.text(constant))
            case ValuePiece(slot, value):
                name = piece.name
                yield _replacement(slot, f"v_{name}" if name in local else _value(name, value))


def _replacement(slot: Slot, value: str) -> str:
    spec = "x" if slot.conversion == "x" else "d" if slot.width else ""
    if slot.width:
        spec = f"{'0' if slot.pad == '0' else ''}{slot.width}{spec}"
    return f"{{{value}:{spec}}}" if spec else f"{{{value}}}"


def _check(check: Check) -> str:
    match check:
        case ValueHolds(character, field):
            return f"{character!r} in v_{field}"
        case LineHolds(character, 0, ()):
            return f"{character!r} in line"
        case LineHolds(character, expected, unguarded):
            free = "".join(f" - v_{field}.count({character!r})" for field in unguarded)
            return f"line.count({character!r}){free} != {expected}"
        case BackslashBefore(texts, at_end):
            ends = [f"{chr(92) + text!r} in line" for text in texts]
            ends += [r"line[-1] == '\\'"] if at_end else []
            return rf"'\\' in line and ({' or '.join(ends)})"
    assert_never(check)


def _escaped(text: str) -> str:
    """Return `text` for the inside of a double-quoted f-string."""
    body = text.encode("unicode_escape").decode()
    return body.replace('"', '\\"').replace("{", "{{").replace("}", "}}")


# Filters


def compile_predicate(
    predicate: Predicate, expression: Expression, names: Mapping[str, object]
) -> Callable[[Record], bool]:
    """Return the function that decides whether a record passes. It raises nothing.

    `expression(field)` yields `str`, or `int` for fields of size and score; `names` are what these
    expressions name. Names that start with `_f` are the filter's own.
    """
    own = dict(names)
    source = _predicate(predicate, expression, partial(_bind, own))
    return _compile_expression("passes", "r", source, own)


Bind = Callable[[object], str]
"""Gives an object a name that source text can use, and returns it."""


def _bind(names: dict[str, object], value: object) -> str:
    name = f"_f{len(names)}"
    names[name] = value
    return name


def _predicate(predicate: Predicate, expression: Expression, bind: Bind) -> str:
    match predicate:
        case AllOf(()):
            return "True"
        case AllOf(members):
            return " and ".join(f"({_predicate(member, expression, bind)})" for member in members)
        case AnyOf(members):
            return (
                " or ".join(_predicate(member, expression, bind) for member in members) or "False"
            )
        case Not(negated):
            return f"not ({_predicate(negated, expression, bind)})"
        case Comparison(field, test, Reading.VALUE):
            return _test(test, expression(field), bind)
        case Comparison(field, test, reading):
            answers = Remembered(_compile_test(test, reading), MEMO_MAX_ENTRIES, MEMO_MAX_CHARS)
            return f"{bind(answers)}[{expression(field)}]"
    assert_never(predicate)


def _compile_test(test: TextTest | NumberTest, reading: Reading) -> Callable[[str], bool]:
    """Return the function that decides whether one of the readings of a value passes."""
    names: dict[str, object] = {}
    source = _test(test, "value", partial(_bind, names))
    passes, readings = _compile_expression("passes", "value", source, names), READINGS[reading]
    return lambda text: any(map(passes, readings(text)))


def _test(test: TextTest | NumberTest, value: str, bind: Bind) -> str:
    text = f"({value})"
    if isinstance(test, TextTest):  # `readings.folded`
        plain = f"{bind(unescaped)}(_fs) if '%' in (_fs := {value}) else _fs"
        text = f"({plain}).casefold()"
    tested = chain([f"(_fv := {text})"], repeat("_fv"))
    if isinstance(test, TextTest):
        words = ((" in ", test.equal), (".startswith", test.starts), (".endswith", test.ends))
        tests = [f"{next(tested)}{way}({bind(among)})" for way, among in words if among]
        return " or ".join([*tests, *(f"{part!r} in {next(tested)}" for part in test.parts)])
    if len(test.ranges) > _INLINE_RANGES:
        firsts, lasts = zip(*test.ranges, strict=True)
        return f"{bind(partial(_is_within, firsts, lasts))}{text}"
    return " or ".join(
        f"{next(tested)} >= {first}" if last == math.inf else f"{first} <= {next(tested)} <= {last}"
        for first, last in test.ranges
    )


def _is_within(firsts: Sequence[int], lasts: Sequence[float], number: int) -> bool:
    at = bisect_right(firsts, number) - 1
    return at >= 0 and number <= lasts[at]
