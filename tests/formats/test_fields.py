"""The catalogue of fields: what each is, and what each can be derived from."""

import base64

import msgspec
import pytest

from formats.fields import ADDRESS_FIELDS, TIME_FIELDS, Derivation, catalogue, nearest
from formats.language import parse
from formats.pipeline import FeedSettings, Pipeline
from formats.reading.json import json_names
from formats.reading.recognise import input_of

ENCODED = {
    name: name.removeprefix("e")
    for name in [
        "eua",
        "efilename",
        "eupload_filename",
        "emobappname",
        "ehost",
        "eurl",
        "ereferer",
        "erefererhost",
        "elogin",
        "elocation",
        "erulelabel",
        "eurlfilterrulelabel",
        "eapprulelabel",
        "euserlocationname",
        "edevicename",
        "edevicehostname",
        "eprompt_req",
    ]
} | {"edepartment": "dept"}
ENCODED_PATHS = {"eurlpath": "url", "erefererpath": "referer"}
BASE64 = {
    name: name.removeprefix("b64")
    for name in [
        "b64ua",
        "b64filename",
        "b64upload_filename",
        "b64threatname",
        "b64mobappname",
        "b64host",
        "b64url",
        "b64referer",
        "b64login",
        "b64location",
        "b64dept",
        "b64urlcat",
        "b64rulelabel",
        "b64urlfilterrulelabel",
        "b64apprulelabel",
        "b64dlprulename",
        "b64rdr_rulename",
        "b64fwd_gw_name",
        "b64zpa_app_seg_name",
        "b64userlocationname",
    ]
}
OBFUSCATED = {
    name: name.removeprefix("o")
    for name in [
        "ologin",
        "obwclassname",
        "odlpdict",
        "odlpeng",
        "odlprulename",
        "ordr_rulename",
        "ofwd_gw_name",
        "ozpa_app_seg_name",
        "ourlfilterrulelabel",
        "oapprulelabel",
        "ourlcat",
        "odevicehostname",
        "odevicename",
        "odeviceowner",
        "ocip",
        "ocpubip",
    ]
}


def printed(spec: str, **record: object) -> str:
    """Return what one spec prints for a record."""
    pipeline = Pipeline(json_names(), FeedSettings(parse(spec), obfuscation_key=b"key"))
    rendered = pipeline.run(msgspec.json.encode(record) + b"\n")
    assert rendered.bad == []
    return rendered.lines[0].decode()


def test_the_catalogue_names_241_fields_once_each() -> None:
    assert len(catalogue()) == 241
    assert all(name == field.name for name, field in catalogue().items())


def test_every_field_has_a_description_and_a_known_conversion() -> None:
    assert [f.name for f in catalogue().values() if not f.description] == []
    assert {f.conversion for f in catalogue().values()} == {"s", "d"}


def test_the_encoded_base64_and_obfuscated_families_are_complete() -> None:
    fields = catalogue().values()
    assert {f.name for f in fields if f.encoded} == ENCODED.keys() | ENCODED_PATHS.keys()
    assert {f.name for f in fields if f.group == "Base64"} == BASE64.keys()
    assert {f.name for f in fields if f.group == "Obfuscated"} == OBFUSCATED.keys()


def test_twins_of_a_family_are_derived_from_the_plain_field() -> None:
    derivations = {name: field.derivations for name, field in catalogue().items()}
    assert {n: derivations[n][0] for n in ENCODED} == {
        n: Derivation("encode", p) for n, p in ENCODED.items()
    }
    assert {n: derivations[n] for n in BASE64} == {
        n: (Derivation("base64", p),) for n, p in BASE64.items()
    }
    assert {n: derivations[n] for n in OBFUSCATED} == {
        n: (Derivation("obfuscate", p),) for n, p in OBFUSCATED.items()
    }
    assert {n: derivations[n] for n in ENCODED_PATHS} == {
        n: (Derivation("path", f"e{p}"), Derivation("path", p)) for n, p in ENCODED_PATHS.items()
    }


def test_every_derivation_names_a_field_of_the_catalogue() -> None:
    sources = {way.source for field in catalogue().values() for way in field.derivations}
    assert sources <= catalogue().keys()
    assert not sources & TIME_FIELDS


def test_placeholders_are_none_zero_and_the_zero_address() -> None:
    placeholders = {name: field.placeholder for name, field in catalogue().items()}
    numbers = {name for name, field in catalogue().items() if field.conversion == "d"}
    assert {name for name, value in placeholders.items() if value == 0} == numbers
    assert {name for name, value in placeholders.items() if value == "0.0.0.0"} == (  # noqa: S104 - a value
        ADDRESS_FIELDS
    )
    texts = placeholders.keys() - numbers - ADDRESS_FIELDS
    assert {placeholders[name] for name in texts} == {"None"}


@pytest.mark.parametrize(
    ("spec", "record", "text"),
    [
        ("%s{login}", {}, "None"),
        ("%d{reqsize}", {}, "0"),
        ("%s{cip}", {}, "0.0.0.0"),  # noqa: S104 - a value
        ("%s{eua}", {"ua": "a b\xe4"}, "a%20b%C3%A4"),
        ("%s{eua}", {"b64ua": base64.b64encode(b"a b").decode()}, "a%20b"),
        ("%s{eua}", {"eua": "%7e", "ua": "~"}, "%7e"),
        ("%s{edepartment}", {"dept": "R & D"}, "R%20&%20D"),
        ("%s{edepartment}", {"b64dept": "UiBEIA=="}, "R%20D%20"),
        ("%s{dept}", {"edepartment": "R%20D"}, "R%20D"),
        ("%s{dept}", {"b64dept": "UiBE"}, "R D"),
        ("%s{dept}", {"b64dept": "UiBE", "edepartment": "R%20D"}, "R D"),
        ("%s{url}", {"eurl": "h/a%20b"}, "h/a%20b"),
        ("%s{b64url}", {"url": "h/\xe4"}, base64.b64encode("h/\xe4".encode()).decode()),
        ("%s{login}", {"b64login": "w6Q"}, "\xe4"),
        ("%s{login}", {"b64login": "None"}, "None"),
        ("%s{elogin}", {"b64login": "None"}, "None"),
        ("%s{login}", {"b64login": "no base64!"}, "None"),
        ("%s{eurlpath}", {"url": "h:443/a b/c?d=e/f"}, "/a%20b/c"),
        ("%s{eurlpath}", {"eurl": "h"}, "/"),
        ("%s{eurlpath}", {"eurl": "None"}, "None"),
        ("%s{erefererpath}", {"ereferer": "h/x?y"}, "/x"),
        ("%s{hostname}", {"host": "h"}, "h"),
        ("%s{hostname}", {"ehost": "h"}, "h"),
        ("%s{hostname}", {"hostname": "own"}, "own"),
        ("%d{totalsize}", {"reqsize": 2, "respsize": "3"}, "5"),
        ("%d{totalsize}", {"totalsize": 9, "reqsize": 2, "respsize": 3}, "9"),
        ("%d{totalsize}", {"respsize": 3}, "3"),
        ("%d{totalsize}", {"totalsize": 0, "reqsize": 2}, "0"),
    ],
)
def test_a_field_is_derived_or_a_placeholder(
    spec: str, record: dict[str, object], text: str
) -> None:
    assert printed(spec, **record) == text


def test_obfuscation_is_a_keyed_32_bit_decimal_that_keeps_equality() -> None:
    ana, bob = printed("%s{ologin}", login="ana"), printed("%s{ologin}", login="bob")
    assert ana == printed("%s{ologin}", login="ana")
    assert ana != bob
    assert 0 <= int(ana) < 2**32
    assert printed("%d{ocip}", cip="192.0.2.1") != printed("%d{ocip}", cip="192.0.2.2")
    assert printed("%s{ologin}", ologin="2000000011", login="ana") == "2000000011"


def test_totalsize_comes_from_a_format_that_has_only_the_two_sizes() -> None:
    source = parse('\\{"a":"%d{reqsize}","b":"%d{respsize}"\\}')

    pipeline = Pipeline(input_of(source), FeedSettings(parse("%d{totalsize}")))
    assert pipeline.run(b'{"a":"2","b":"3"}\n').lines == [b"5"]


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("lgoin", "login"),
        ("LOGIN", "login"),
        ("url_cat", "urlcat"),
        ("requestsize", "reqsize"),
        ("zzzzzzzz", None),
        ("", None),
    ],
)
def test_the_nearest_name_is_found(wrong: str, near: str | None) -> None:
    assert nearest(wrong) == near
