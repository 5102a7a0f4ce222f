"""The order keys of lines: those of the core are those of Python, whatever the user is called."""

import random
import zlib

import pytest

from formats import filters
from formats.compiled.records import LaterRecords
from formats.language import parse
from formats.order import order_key
from formats.pipeline import FeedSettings
from formats.reading import Decoded
from formats.reading.json import json_names
from tests.formats.compiled.judged import TEXTS, Judged, needs_core

pytestmark = needs_core

FORMAT = parse("%s{action}")


def keyed(filtered: bool = False) -> Judged:  # noqa: FBT001, FBT002 - a case
    """Return pipelines that were asked for keys before."""
    chosen = filters.parse({"action": "Blocked"}) if filtered else None
    judged = Judged(json_names(), FeedSettings(FORMAT, chosen))
    judged.check(b'{"action":"Blocked"}\n')
    assert judged.engine is not None
    return judged


def keys_of_the_core(judged: Judged, data: bytes) -> list[int]:
    assert judged.engine is not None
    output = judged.engine.run(data)
    assert output is not None
    return list(output.order_keys)


def test_nobody_who_did_not_ask_gets_keys() -> None:
    judged = Judged(json_names(), FeedSettings(FORMAT))
    assert keys_of_the_core(judged, b'{"login":"x"}\n') == []
    judged.compiled.keys([])
    assert keys_of_the_core(judged, b'{"login":"x"}\n') == [zlib.crc32(b"x")]


@pytest.mark.parametrize("size", [*range(20), 255, 256, 257, 5000])
def test_the_key_is_the_crc_of_the_user(size: int) -> None:
    user = random.Random(size).choices("ab\xe9\u4e2d\U0001f600 %", k=size)
    data = f'{{"login":"{"".join(user)}"}}\n'.encode()
    judged = keyed()
    assert keys_of_the_core(judged, data) == [order_key("".join(user))]
    judged.check(data)


def test_records_without_a_user_have_the_key_of_the_placeholder() -> None:
    judged = keyed()
    rows = b'{"action":"x"}\n{"login":null}\n{"login":"None"}\n'
    assert keys_of_the_core(judged, rows) == [order_key("None")] * 3
    judged.check(rows)


def test_users_that_are_stated_otherwise_have_the_same_key() -> None:
    judged = keyed()
    for login in (*TEXTS, '"%41"', "5"):
        for field in ("login", "elogin", "b64login"):
            judged.check(f'{{"{field}":{login},"action":"x"}}\n'.encode())
    assert keys_of_the_core(judged, b'{"elogin":"a%20b"}\n') == [order_key("a%20b")]


def test_lines_have_their_keys_beside_records_handed_over_and_filtered_ones() -> None:
    judged = keyed(filtered=True)
    chance = random.Random(17)
    kinds = [
        '{"login":"%d","action":"Blocked"}', '{"login":"%d","action":"Allowed"}', "no %d",
        '[{"login":"%d","action":"Blocked"},{"action":"Blocked","login":"b"}]', '{"x":%d}',
    ]  # fmt: skip
    for _ in range(50):
        rows = [chance.choice(kinds) % number for number in range(chance.randint(1, 30))]
        judged.check("\n".join(rows).encode())


def test_keys_need_no_records() -> None:
    judged = keyed()
    data = b'{"login":"a"}\n{"login":"b"}\n{"login":"c"}\n'
    records = judged.compiled.run(data).records
    assert isinstance(records, LaterRecords)
    part = records[1:]
    assert isinstance(part, LaterRecords)

    def decode(_lines: bytes) -> Decoded:
        raise AssertionError

    part._decode = decode
    assert judged.compiled.keys(part) == [order_key("b"), order_key("c")]


def test_keys_beside_a_record_handed_over_need_no_others() -> None:
    judged = keyed()
    data = b'{"login":"a"}\n[{"login":"b"},{"login":"c"}]\n{"login":"d"}\n'
    judged.compiled.keys(judged.compiled.run(data).records)
    rendered = judged.compiled.run(data + b"no record\n", 500)
    assert [bad.data for bad in rendered.bad] == [b"no record"], "Python has looked at it"
    assert rendered.max_bytes == 500
    assert judged.compiled.run(data, 500).max_bytes == 500
    records = rendered.records
    assert isinstance(records, LaterRecords)

    def decode(_lines: bytes) -> Decoded:
        raise AssertionError

    records._decode = decode
    assert judged.compiled.keys(records) == [order_key(user) for user in "abcd"]
