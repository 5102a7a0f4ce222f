"""Python's csv reads every column of our CSV and TAB-separated lines, whatever the values hold."""

import csv
import io
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats import presets
from formats.language import FeedFormat, parse
from tests.formats.readers import hostile
from tests.formats.readers.lines import Line, columns, rendered, text_fields


class Backslash(csv.excel):
    """What Spark, Hive and MySQL read: a backslash may escape the quote that ends a column."""

    doublequote = False
    escapechar = "\\"


class Lenient(csv.excel):
    """Blanks before a quote do not matter."""

    skipinitialspace = True


class Tabs(csv.excel_tab):
    """TAB-separated, with quotes that are taken off."""


class RawTabs(csv.excel_tab):
    """TAB-separated, where a quote is text."""

    quoting = csv.QUOTE_NONE


Dialect = type[csv.Dialect]

COMMAS: list[Dialect] = [csv.excel, csv.unix_dialect, Lenient]
CSV = presets.load("CSV")
PLAIN = parse("%s{time},%s{login},%s{ua},%d{reqsize},%s{action}")
LAST_QUOTED = parse('%s{login},%d{reqsize},"%s{ua}"')
MIXED = parse('%s{login},"%s{ua}",%s{action},"%s{eurl}",%s{dept}')


def rows(lines: Sequence[Line], dialect: Dialect, end: str) -> list[list[str]]:
    """Read all lines as one file: a quote that stays open would swallow the lines after it."""
    text = "".join(line.text + end for line in lines)
    return list(csv.reader(io.StringIO(text, newline=""), dialect, strict=True))


def check(
    feed_format: FeedFormat,
    records: Sequence[hostile.Record],
    dialect: Dialect,
    *protect_for: str,
    end: str = "\n",
) -> None:
    lines = rendered(feed_format, records, protect_for=frozenset(protect_for))
    expected = [columns(line, dialect.delimiter) for line in lines]
    assert rows(lines, dialect, end) == expected


@pytest.mark.parametrize("dialect", COMMAS, ids=lambda dialect: dialect.__name__)
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_every_column_of_the_csv_preset_is_read_as_it_was_printed(
    dialect: Dialect, end: str
) -> None:
    check(CSV, hostile.records(text_fields(CSV)), dialect, end=end)


@given(data=st.data())
def test_no_text_leaves_its_column_of_the_csv_preset(data: st.DataObject) -> None:
    records = data.draw(hostile.some_records(text_fields(CSV), 3))
    for dialect in COMMAS:
        check(CSV, records, dialect)


def test_with_quotes_protected_readers_that_know_escapes_read_every_column() -> None:
    check(CSV, hostile.records(text_fields(CSV)), Backslash, "quotes")


def test_without_it_a_backslash_at_the_end_of_a_column_swallows_the_next_for_them() -> None:
    record = dict.fromkeys(text_fields(CSV), "plain")
    whole, shifted = rendered(CSV, [record, record | {"ua": "x\\"}])
    assert len(rows([whole], Backslash, "\n")[0]) == 34
    assert len(rows([shifted], Backslash, "\n")[0]) == 33


@pytest.mark.parametrize("feed_format", [PLAIN, LAST_QUOTED, MIXED], ids=["plain", "last", "mixed"])
def test_every_column_of_a_custom_format_is_read_as_it_was_printed(feed_format: FeedFormat) -> None:
    check(feed_format, hostile.records(text_fields(feed_format)), csv.excel)


@pytest.mark.parametrize("dialect", [Tabs, RawTabs], ids=lambda dialect: dialect.__name__)
def test_every_column_of_the_tab_separated_preset_is_read_as_it_was_printed(
    dialect: Dialect,
) -> None:
    preset = presets.load("TAB_SEPARATED")
    check(preset, hostile.records(text_fields(preset)), dialect)
