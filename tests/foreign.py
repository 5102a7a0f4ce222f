"""Hypothesis strategies for JSON that others wrote: any shape, and shapes close to the right one.

All yield bytes, since half of what can be wrong can't be said in Python's objects: a key twice,
half a surrogate pair, a number of a thousand digits, bytes that are no UTF-8, an end in the middle.
"""

import json
from collections.abc import Callable, Mapping
from typing import TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

MANY = settings(
    max_examples=8 * settings().max_examples,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
"""For readers that are quick, and write their files anew for each example."""

T = TypeVar("T")

Fragments = st.SearchStrategy[bytes]

NUMBERS: Fragments = st.sampled_from(
    [
        *(b"0", b"-0", b"5", b"-1", b"0.5", b"1e3", b"1E400", b"-1e999", b"1e-400", b"1696583108"),
        *(b"9223372036854775807", b"18446744073709551616", b"1" + b"0" * 400, b"7" * 5000),
        *(b"253402300800", b"-62135596801", b"1e14"),  # beyond the years that there are
    ]
)
TEXTS: Fragments = st.sampled_from(
    [
        *(b'""', b'"a"', b'"true"', b'"5"', b'"' + b"x" * 5000 + b'"'),
        *(b'"\\ud800"', b'"\\udc00\\ud800"', b'"\\ud83d\\ude00"', b'"\\u0000"', b'"a\\nb\\tc"'),
        *(b'"https://"', b'"https://[::"', b'"https://a:99999/"', b'"/etc/nss.toml"', b'"%0a"'),
        *('"\xe4\u2028\U0001f600"'.encode(), b'"\xff"', b'"\xed\xa0\x80"'),
    ]
)
SCALARS: Fragments = st.sampled_from([b"null", b"true", b"false"]) | NUMBERS | TEXTS
KEYS: Fragments = st.sampled_from([b'"a"', b'""', b'"error"', b'"data"', b'"\\u0000"', b'"\xff"'])


def _array(values: list[bytes]) -> bytes:
    return b"[" + b",".join(values) + b"]"


def _object(entries: list[tuple[bytes, bytes]]) -> bytes:
    """Return an object; keys may stand in it twice."""
    return b"{" + b",".join(key + b":" + value for key, value in entries) + b"}"


DEEP: Fragments = st.builds(
    lambda opening, depth, inner, closing: opening * depth + inner + closing * depth,
    st.just(b"["),
    st.sampled_from([50, 500, 1020, 3000]),
    SCALARS,
    st.just(b"]"),
) | st.builds(
    lambda depth, inner: b'{"a":' * depth + inner + b"}" * depth,
    st.sampled_from([50, 500, 1020, 3000]),
    SCALARS,
)

TREES: Fragments = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4).map(_array)
        | st.lists(st.tuples(KEYS, inner), max_size=4).map(_object)
    ),
    max_leaves=8,
)

VALUES: Fragments = st.sampled_from([SCALARS, SCALARS, SCALARS, TREES, TREES, DEEP]).flatmap(
    lambda chosen: chosen
)
"""JSON of any shape, or nearly JSON."""

BROKEN: Fragments = st.sampled_from(
    [
        *(b"", b" ", b"\0", b"nul", b"NaN", b"Infinity", b"-", b'"', b"[", b"{", b'{"a"', b"[1,]"),
        *(b"{'a':1}", b'{"a":1}}', b"[1][2]", b"\xef\xbb\xbf{}", b"\xff\xfe{\0}\0", b"<html>"),
    ]
) | st.binary(max_size=20)

ANY: Fragments = VALUES | BROKEN
"""Whatever may come where JSON is expected."""


def result_of(call: Callable[[], T], *planned: type[Exception]) -> T | Exception:
    """Return what a call returns, or which of the planned errors ended it; raises all others."""
    try:
        return call()
    except planned as error:
        return error


def like(sample: Mapping[str, object]) -> Fragments:
    """Return an object like `sample`, in which something at some place is not as it should be."""
    return st.sampled_from(_places(sample)).flatmap(lambda place: _changed(sample, place))


def answers(*samples: Mapping[str, object]) -> Fragments:
    """Return anything, mostly close to one of the samples, some of it cut off or spoiled."""
    near = st.one_of([like(sample) for sample in samples])
    right = st.sampled_from([json.dumps(sample).encode() for sample in samples])
    cut = st.tuples(right, st.integers(1, 40)).map(lambda found: found[0][: -found[1]])
    spoiled = st.builds(_spoiled, right, st.floats(0, 1), st.sampled_from(SPOILS))
    chosen = [near, near, near, near, spoiled, spoiled, cut, ANY]
    return st.sampled_from(chosen).flatmap(lambda found: found)


SPOILS = (b"\xff", b"\xc3", b"\0", b"\n", b'"', b"\\", b"[", b"}", b"\\u12", b"\xef\xbb\xbf")


def _spoiled(right: bytes, share: float, spoil: bytes) -> bytes:
    """Return JSON with other bytes in the place of one."""
    at = round(share * len(right))
    return right[:at] + spoil + right[at + 1 :]


def deep_beside(sample: Mapping[str, object]) -> str:
    """Return an object with a further key, whose value is nested more deeply than any stack is."""
    return '{"more":' + "[" * 3000 + "]" * 3000 + "," + json.dumps(sample)[1:]


Place = tuple[str | int, ...]


def _places(tree: object) -> list[Place]:
    """Return the way to each value of a tree, the tree itself among them."""
    inner: list[tuple[str | int, object]] = []
    if isinstance(tree, Mapping):
        inner = list(tree.items())
    elif isinstance(tree, list):
        inner = list(enumerate(tree))
    return [(), *((key, *rest) for key, value in inner for rest in _places(value))]


def _changed(sample: object, place: Place) -> Fragments:
    right = _written(sample, place, None)
    ways: list[Fragments] = [VALUES.map(lambda wrong: _written(sample, place, wrong))]
    if place and isinstance(place[-1], str):
        name = json.dumps(place[-1]).encode()
        ways += [
            st.just(_written(sample, place, b"")),
            VALUES.map(lambda wrong: _twice(right, name, wrong)),
        ]
    else:
        ways.append(VALUES.map(lambda wrong: right[:1] + b'"more":' + wrong + b"," + right[1:]))
    return st.one_of(ways)


def _twice(right: bytes, name: bytes, wrong: bytes) -> bytes:
    """Return an object in which a name stands a second time, at its beginning."""
    at = right.find(name + b":")
    return right[:at] + name + b":" + wrong + b"," + right[at:]


def _written(tree: object, place: Place | None, wrong: bytes | None) -> bytes:
    """Return a tree as JSON, with `wrong` at a place; empty: without what is there."""
    if place == () and wrong is not None:
        return wrong
    if isinstance(tree, Mapping):
        entries = [
            (json.dumps(k).encode(), _written(v, _below(place, k), wrong)) for k, v in tree.items()
        ]
        return _object([entry for entry in entries if entry[1]])
    if isinstance(tree, list):
        return _array([_written(value, _below(place, at), wrong) for at, value in enumerate(tree)])
    return json.dumps(tree).encode()


def _below(place: Place | None, key: str | int) -> Place | None:
    return place[1:] if place and place[0] == key else None
