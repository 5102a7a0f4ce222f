"""Columns whose layout only their values tell: which one each record is read as, or why none."""

import msgspec
import pytest

from formats import presets
from formats.errors import NotReadable
from formats.language import parse
from formats.pipeline import FeedSettings, Pipeline, Rendered
from formats.reading import BadLine
from formats.reading.dissection import entries
from formats.reading.json import json_names
from formats.reading.recognise import input_of, recognise

PRINTED = (
    "%s{login} %d{reqsize}+%d{respsize}=%d{totalsize} %s{urlcat} %d{riskscore} %s{threatseverity}"
    " %s{deviceowner} %s{devicehostname} %s{keyprotectiontype}"
)
RECORD = {
    "time": "Mon Jun 20 15:29:11 2022", "login": "ann", "proto": "HTTP", "eurl": "shop.example/",
    "action": "Blocked", "appname": "Shop", "appclass": "Consumer Apps", "reqsize": 72,
    "respsize": 14061, "urlclass": "Productivity Loss", "urlsupercat": "Shopping",
    "urlcat": "Auctions", "location": "gre", "dept": "Sales", "cip": "192.0.2.7",
    "sip": "198.51.100.7", "reqmethod": "GET", "respcode": "403", "ua": "curl/7.68.0",
    "ruletype": "FwFilter", "rulelabel": "Firewall_1", "contenttype": "Other",
    "deviceowner": "owner", "devicehostname": "HOST", "keyprotectiontype": "N/A",
}  # fmt: skip
FAMILIES = [("CSV", "CSV_OLD"), ("TAB_SEPARATED", "TAB_SEPARATED_OLD")]
MEMBERS = [(name, other) for pair in FAMILIES for name, other in (pair, pair[::-1])]


def line_of(name: str, **changes: object) -> bytes:
    record = msgspec.json.encode(RECORD | changes)
    (line,) = Pipeline(json_names(), FeedSettings(presets.load(name))).run(record + b"\n").lines
    return line + b"\n"


def columns_of(name: str, **changes: object) -> list[bytes]:
    line = line_of(name, **changes).rstrip(b"\n")
    return line.split(b"\t") if name.startswith("TAB") else line[1:-1].split(b'","')


def as_line(name: str, columns: list[bytes]) -> bytes:
    return (
        b"\t".join(columns) + b"\n"
        if name.startswith("TAB")
        else (b'"' + b'","'.join(columns) + b'"\n')
    )


def read(data: bytes, named: str | None, printed: str = PRINTED) -> Rendered:
    source = recognise(data) if named is None else input_of(presets.load(named))
    return Pipeline(source, FeedSettings(parse(printed))).run(data)


def reasons(data: bytes, named: str) -> list[str]:
    rendered = read(data, named)
    assert rendered.lines == []
    return [bad.reason for bad in rendered.bad]


@pytest.mark.parametrize(("written", "other"), MEMBERS)
@pytest.mark.parametrize("named", ["auto", "written", "other"])
@pytest.mark.parametrize("severity", [{}, {"riskscore": 95, "threatseverity": "Critical"}])
def test_a_record_is_read_in_the_layout_that_it_is_in(
    written: str, other: str, named: str, severity: dict[str, object]
) -> None:
    source = {"auto": None, "written": written, "other": other}[named]
    rendered = read(line_of(written, **severity), source)
    risk = severity.get("riskscore", 0)
    stated = "None" if written.endswith("_OLD") else severity.get("threatseverity", "None")
    expected = f"ann 72+14061=14133 Auctions {risk} {stated} owner HOST N/A"
    assert (list(rendered.lines), rendered.bad) == ([expected.encode()], [])


@pytest.mark.parametrize(("written", "other"), MEMBERS)
def test_a_record_behind_a_syslog_header_is_read_in_its_layout(written: str, other: str) -> None:
    for header in (b"<134>", b"<134>1 2023-10-06T09:05:08Z host app - - - "):
        for named in (written, other):
            rendered = read(header + line_of(written), named)
            assert (len(rendered.lines), rendered.bad) == (1, [])


@pytest.mark.parametrize(("written", "other"), MEMBERS)
def test_both_layouts_may_be_mixed_line_by_line(written: str, other: str) -> None:
    data = (line_of(written) + line_of(other, login="bob")) * 3
    for named in (None, written, other):
        assert [line[:3] for line in read(data, named).lines] == [b"ann", b"bob"] * 3


@pytest.mark.parametrize("name", [name for pair in FAMILIES for name in pair])
def test_a_sample_is_recognised_as_the_layout_it_is_in(name: str) -> None:
    assert recognise(line_of(name)).name == name


@pytest.mark.parametrize("name", [name for pair in FAMILIES for name in pair])
def test_the_last_column_may_be_missing(name: str) -> None:
    line = as_line(name, columns_of(name)[:-1])
    rendered = read(line, None)
    assert rendered.bad == []
    assert rendered.lines[0].endswith(b" owner HOST None")
    assert recognise(line).name == name
    assert reasons(as_line(name, columns_of(name)[:-2]), name) == ["32 columns, expected 34 or 33"]


@pytest.mark.parametrize("name", ["CSV", "TAB_SEPARATED"])
def test_what_fits_no_layout_is_set_apart_with_the_reason(name: str) -> None:
    columns = columns_of(name)
    columns.insert(6, columns.pop(9))
    (reason,) = reasons(as_line(name, columns), name)
    assert reason == (
        f"the columns are of no known layout ({name}: reqsize: text 'Consumer Apps', expected a "
        f"number; {name}_OLD: respsize: text 'Consumer Apps', expected a number)"
    )


def test_numbers_at_their_places_do_not_make_up_for_addresses_among_words() -> None:
    columns = columns_of("CSV", riskscore=95, threatseverity="Critical", app_status="Sanctioned")
    columns[4], columns[21] = columns[21], columns[4]
    columns[6], columns[22] = columns[22], columns[6]
    (reason,) = reasons(as_line("CSV", columns), "CSV")
    assert reason.startswith(
        "the columns are of no known layout (CSV: action: text '192.0.2.7' belongs into another "
        "column; CSV_OLD: "
    )


@pytest.mark.parametrize("method", ["Allowed", "192.0.2.7", "Critical", "0", "x" * 5000])
def test_what_a_client_can_fill_in_decides_nothing(method: str) -> None:
    for name, _ in MEMBERS:
        line = line_of(name, reqmethod=method, ua=method, eurl=method, cip="", sip="", action="")
        assert read(line, None).bad == []


@pytest.mark.parametrize("name", [name for pair in FAMILIES for name in pair])
@pytest.mark.parametrize("text", ["None", "NA", "", " ", "7", "Sales"])
def test_a_record_of_one_text_in_all_its_columns_is_read_back(name: str, text: str) -> None:
    texts = {key: text for key, value in RECORD.items() if isinstance(value, str) and key != "time"}
    printed = "%s{login}|%d{reqsize}|%s{appclass}|%s{dlpdict}|%s{urlcat}"
    rendered = read(line_of(name, **texts, dlpdict="d"), name, printed)
    assert (list(rendered.lines), rendered.bad) == ([f"{text}|72|{text}|d|{text}".encode()], [])


def test_columns_that_may_be_of_either_layout_are_set_apart() -> None:
    columns = columns_of("CSV")
    for number in (7, 8, 9, 10, 15, 16):
        columns[number] = b"NA"
    assert reasons(as_line("CSV", columns), "CSV") == [
        "the columns may be those of CSV and CSV_OLD: no number tells them apart"
    ]


def test_placeholders_for_numbers_are_read_where_only_one_layout_has_them_there() -> None:
    columns = columns_of("CSV")
    columns[8], columns[9], columns[15] = b"NA", b"", b"None"
    assert read(as_line("CSV", columns), "CSV").lines == [
        b"ann 0+0=0 Auctions 0 None owner HOST N/A"
    ]


def test_the_string_of_a_preset_reads_the_layouts_of_the_preset() -> None:
    source = input_of(parse(presets.text("CSV").replace("\n", "")))
    rendered = Pipeline(source, FeedSettings(parse(PRINTED))).run(line_of("CSV_OLD"))
    assert (source.name, rendered.bad, len(rendered.lines)) == ("custom", [], 1)


def test_a_number_that_is_none_is_set_apart_although_nobody_prints_it() -> None:
    source = input_of(parse("%s{login},%d{reqsize},%s{dept}"))
    rendered = Pipeline(source, FeedSettings(parse("%s{login}"))).run(b"ann,7,x\nann,x,7\n")
    assert rendered.lines == [b"ann"]
    assert [bad.reason for bad in rendered.bad] == ["reqsize: text 'x', expected a number"]


def test_a_column_of_a_custom_format_that_holds_another_s_value_is_set_apart() -> None:
    source = input_of(parse("%s{login},%s{action},%s{cip},%s{reqmethod}"))
    rendered = Pipeline(source, FeedSettings(parse("%s{login} %s{cip}"))).run(
        b"ann,Allowed,192.0.2.7,GET\nann,192.0.2.7,GET,Allowed\nann,odd,odd,odd\n"
    )
    assert rendered.lines == [b"ann 192.0.2.7", b"ann odd"]
    assert [bad.reason for bad in rendered.bad] == [
        "action: text '192.0.2.7' belongs into another column"
    ]


@pytest.mark.parametrize("text", ["Allowed", "High", "GET"])
def test_a_single_column_holds_what_it_holds(text: str) -> None:
    source = input_of(parse('"%s{cip}"'))
    rendered = Pipeline(source, FeedSettings(parse("%s{cip}"))).run(f'"{text}"\n'.encode())
    assert (list(rendered.lines), rendered.bad) == ([text.encode()], [])


def test_a_line_of_another_layout_is_not_taken_apart_as_if_it_were_of_this_one() -> None:
    line = line_of("CSV_OLD").decode().rstrip("\n")
    assert entries(presets.load("CSV_OLD"), line)[9].fields == ("stime",)
    with pytest.raises(BadLine, match="the columns are those of CSV_OLD"):
        entries(presets.load("CSV"), line)


def test_two_columns_of_one_field_are_columns_all_the_same() -> None:
    source = input_of(parse("%s{login},%s{dept},%s{login}"))
    rendered = Pipeline(source, FeedSettings(parse("%s{login} %s{dept}"))).run(b"a,b,c\n")
    assert rendered.lines == [b"a b"]


def test_what_is_columns_of_nothing_known_is_not_recognised() -> None:
    with pytest.raises(NotReadable):
        recognise(as_line("CSV", [b"x"] * 34))
