"""pycef reads every attribute of our CEF lines, where the format's own rules leave that to us."""

from collections.abc import Sequence

import pycef
import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats import presets
from formats.language import parse
from tests.formats.readers import hostile
from tests.formats.readers.lines import Attributes, Line, cef, rendered, text_fields

HEADER = {
    "CEFVersion", "DeviceVendor", "DeviceProduct", "DeviceVersion", "DeviceEventClassID",
    "DeviceName", "DeviceSeverity", "Severity", "Name",
}  # fmt: skip
FORMATS = {
    "ARCSIGHT_CEF": presets.load("ARCSIGHT_CEF"),
    "CEF_MULTILINE": presets.load("CEF_MULTILINE"),
    "custom": parse(
        "CEF:0|Zscaler|NSSWeblog|5.0|%s{action}|%s{reason}|3|suser=%s{login} request=%s{eurl} "
        "requestClientApplication=%s{ua} out=%d{reqsize} cs1=%s{dept} cs1Label=dept"
    ),
}


def attributes(text: str) -> Attributes:
    """Read a line with pycef."""
    found = pycef.parse(text)
    assert found is not None
    header = {"#class": found["DeviceEventClassID"], "#name": found["Name"]}
    return {key: value for key, value in found.items() if key not in HEADER} | header


def as_pycef_reads(line: Line) -> Attributes:
    """Return what pycef makes of a line that no value has broken.

    It leaves out an attribute whose value is empty, and calls `cs1` what `cs1Label` says.
    """
    found = {key: value for key, value in cef(line).items() if value}
    for label in [key for key in found if key.endswith("Label")]:
        if label.removesuffix("Label") in found:
            found[found.pop(label)] = found.pop(label.removesuffix("Label"))
    return found


def check(name: str, records: Sequence[hostile.Record], *protect_for: str) -> None:
    for line in rendered(FORMATS[name], records, protect_for=frozenset(protect_for)):
        assert attributes(line.text) == as_pycef_reads(line)


def with_header(records: Sequence[hostile.Record]) -> list[hostile.Record]:
    """Return the records whose header is full: pycef refuses an empty field there, as CEF does."""
    return [record for record in records if record["action"] and record["reason"]]


@pytest.mark.parametrize("name", FORMATS)
def test_every_attribute_is_read_as_it_was_printed(name: str) -> None:
    records = with_header(hostile.records(text_fields(FORMATS[name])))
    check(name, records, "quotes", "pairs")


@pytest.mark.parametrize("name", FORMATS)
@given(data=st.data())
def test_no_text_forges_or_hides_an_attribute(name: str, data: st.DataObject) -> None:
    records = data.draw(hostile.some_records(text_fields(FORMATS[name]), 3))
    check(name, with_header(records), "quotes", "pairs")


RECORD = {
    "action": "Blocked",
    "reason": "r",
    "login": "bob",
    "eurl": "www.example.com/",
    "ua": "plain",
    "dept": "d",
}
READ = {
    "#class": "Blocked",
    "#name": "r",
    "suser": "bob",
    "request": "www.example.com/",
    "requestClientApplication": "plain",
    "out": "0",
    "dept": "d",
}


def test_as_the_vendor_prints_cef_a_url_with_a_query_is_lost() -> None:
    record = RECORD | {"eurl": "www.example.com/?act=Allowed&x=1"}
    (line,) = rendered(FORMATS["custom"], [record])
    read = {key: value for key, value in READ.items() if key != "request"}
    assert attributes(line.text) == read | {"Allowed&x": "1"}
    check("custom", [record], "pairs")


def test_as_the_vendor_prints_cef_an_equals_sign_in_the_header_breaks_it() -> None:
    record = RECORD | {"reason": "a=b"}
    (line,) = rendered(FORMATS["custom"], [record], protect_separators=False)
    assert attributes(line.text)["b|3|suser"] == "bob"
    check("custom", [record], "pairs")


def test_a_backslash_in_the_header_breaks_it_unless_quotes_are_protected() -> None:
    record = RECORD | {"reason": "a\\b"}
    (line,) = rendered(FORMATS["custom"], [record])
    assert attributes(line.text)["#name"] == ""
    check("custom", [record], "quotes", "pairs")
