"""What keys of JSON records mean: NSS field names first, then presets in their order."""

import pytest

from formats import presets
from formats.fields import catalogue
from formats.language import Literal
from formats.reading.synonyms import PRECEDENCE, field_of, is_constant, synonyms


@pytest.mark.parametrize(
    ("key", "field"),
    [
        ("login", "login"),
        ("datetime", "time"),
        ("clientip", "cip"),
        ("ClientIP", "cip"),
        ("CLIENTIP", "cip"),
        ("serverip", "sip"),
        ("usrName", "login"),
        ("USER", "login"),
        ("user", "login"),  # %s{elogin} in JSON, %s{login} in SPLUNK_CIM
        ("department", "dept"),
        ("eurl", "eurl"),
        ("url", "url"),
        ("hostname", "host"),
        ("sip", "sip"),  # an NSS field name, though LOGRHYTHM prints the client's address so
        ("cat", "action"),  # in LEEF; in CEF the URL's category
        ("src", "cip"),  # swapped with sourceTranslatedAddress in CEF_MULTILINE
        ("suser", "login"),
        ("devTime", "time"),
        ("rt", "time"),
        ("timezone", "tz"),
        ("Time", "time"),
        ("mm", "mm"),
        ("MM", None),
        ("DATE", None),  # SYMANTEC_MSS prints no year
        ("cs1", None),
        ("cs6Label", None),
        ("clienttranstime", None),
        ("", None),
        ("l" * 100_000, None),
    ],
)
def test_a_key_stands_for_a_field(key: str, field: str | None) -> None:
    assert field_of(key) == field


def test_every_field_but_hostname_is_its_own_key() -> None:
    assert [name for name in catalogue() if field_of(name) != name] == ["hostname"]


def test_every_preset_with_keys_has_its_place_in_the_precedence() -> None:
    keyless = {"CSV", "CSV_OLD", "TAB_SEPARATED", "TAB_SEPARATED_OLD"}
    assert sorted(PRECEDENCE) == sorted(set(presets.names()) - keyless)
    printed = {name for preset in PRECEDENCE for name in presets.load(preset).field_names}
    assert printed - {"day"} <= {*synonyms().values(), "eua", "elogin", "elocation", "edepartment"}


@pytest.mark.parametrize("key", ["sourcetype", "product", "vendor", "devTimeFormat", "cs1Label"])
def test_static_text_of_presets_is_under_constant_keys(key: str) -> None:
    assert is_constant(key)
    assert field_of(key) is None
    texts = [
        part.text
        for name in presets.names()
        for part in presets.load(name).parts
        if isinstance(part, Literal)
    ]
    assert any(key in text for text in texts)
