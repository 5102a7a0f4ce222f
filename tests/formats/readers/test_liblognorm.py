"""liblognorm, rsyslog's own reader, reads every attribute of CEF, or refuses the line."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from formats import presets
from formats.language import FeedFormat, parse
from tests.formats.readers import hostile, rsyslog
from tests.formats.readers.lines import Attributes, cef, rendered, text_fields

HEADER = "<134>1 2026-11-26T12:00:00.000Z nss1.example zscaler-nss - - - "
FEW = settings(max_examples=4, suppress_health_check=list(HealthCheck))


def behind_header(text: str) -> FeedFormat:
    """Return a format that begins with `CEF:`, and has a blank behind the last pipe.

    liblognorm wants the one, and takes the first letter of the first key for the other.
    """
    header, extension = text[text.index("CEF:") :].split("|3|")
    return parse(f"{header}|3| {extension.lstrip()}")


ARCSIGHT_CEF = behind_header(presets.text("ARCSIGHT_CEF"))
CEF_MULTILINE = behind_header(presets.text("CEF_MULTILINE"))


def attributes(lines: Sequence[str], folder: Path) -> list[Attributes | None]:
    found = []
    for message in rsyslog.read([HEADER + line for line in lines], folder, "cef"):
        event = message["found"].get("f")
        names = event and {"#class": event["SignatureID"], "#name": event["Name"]}
        found.append(event and event["Extensions"] | names)
    return found


def check(
    feed_format: FeedFormat, records: Sequence[hostile.Record], folder: Path, *protect_for: str
) -> None:
    lines = rendered(feed_format, records, protect_for=frozenset(protect_for))
    read = attributes([line.text for line in lines], folder)
    for line, found in zip(lines, read, strict=True):
        expected = cef(line)
        if not list(expected.values())[-3]:  # a line that ends in an empty value is refused
            assert found is None
        else:
            assert found == expected


@pytest.mark.parametrize("feed_format", [ARCSIGHT_CEF, CEF_MULTILINE], ids=["ARCSIGHT", "MULTI"])
def test_every_attribute_is_read_as_it_was_printed(feed_format: FeedFormat, tmp_path: Path) -> None:
    check(feed_format, hostile.records(text_fields(feed_format)), tmp_path, "quotes", "pairs")


@FEW
@given(data=st.data())
def test_no_text_forges_or_hides_an_attribute(tmp_path: Path, data: st.DataObject) -> None:
    records = data.draw(hostile.some_records(text_fields(ARCSIGHT_CEF), 60))
    check(ARCSIGHT_CEF, records, tmp_path, "quotes", "pairs")


@pytest.mark.parametrize(
    ("value", "helps"), [("www.example.com/?a=b&c=d", "pairs"), ("C:\\x", "quotes")]
)
def test_as_the_vendor_prints_cef_a_value_voids_the_record(
    value: str, helps: str, tmp_path: Path
) -> None:
    record = dict.fromkeys(text_fields(ARCSIGHT_CEF), "plain") | {"eurl": value}
    (line,) = rendered(ARCSIGHT_CEF, [record])
    assert attributes([line.text], tmp_path) == [None]
    check(ARCSIGHT_CEF, [record], tmp_path, helps)
