"""Lines as data: what a core that reads past the Python readers is told of a feed format."""

import pytest

from formats.language import parse
from formats.plan import (
    Column,
    ColumnsTable,
    Headers,
    PairsTable,
    SequenceTable,
    Table,
)
from formats.reading import KeyedReader
from formats.reading.content import content_of, headers_of
from formats.reading.recognise import input_of
from formats.record import field_access
from formats.structure import structure_of

DATE = "%s{mon} %02d{dd} %02d{hh}:%02d{mm}:%02d{ss}"


def table_of(text: str) -> Table | None:
    source = input_of(parse(text))
    reader = source.reader(field_access(source.available, source.available).attributes, 1000)
    assert isinstance(reader, KeyedReader)
    return reader.table


@pytest.mark.parametrize(
    ("text", "headers"),
    [
        ("%s{login} %s{host}", None),  # whoever wrote a login could have written a header
        ("%s{login}\t%s{host}\t%d{epochtime}", None),
        ("user=%s{login} host=%s{host}", Headers("user=")),
        ("user=%s{login}\thost=%s{host}", Headers(with_key=True)),
        ("#%s{login}\thost=%s{host}", Headers("#")),
        ("LEEF:1.0|Z|N|1|X|usrName=%s{login}\thost=%s{host}", Headers("LEEF:")),
        ("x LEEF:2.0|Z|N|1|X|usrName=%s{login}", Headers("x LEEF:")),
        ('"%s{time}","%s{login}"', Headers('"')),
        ("%s{time} %s{login}", Headers()),
        ("%d{epochtime}|%s{login}", Headers()),
        ("%x{respsize}", Headers()),
        ("%d{respsize}\t%s{login}\t%s{host}", Headers()),
        (f"{DATE} %s{{login}}", Headers(date_behind=" ")),
        (f"{DATE}|%s{{login}}", Headers(date_behind="|")),
        (f"{DATE} GMT %s{{login}}", Headers(date_behind=" GMT ")),
        (f"{DATE}\t%s{{login}}\t%s{{host}}", Headers(date_behind="\t")),
        (f"{DATE} LEEF:1.0|Z|N|1|X|u=%s{{login}}", Headers(date_behind=" LEEF:")),
        (DATE, Headers()),
        ("%02d{dd} %s{login}", Headers()),
    ],
)
def test_a_line_may_stand_behind_a_header_unless_it_begins_as_its_format_does(
    text: str, headers: Headers | None
) -> None:
    feed_format = parse(text)
    structure = structure_of(feed_format)
    assert headers_of(feed_format, structure) == headers
    assert (content_of(feed_format, structure) is None) == (headers is None)


@pytest.mark.parametrize(
    ("text", "table"),
    [
        (
            "user=%s{login} host=%s{host}",
            SequenceTable(
                ("user=", " host=", ""), ("login", "host"), frozenset({" host="}), Headers("user=")
            ),
        ),
        (
            "|USER|%s{login}|HOST|%s{host}|",
            SequenceTable(
                ("|USER|", "|HOST|", "|"),
                ("login", "host"),
                frozenset({"|USER|", "|HOST|"}),
                Headers("|USER|"),
            ),
        ),
        (
            "%d{epochtime}|%s{login}",
            SequenceTable(("", "|", ""), ("clock0", "login"), frozenset(), Headers()),
        ),
        ("%s{login}", SequenceTable(("", ""), ("login",), frozenset(), None)),
        ("<%s{login}>", SequenceTable(("<", ">"), ("login",), frozenset(), Headers("<"))),
        # What may be part of a time or number ends neither.
        ("%d{respsize} bytes %s{login}", None),
        ("%d{respsize} %s{login}", None),
        ("%s{login}:%s{host}", None),
        (
            "%s{login};%s{host}+",
            SequenceTable(("", ";", "+"), ("login", "host"), frozenset(), None),
        ),
        (
            "user=%s{login}\thost=%s{host}",
            PairsTable(
                "\t",
                {"user": "login", "host": "host"},
                {},
                leef=False,
                headers=Headers(with_key=True),
            ),
        ),
        (
            "%d{epochtime}\tuser=%s{login}\thost=%s{host}",
            PairsTable(
                "\t",
                {"user": "login", "host": "host"},
                {0: "clock0"},
                leef=False,
                headers=Headers(),
            ),
        ),
        (
            "LEEF:1.0|Z|N|%s{cloudname}|X|usrName=%s{login}\thost=%s{host}",
            PairsTable(
                "\t",
                {"usrName": "login", "host": "host"},
                {0: None, 1: None, 2: "cloudname", 3: None},
                leef=True,
                headers=None,
            ),
        ),
        # A cell of two fields takes more than a place.
        ("user=%s{login}@%s{dept}\thost=%s{host}", None),
    ],
)
def test_attributes_stand_behind_keys_or_between_texts(text: str, table: Table | None) -> None:
    assert table_of(text) == table


@pytest.mark.parametrize(("quote", "separator"), [('"', '","'), ("", "\t")])
def test_attributes_stand_in_columns(quote: str, separator: str) -> None:
    inner = separator.join(["%s{time}", "%s{login}", "%d{respsize}", "%s{sip}", "%s{action}"])
    table = table_of(f"{quote}{inner}{quote}")
    assert isinstance(table, ColumnsTable)
    assert (table.separator, table.quoted, table.shared) == (separator, bool(quote), False)
    assert table.columns == (
        *(Column("clock0"), Column("login"), Column("respsize", "number")),
        *(Column("sip", "address"), Column("action", "action")),
    )
    assert (table.kinds["allowed"], table.kinds["unsanctioned"]) == ("action", "app_status")
