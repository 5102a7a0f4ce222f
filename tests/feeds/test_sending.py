"""Lines that are too long on their way to the sink, whatever it took when they were rendered."""

import random
from collections.abc import Iterator

import orjson
import pytest

from formats import FeedSettings, Pipeline, json_names
from formats.language import parse
from formats.lines import UNLIMITED
from formats.order import order_key
from nss.feeds.sending import OutgoingLines
from nss.telemetry import events
from nss.telemetry.counters import Counter

SIZES = [20, 60, 61, 90, 120, 10_000, UNLIMITED]


@pytest.fixture(autouse=True)
def _fresh_telemetry() -> Iterator[None]:
    events.clear()
    yield
    events.clear()


def records(chance: random.Random) -> bytes:
    def record() -> bytes:
        sizes = [0, 10, 50, 70, 110]
        fields = {name: chance.choice("a\xe9") * chance.choice(sizes) for name in ("url", "ua")}
        odd = {"login": 1.5} if chance.random() < 0.1 else {}  # handed over by the core
        return orjson.dumps({"dept": "d" * chance.choice([0, 0, 30]), **fields, **odd}) + b"\n"

    return b"".join(record() for _ in range(12))


def outcome(data: bytes, rendered_for: int, *takes: int, sent: int) -> tuple[object, ...]:
    """Return what is left, rejected and counted where a sink takes less and less, or more."""
    events.clear()
    pipeline = Pipeline(json_names(), FeedSettings(parse("%s{dept}\\t%s{url}\\t%s{ua}")))
    outgoing = OutgoingLines("out", "web", pipeline, pipeline.run(data, rendered_for))
    left = []
    for takes_bytes in takes:
        outgoing.fit(takes_bytes)
        keys = outgoing.keys()
        left.append((list(outgoing.lines), keys and list(keys)))
        outgoing.mark_delivered(min(sent, len(outgoing.lines)))
    counted = [
        events.counters[each, "out"] for each in (Counter.LINES_SHORTENED, Counter.BYTES_CUT)
    ]
    return left, outgoing.rejected, outgoing.shortened, counted


@pytest.mark.parametrize("seed", range(40))
def test_what_becomes_of_lines_does_not_depend_on_what_the_sink_took_before(seed: int) -> None:
    chance = random.Random(seed)
    data, takes, sent = records(chance), chance.choices(SIZES, k=2), chance.randrange(3)
    expected = outcome(data, UNLIMITED, *takes, sent=sent)
    for rendered_for in SIZES:
        assert outcome(data, rendered_for, *takes, sent=sent) == expected


def test_lines_that_were_cut_to_less_than_the_sink_takes_now_are_whole_again() -> None:
    data = orjson.dumps({"url": "u" * 100}) + b"\n"
    whole = [b"None\t" + b"u" * 100 + b"\tNone"]
    found = outcome(data, 50, 110, sent=0)
    assert found == outcome(data, UNLIMITED, 110, sent=0)
    assert found[0] == [(whole, [order_key("None")])]
    assert found[1:] == ({}, 0, [0, 0])
