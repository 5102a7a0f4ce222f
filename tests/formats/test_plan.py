"""The plan of a pipeline: what it holds, that it is data, and that its time key has one meaning."""

import dataclasses
from collections.abc import Mapping
from enum import Enum

import msgspec
import pytest

from formats import FeedSettings, Input, Pipeline, filters, input_of, json_names, parse, presets
from formats.fields import Derivation, catalogue
from formats.filters.predicate import AllOf, AnyOf, Comparison, Not, NumberTest, Reading, TextTest
from formats.language import Literal, Slot
from formats.plan import (
    UNSTATED,
    Attribute,
    BackslashBefore,
    Constant,
    Derived,
    FieldAccess,
    LineHolds,
    Own,
    RenderPlan,
    TimeCells,
    TimePiece,
    Total,
    ValueHolds,
    ValuePiece,
)
from formats.reading.time_key import key_of
from formats.record import field_access
from formats.rendering.planning import render_plan


def planned(text: str, source: Input | None = None) -> RenderPlan:
    source = source or json_names()
    feed_format = parse(text)
    access = field_access(feed_format.field_names, source.available)
    return render_plan(
        feed_format, access, source.time_key, escape_characters="", protect_separators=True
    )


def slot(spec: str) -> Slot:
    return parse(spec).slots[0]


def assert_data(value: object) -> None:
    """Check that a value holds nothing but frozen structures and scalars."""
    if dataclasses.is_dataclass(value):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, dataclasses.fields(value)[0].name, None)
        for field in dataclasses.fields(value):
            assert_data(getattr(value, field.name))
    elif isinstance(value, Mapping):
        for member in [*value, *value.values()]:
            assert_data(member)
    elif isinstance(value, tuple | frozenset):
        for member in value:
            assert_data(member)
    else:
        assert value is None or isinstance(value, str | int | float | Enum)


@pytest.mark.parametrize("name", presets.names())
def test_the_plan_of_every_preset_is_data(name: str) -> None:
    for source in (json_names(), input_of(presets.load(name))):
        plan = planned(presets.text(name), source)
        assert_data(plan)
        assert plan == planned(presets.text(name), source)
        assert_data(field_access(source.available, source.available))


def test_a_value_is_constant_own_derived_or_a_total() -> None:
    wanted = {"login", "url", "eurl", "totalsize", "dept", "riskscore", "time"}
    access = field_access(wanted, {"login", "eurl", "reqsize", "respsize", "b64url", "time"})
    assert access == FieldAccess(
        (
            Attribute("eurl", number=False, default=None),
            Attribute("login", number=False, default="None"),
            Attribute("b64url", number=False, default=None),
            Attribute("reqsize", number=True, default=0),
            Attribute("respsize", number=True, default=0),
        ),
        {
            "dept": Constant("None"),
            "eurl": Derived("eurl", (Derivation("unbase64-encode", "b64url"),), "None"),
            "login": Own("login"),
            "riskscore": Constant(0),
            "totalsize": Total(None, ("reqsize", "respsize")),
            "url": Derived(
                None, (Derivation("unbase64", "b64url"), Derivation("same", "eurl")), "None"
            ),
        },
    )


def test_a_field_that_others_are_derived_from_can_be_missing() -> None:
    access = field_access({"login", "ologin", "ocip"}, {"login", "cip", "ocip"})
    assert {a.name: a.default for a in access.attributes} == {
        "login": None, "cip": None, "ocip": UNSTATED,
    }  # fmt: skip
    assert access.values["login"] == Derived("login", (), "None")


def test_a_line_is_static_text_times_and_values_with_what_guards_them() -> None:
    plan = planned(r"%s{mon} %d{dd} x LEEF:1.0|Z|N|1|%s{reason}|a=%d{reqsize}\tb=%s{ua}")
    assert plan.pieces == (
        TimePiece((slot("%s{mon}"), Literal(" "), slot("%d{dd}"), Literal(" x LEEF:1.0|Z|N|1|"))),
        ValuePiece(slot("%s{reason}"), Own("reason"), "|", closes=True),
        Literal("|a="),
        ValuePiece(slot("%d{reqsize}"), Own("reqsize"), "", closes=True),
        Literal("\tb="),
        ValuePiece(slot("%s{ua}"), planned("%s{ua}").pieces[0].value, "", closes=True),  # type: ignore[union-attr]
    )
    assert plan.checks == (ValueHolds("|", "reason"), BackslashBefore(("|", "\t"), at_end=True))


def test_a_guard_of_many_values_is_counted_in_the_line() -> None:
    names = ("login", "dept", "reason", "action", "proto")
    text = "^^".join(f"{name}=%s{{{name}}}" for name in names) + "^^size=%d{reqsize}"
    assert planned(text).checks == (LineHolds("^", 10, ()),)
    assert planned(text.replace("^^", "|")).checks == (LineHolds("|", 5, ()),)
    cef = f"CEF:0|Z|N|1|e|n|3|{text.replace('^^', ' ')} u=%s{{eurl}}"
    assert planned(cef).checks == (LineHolds("=", 7, ("eurl",)),)


def test_a_filter_is_a_tree_of_comparisons() -> None:
    kept = filters.parse(
        {"users": ["Ana*", "bo b"], "not_public_ips": "192.0.2.0/30", "page_risk": "0-9, 90-"}
    )
    address = NumberTest(((0xC0000200, 0xC0000203),))
    assert kept.predicate == AllOf(
        (
            AnyOf(
                (
                    Comparison(
                        "login",
                        TextTest(frozenset({"bo b"}), ("ana",), (), ()),
                    ),
                )
            ),
            Not(
                AnyOf(
                    (
                        Comparison("cintip", address, Reading.ADDRESS),
                        Comparison("cpubip", address, Reading.ADDRESS),
                    )
                )
            ),
            AnyOf((Comparison("riskscore", NumberTest(((0, 9), (90, 100)))),)),
        )
    )
    assert_data(kept)


TIMES: list[dict[str, object]] = [
    {"time": "Fri Oct  6 09:05:08 2023"},
    {"time": "Fri Oct  6 09:05:08 2023", "tz": "GMT+2"},
    {"time": "Fri Oct  6 09:05:08 2023", "yy": 2020},
    {"time": "None", "datetime": "2023-10-06 09:05:08"},
    {"time": "Fri Oct  6 09:05:08 2023", "epochtime": 1696583108},
    {"epochtime": 1696583108.5},
    {"yy": 2023, "mon": "Oct", "dd": "6", "hh": 9, "mm": 5, "ss": 8},
]


def test_the_generated_key_of_a_time_is_that_of_the_reference() -> None:
    pipeline = Pipeline(json_names(), FeedSettings(parse("%s{time} %s{login}")))
    data = b"".join(msgspec.json.encode(record) + b"\n" for record in TIMES)
    records = pipeline.decode(data).records
    pipeline.renderer.render(records, ())
    key = key_of(json_names().time_key)
    keys = [key(record) for record in records]
    assert (len(keys), list(pipeline.renderer.times)) == (len(TIMES), list(dict.fromkeys(keys)))


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        ('"%s{login}"', b'"a"\n', None),
        ('"%s{time}","%s{login}"', b'"2023-10-06 09:05:08","a"\n', "2023-10-06 09:05:08"),
        (
            '"%02d{hh}:%02d{mm}:%02d{ss}","%02d{dd}.%02d{mth}.%d{yyyy}","%s{login}"',
            b'"09:05:08","06.10.2023","a"\n',
            ("09:05:08", "06.10.2023"),
        ),
    ],
)
def test_the_key_of_a_format_is_the_text_of_its_time_cells(
    text: str, line: bytes, key: object
) -> None:
    source = input_of(parse(text))
    assert isinstance(source.time_key, TimeCells)
    pipeline = Pipeline(source, FeedSettings(parse("%s{login} %d{epochtime}")))
    record = pipeline.decode(line).records[0]
    assert key_of(source.time_key)(record) == key
    pipeline.run(line)
    assert list(pipeline.renderer.times) == ([] if key is None else [key])


def test_every_derivation_of_the_catalogue_has_its_step() -> None:
    everything = frozenset(catalogue())
    access = field_access(everything, everything)
    hows = {
        way.how
        for value in access.values.values()
        if isinstance(value, Derived)
        for way in value.derivations
    }
    assert hows == {
        "same", "encode", "unbase64", "unbase64-encode", "base64", "obfuscate", "path",
    }  # fmt: skip
