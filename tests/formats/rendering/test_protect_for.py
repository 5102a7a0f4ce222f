"""`protect_for`: what readers stumble over is encoded in values, in every kind of format."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats import presets
from formats.language import parse
from formats.pipeline import FeedSettings, Pipeline
from formats.reading.json import json_names
from formats.structure.guards import PROTECTIONS

HOSTILE = 'it\'s "q" \\ a|b x=1 y'
LEEF = r"%s{dept} LEEF:1.0|Z|N|1|%s{reason}|a=%s{login}\tb=%s{eurl}\tn=%d{reqsize}\tlast=%s{ua}"


def line(text: str, *protect_for: str, protect_separators: bool = True) -> str:
    record: dict[str, object] = dict.fromkeys(["dept", "reason", "login", "eurl", "ua"], HOSTILE)
    settings = FeedSettings(
        parse(text), protect_separators=protect_separators, protect_for=frozenset(protect_for)
    )
    pipeline = Pipeline(json_names(), settings)
    rendered = pipeline.run(msgspec.json.encode(record | {"reqsize": 7}) + b"\n")
    assert pipeline.renderer.render(rendered.records, None) == (list(rendered.lines), [])
    return rendered.lines[0].decode()


def test_without_it_a_line_is_as_it_was() -> None:
    header = HOSTILE.replace("|", "%7C")
    url = HOSTILE.replace(" ", "%20")
    assert line(LEEF) == (
        f"{header} LEEF:1.0|Z|N|1|{header}|a={HOSTILE}\tb={url}\tn=7\tlast={HOSTILE}"
    )


@pytest.mark.parametrize(
    ("name", "characters"), [("quotes", "\"'\\"), ("pipes", "|"), ("pairs", "=")]
)
def test_each_name_encodes_its_characters_in_values_and_not_in_the_format(
    name: str, characters: str
) -> None:
    encoded = HOSTILE
    for character in characters:
        encoded = encoded.replace(character, f"%{ord(character):02X}")
    url = (HOSTILE if name == "pairs" else encoded).replace(" ", "%20")
    header = encoded.replace("|", "%7C")
    assert line(LEEF, name) == (
        f"{header} LEEF:1.0|Z|N|1|{header}|a={encoded}\tb={url}\tn=7\tlast={encoded}"
    )


@pytest.mark.parametrize(
    "text",
    [
        "'%s{login}' | \\\\ a=%s{ua}",
        r"%s{login}\t%s{ua}",
        '"%s{login}","%s{ua}"',
        "CEF:0|Z|N|1|%s{reason}|n|3|a=%s{login} b=%s{ua}",
        r'\{"a":"%s{login}","b":"%s{ua}"\}',
        "a=%s{login}^^b=%s{ua}",
    ],
)
@pytest.mark.parametrize("protect_separators", [True, False])
def test_it_holds_for_every_kind_of_format(text: str, *, protect_separators: bool) -> None:
    static = line(text.replace("%s{login}", "").replace("%s{ua}", "").replace("%s{reason}", ""))
    whole = line(text, *PROTECTIONS, protect_separators=protect_separators)
    for character in "\"'\\|=":
        assert whole.count(character) == static.count(character)


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        # an encoded value holds no blank, so its = stays; but it may begin a pair itself
        ("a=%s{eurl}", "a=k=v"),
        ("a=http://%s{eurl}%s{eua}", "a=http://k=vk=v"),
        ("a=%s{login} %s{eurl}", "a=k%3Dv k%3Dv"),
        ("a=%s{login}%s{eurl}", "a=k%3Dvk%3Dv"),
        ("%s{eurl} a=%s{eua}", "k%3Dv a=k=v"),
        ("a=x pre-%s{eurl}", "a=x pre-k%3Dv"),
        (r"a=x\t%s{eurl}", "a=x\tk%3Dv"),
        ("a=x;%s{eurl}", "a=x;k=v"),
    ],
)
def test_the_equals_sign_of_a_url_stays_where_no_blank_can_stand_before_its_key(
    text: str, printed: str
) -> None:
    settings = FeedSettings(parse(text), protect_separators=False, protect_for=frozenset({"pairs"}))
    record = msgspec.json.encode({"login": "k=v", "eurl": "k=v", "eua": "k=v"}) + b"\n"
    assert Pipeline(json_names(), settings).run(record).lines == [printed.encode()]


VALUE = st.text(st.sampled_from("\"'\\|= \tab%\xe9\n"), max_size=12)


@pytest.mark.parametrize("name", presets.names())
@given(
    values=st.lists(VALUE, min_size=1, max_size=4),
    protect_for=st.sets(st.sampled_from(sorted(PROTECTIONS)), min_size=1),
    protect_separators=st.booleans(),
)
def test_the_fast_way_and_the_reference_encode_the_same(
    name: str, *, values: list[str], protect_for: set[str], protect_separators: bool
) -> None:
    feed_format = presets.load(name)
    settings = FeedSettings(
        feed_format, protect_separators=protect_separators, protect_for=frozenset(protect_for)
    )
    texts = [slot.field.name for slot in feed_format.slots if slot.field.conversion == "s"]
    record: dict[str, object] = {
        field: values[at % len(values)] for at, field in enumerate(sorted(texts))
    }
    record["time"] = "Fri Oct  6 09:05:08 2023"
    pipeline = Pipeline(json_names(), settings)
    rendered = pipeline.run(msgspec.json.encode(record) + b"\n")
    assert pipeline.renderer.render(rendered.records, None) == (list(rendered.lines), [])
