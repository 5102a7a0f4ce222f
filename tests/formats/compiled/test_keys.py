"""What the core does with keys: what they mean, several for one value, those that nobody knows."""

import pytest

from formats.compiled import Core
from formats.compiled.engine import Engine
from formats.compiled.program import program_of, slots_of
from formats.language import parse
from formats.pipeline import FeedSettings, Pipeline
from formats.plan import KeyTable
from formats.reading.json import json_names
from formats.record import field_access
from tests.formats.compiled.judged import Judged, needs_core

pytestmark = needs_core

MEANINGS = {
    **{name: (name, False) for name in ("login", "reqsize", "time", "epochtime", "tz")},
    **{name: (name, False) for name in ("yyyy", "dd", "hh", "mm", "ss")},
    "user": ("login", False),
    "size": ("reqsize", False),
    "when": ("time", False),
    "vendor": (None, False),
}
TIME = '"time":"2023-10-06 09:05:08"'


class Keyed:
    """An engine with a table of synonyms, and what Python was asked."""

    def __init__(self) -> None:
        feed_format = parse("%d{epochtime} %s{login} %d{reqsize}")
        source = json_names()
        pipeline = Pipeline(source, FeedSettings(feed_format))
        attributes = field_access({"login", "reqsize"}, source.available).attributes
        self.asked: list[str] = []
        table = KeyTable(self.meaning_of, "event", {"time"}, {"login"})
        program = program_of(pipeline.renderer.plan, attributes, table, 1_000_000)
        assert program is not None
        assert Core is not None
        self.engine = Engine(
            Core(program), table, slots_of(attributes, source.time_key), pipeline.renderer
        )

    def meaning_of(self, key: str) -> tuple[str | None, bool]:
        self.asked.append(key)
        return MEANINGS.get(key, (None, True))

    def run(self, *objects: str) -> tuple[list[bytes], int, dict[str, int]]:
        """Return lines, how many were handed over, and the unmapped keys."""
        output = self.engine.run("".join(f"{{{row}}}\n" for row in objects).encode())
        assert output is not None
        return list(output.lines()), len(output.handed_over), output.unmapped


LINE = b"1696583108 ann 7"


def test_a_key_is_asked_for_once() -> None:
    keyed = Keyed()
    for _ in range(3):
        found = keyed.run(f'{TIME},"user":"ann","size":"7","vendor":"Z"')
        assert found == ([LINE], 0, {})
    assert sorted(keyed.asked) == ["event", "size", "time", "user", "vendor"]


@pytest.mark.parametrize(
    "other",
    [
        '"login":"ann"', '"login":null', '"size":7', '"size":"7"', '"size":"None"', '"size":null',
        '"when":"2023-10-06 09:05:08"', '"when":null',
    ],
)  # fmt: skip
def test_keys_that_state_the_same_agree(other: str) -> None:
    row = f'{TIME},"user":"ann","reqsize":"7"'
    assert Keyed().run(f"{row},{other}", f"{other},{row}") == ([LINE] * 2, 0, {})


@pytest.mark.parametrize(
    "second",
    [
        '"login":"bob"', '"login":""', '"user":"ann"', '"size":8', '"reqsize":7',
        '"when":1696583108', '"when":"2023-10-06T09:05:08"', '"login":"ann","user":"ann"',
        '"login":"ann","login":"ann"', '"login":{}', '"login":true', '"size":"x"',
        '"l\\u006fgin":"ann"',
    ],
)  # fmt: skip
def test_keys_that_may_differ_are_for_python_to_judge(second: str) -> None:
    row = f'{TIME},"user":"ann","reqsize":"7",{second}'
    lines, handed, _ = Keyed().run(row, f'{TIME},"user":"ann","reqsize":"7"')
    assert (lines, handed) == ([LINE], 1)


def test_unmapped_keys_are_counted_once_a_record_of_those_that_are_printed() -> None:
    keyed = Keyed()
    good = f'{TIME},"user":"ann","size":7'
    found = keyed.run(
        f'{good},"odd":1,"odd":{{"inner":1}},"other":[]',
        f'{good},"odd":"x"',
        f'{good},"odd":1,"login":"bob"',  # handed over: counted there
        f'"beside":1,"event":{{{good},"h\xe9":null}},"behind":2',
        '"odd":2',  # no time
    )
    assert found == ([LINE] * 3, 2, {"odd": 2, "other": 1, "h\xe9": 1})
    assert keyed.run(f'{good},"odd":1') == ([LINE], 0, {"odd": 1})


def test_an_envelope_that_is_none_is_handed_over_where_it_would_count() -> None:
    good = f'{TIME},"user":"ann","size":7'
    lines, handed, _ = Keyed().run(
        f'{good},"event":"x"', f'"event":"x",{good}', f'"event":{{{good},"event":1}}', good
    )
    assert (lines, handed) == ([LINE], 3)


@pytest.mark.parametrize(
    "beside",
    [
        '"mm":"\xe9"',
        '"ss":"\\u0661"',
        '"yyyy":"\x7f"',
        '"dd":"' + "1" * 81 + '"',
        '"epochtime":null',
    ],
)
def test_nobody_asks_what_stands_beside_a_whole_time(beside: str) -> None:
    row = f'{TIME},"user":"ann","size":7'
    assert Keyed().run(f"{row},{beside}", f"{beside},{row}") == ([LINE] * 2, 0, {})


def test_a_time_zone_that_is_not_plain_is_for_python_to_judge() -> None:
    row = f'{TIME},"user":"ann","size":7'
    assert Keyed().run(f'{row},"tz":"\xe9"', f'{row},"tz":"GMT","hh":"\xe9"')[:2] == ([LINE], 1)


def test_keys_that_never_end_are_forgotten_and_their_counts_kept() -> None:
    keyed = Keyed()
    rows = [f'{TIME},"user":"ann","size":7,"k{number}":1,"same":1' for number in range(3_000)]
    lines, handed, unmapped = keyed.run(*rows)
    assert (lines, handed) == ([LINE] * 3_000, 0)
    assert unmapped.pop("same") == 3_000
    assert unmapped == {f"k{number}": 1 for number in range(3_000)}


def test_a_record_of_new_keys_is_not_read_again_for_each() -> None:
    keyed = Keyed()
    many = ",".join(f'"k{number}":1' for number in range(30_000))
    assert keyed.run(f"{TIME},{many}", f'{TIME},"user":"ann","size":7') == ([LINE], 1, {})
    assert len(keyed.asked) < 140


def test_new_keys_behind_much_else_do_not_make_a_batch_read_many_times() -> None:
    keyed = Keyed()
    much = ",".join("1" * 30_000)
    rows = [
        f'{TIME},"odd":[{much}],' + ",".join(f'"k{row}_{number}":1' for number in range(60))
        for row in range(20)
    ]
    lines, handed, _ = keyed.run(*rows, *[f'{TIME},"user":"ann","size":7'] * 3)
    assert (lines, handed) == ([LINE], 22)
    assert len(keyed.asked) < 80
    again = [keyed.run(rows[0])[1] for _ in range(10)]
    assert (again[0], again[-1]) == (1, 0)  # such records are learned little by little


def test_a_record_of_keys_alone_is_handed_over() -> None:
    many = ",".join(f'"k{number}":1' for number in range(65))
    assert Keyed().run(f"{TIME},{many}")[1] == 1
    assert Keyed().run(f'{TIME},"{"k" * 256}":1')[1] == 1
    assert Keyed().run(f'{TIME},"{"k" * 255}":1')[1] == 0


@pytest.mark.parametrize(
    ("beside", "handed"),
    [
        ('"time":"Fri Oct  6 09:05:08 2000"', 0), ('"time":null', 0), ('"odd":{"dd":"x"}', 0),
        ('"login":"bob"', 1), ('"user":null', 1), ('"dd":"1"', 1), ('"when":"x"', 1), ('"tz":1', 1),
    ],
)  # fmt: skip
def test_keys_that_mean_something_beside_the_envelope_are_for_python_to_judge(
    beside: str, handed: int
) -> None:
    event = f'"event":{{{TIME},"user":"ann","size":7}}'
    keyed = Keyed()
    for row in (
        f"{beside},{event}",
        f"{event},{beside}",
        f'"odd":1,{event},"vendor":{{}},{beside}',
    ):
        assert keyed.run(row)[:2] == ([LINE] * (1 - handed), handed)


@pytest.mark.parametrize(
    ("value", "handed"),
    [
        ("{}", 0), ("[]", 0), ('[1,"user",[{}]]', 0), ('{"a":"user","b":{"size":8}}', 0),
        ('{"user":"bob"}', 1), ('[[{"login":null}]]', 1), ('{"a":1,"b":[0,{"c":{"user":1}}]}', 1),
        ('{"user":{"a":1}}', 1), ('{"us\\u0065r":"bob"}', 1), ('{"us\\u0065":"bob"}', 1),
    ],
)  # fmt: skip
def test_objects_that_nobody_reads_are_for_python_to_judge_if_they_may_hide_whose_record_it_is(
    value: str, handed: int
) -> None:
    good = f'{TIME},"user":"ann","size":7'
    keyed = Keyed()
    for row in (
        f'{good},"odd":{value}',
        f'"vendor":{value},{good}',
        f'"odd":{value},"event":{{{good}}}',
        f'"event":{{"odd":{value},{good}}}',
        f'"event":{{{good}}},"odd":{value}',
        f'"odd":{value},"odd":1,{good}',
    ):
        assert keyed.run(row)[:2] == ([LINE] * (1 - handed), handed)


@pytest.mark.parametrize(
    ("row", "handed"),
    [
        ('"login":"a b","elogin":"a%20b"', 0), ('"login":"a b","elogin":"a b"', 0),
        ('"login":"\xe9%","elogin":"%c3%A9%"', 0), ('"login":"a\\u0020b","elogin":"%61%20b"', 0),
        ('"login":null,"elogin":"x"', 0), ('"login":7,"elogin":"7"', 0), ('"b64login":"YQ=="', 0),
        ('"login":"a","elogin":"b"', 1), ('"login":"a","elogin":"ab"', 1),
        ('"login":"","elogin":"x"', 1),
        ('"login":"a b","elogin":"a%2520b"', 1), ('"login":"%4","elogin":"%04"', 1),
        ('"login":"a","b64login":"YQ=="', 0), ('"elogin":"%61","b64login":"YQ"', 0),
        ('"login":"None","b64login":"None"', 0), ('"login":"a","b64login":"None"', 1),
        ('"login":"a%","b64login":"JTYxJQ"', 0), ('"login":"a","b64login":"Y"', 1),
        ('"login":"YQ==","b64login":"YQ=="', 1),
        ('"elogin":"None","login":"a"', 1),
    ],
)  # fmt: skip
def test_twins_that_may_differ_are_for_python_to_judge(row: str, handed: int) -> None:
    judged = Judged(json_names(), FeedSettings(parse("%s{login} %s{elogin} %s{b64login}")))
    plain = Judged(json_names(), FeedSettings(parse("%s{login} %s{elogin}")))
    data = f"{{{row}}}\n".encode()
    judged.check(data)
    plain.check(data)
    found = judged if "b64" in row else plain
    assert found.handed_over(data) == handed
