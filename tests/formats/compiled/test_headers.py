"""Where a record of JSON begins behind a syslog header: where Python says, whatever it holds."""

import random

import pytest

from formats.language import parse
from formats.pipeline import FeedSettings
from formats.reading.json import json_names
from tests.formats.compiled.judged import Judged, needs_core

pytestmark = needs_core

FORMAT = "%s{time}\t%s{login}\t%s{url}"
PLAIN = b'{"time":"Fri Oct  6 09:05:08 2023","login":"ann","colour":1}\n'
IN_A_TAG = [
    b'<13>app[{"login":"x]: {","epochtime":1696583108}]',
    b'<13>app[x{"login":"x]: {","epochtime":1696583108}',
    b'<13>app[x{"a":"]: {\\"login","login":"evil","epochtime":1696583108}',
    b'Oct  6 09:05:08 h app[x{"login":"]: ","epochtime":1696583108}',
    b'Oct  6 09:05:08 h app[x{"login":"]: {}","epochtime":1696583108}',
    b'Oct  6 09:05:08 h app[x{"":"]: [{","login":"a","a":{"b":1},"epochtime":1696583108}',
]
TOKENS = (
    b"<13>~<13>1 ~Oct  6 09:05:08 ~2023-10-06T09:05:08Z ~h ~app~app: ~[~]~]: ~[1]: ~{~[{~}~}]~ ~- "
    b'~\\"~"~,~"login":"~":"~{"login":"bob","epochtime":1696583108}~"epochtime":1696583108}'
).split(b"~")


def judged() -> Judged:
    return Judged(json_names(), FeedSettings(parse(FORMAT)))


@pytest.mark.parametrize("line", IN_A_TAG)
def test_a_brace_in_the_tag_of_a_header_is_no_record(line: bytes) -> None:
    both = judged()
    assert len(both.check(PLAIN + line + b"\n")) == 1
    assert len(both.check(PLAIN + line)) == 1


@pytest.mark.parametrize("seed", range(40))
def test_any_mixture_of_headers_and_records_is_read_the_same(seed: int) -> None:
    chance = random.Random(seed)
    both = judged()
    for _ in range(10):
        lines = [b"".join(chance.choices(TOKENS, k=chance.randrange(1, 12))) for _ in range(20)]
        both.check(PLAIN + b"\n".join(lines) + b"\n")


@pytest.mark.parametrize("keys", [["k" * 64 + "a", "k" * 64 + "b"], ["a\x7f", "a%7F"]])
def test_keys_that_get_the_same_name_are_counted_the_same(keys: list[str]) -> None:
    record = "{" + "".join(f'"{key}":1,' for key in keys) + '"epochtime":1696583108}'
    row = record.encode() + b"\n"
    for data in (row, PLAIN + row, row + b"[" + row[:-1] + b"," + row[:-1] + b"]\n"):
        judged().check(data)
