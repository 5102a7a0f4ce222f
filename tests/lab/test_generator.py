import re
from collections import Counter
from importlib.resources import files

import orjson
import pytest

from nss.lab import hostile
from nss.lab.generator import RecordGenerator

PRESETS = files("formats.presets")
TIME_PARTS = {"yy", "mon", "dd", "hh", "mm", "ss", "tz"}


def records(generator: RecordGenerator, count: int) -> list[dict[str, str]]:
    return [orjson.loads(line) for line in generator.lines(count)]


def test_the_same_seed_makes_the_same_bytes_however_they_are_asked_for() -> None:
    whole = RecordGenerator(7).batch(2_500)
    pieces = RecordGenerator(7)
    assert pieces.batch(1) + pieces.batch(1_499) + pieces.batch(1_000) == whole
    assert RecordGenerator(8).batch(2_500) != whole


def test_a_record_comes_in_the_cloud_nss_envelope_unless_flat() -> None:
    (enveloped,) = records(RecordGenerator(1), 1)
    (flat,) = records(RecordGenerator(1, flat=True), 1)
    assert enveloped == {"sourcetype": "zscalernss-web", "event": flat}


def test_every_record_has_what_the_leef_presets_need_and_all_values_are_strings() -> None:
    presets = [PRESETS.joinpath(name).read_text() for name in ("QRADAR.fof", "MCAS.fof")]
    needed = set(re.findall(r"{(\w+)}", "".join(presets))) - TIME_PARTS | {"time"}
    generator = RecordGenerator(2, hostile_share=0.2, long_share=0.2, flat=True)
    keys: Counter[frozenset[str]] = Counter()
    types = set()
    for record in records(generator, 1_000):
        keys[frozenset(record)] += 1
        types |= {type(value) for value in record.values()}
    assert keys == {frozenset(needed): 1_000}
    assert types == {str}


def test_every_record_is_one_line_with_raw_utf_8() -> None:
    batch = RecordGenerator(3, hostile_share=1, long_share=0).batch(2_000)
    assert batch.count(b"\n") == 2_000
    assert "東京".encode() in batch


def test_ordinary_records_have_about_one_kilobyte() -> None:
    batch = RecordGenerator(4, hostile_share=0, long_share=0).batch(5_000)
    assert 1_000 <= len(batch) / 5_000 <= 1_100


def test_the_mix_is_a_few_popular_apps_many_users_and_some_blocked() -> None:
    made = records(RecordGenerator(5, hostile_share=0, long_share=0, flat=True), 10_000)
    apps = Counter(record["appname"] for record in made)
    actions = Counter(record["action"] for record in made)
    assert len(apps) > 55
    assert 0.4 < sum(uses for _, uses in apps.most_common(6)) / 10_000 < 0.7
    assert len({record["login"] for record in made}) == 400
    assert actions.keys() == {"Allowed", "Blocked"}
    assert 0.05 < actions["Blocked"] / 10_000 < 0.07


def test_a_blocked_record_says_why() -> None:
    made = records(RecordGenerator(5, hostile_share=0, long_share=0, flat=True), 2_000)
    assert {record["reason"] for record in made if record["action"] == "Allowed"} == {"Allowed"}
    assert "Allowed" not in {record["reason"] for record in made if record["action"] == "Blocked"}


def test_a_user_keeps_department_location_and_device() -> None:
    homes: dict[str, set[tuple[str, ...]]] = {}
    for record in records(RecordGenerator(6, hostile_share=0, long_share=0, flat=True), 3_000):
        home = tuple(record[key] for key in ("dept", "location", "cip", "devicehostname"))
        homes.setdefault(record["login"], set()).add(home)
    assert {len(seen) for seen in homes.values()} == {1}


def test_times_advance_from_the_start_at_the_given_rate() -> None:
    generator = RecordGenerator(1, start_epoch=1_696_583_108, records_per_sec=2, flat=True)
    assert [record["time"] for record in records(generator, 5)] == [
        "Fri Oct  6 09:05:08 2023",
        "Fri Oct  6 09:05:08 2023",
        "Fri Oct  6 09:05:09 2023",
        "Fri Oct  6 09:05:09 2023",
        "Fri Oct  6 09:05:10 2023",
    ]


def test_record_ids_are_distinct_numbers_of_nineteen_digits() -> None:
    made = records(RecordGenerator(9, flat=True), 5_000)
    ids = {record["recordid"] for record in made}
    assert len(ids) == 5_000
    assert {(len(record_id), record_id.isdecimal()) for record_id in ids} == {(19, True)}
    assert max(int(record_id) for record_id in ids) < 2**63


def test_long_records_carry_a_text_of_several_kilobytes() -> None:
    for record in records(RecordGenerator(10, hostile_share=0, long_share=1, flat=True), 200):
        longest = max(record, key=lambda field: len(record[field]))
        assert longest in {"eurl", "ereferer", "ua"}
        assert 1_500 <= len(record[longest]) <= 4_500


def test_every_hostile_text_turns_up_in_every_field_it_may() -> None:
    made = records(RecordGenerator(11, hostile_share=1, long_share=0, flat=True), 20_000)
    seen = {
        (field, value)
        for record in made
        for field in hostile.FIELDS
        for value in hostile.VALUES
        if record[field] == value
    }
    assert len(seen) == len(hostile.FIELDS) * len(hostile.VALUES)


@pytest.mark.parametrize(("hostile_share", "long_share"), [(1.1, 0), (0.6, 0.5), (-0.1, 0)])
def test_shares_beyond_the_whole_are_refused(hostile_share: float, long_share: float) -> None:
    with pytest.raises(ValueError, match="hostile_share \\+ long_share"):
        RecordGenerator(1, hostile_share=hostile_share, long_share=long_share)


def test_a_rate_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="records_per_sec must be more than 0"):
        RecordGenerator(1, records_per_sec=0)
