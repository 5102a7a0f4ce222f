"""What a record states: each key, attribute or column with the field that it is taken for."""

import pytest

from formats import FeedSettings, Input, Pipeline, input_of, json_names, parse, presets
from formats.fields import TIME_FIELDS, catalogue
from formats.lacking import lacking
from formats.reading.statements import Statement, label, statement_reader
from formats.reading.synonyms import synonyms
from formats.record import field_access
from nss.lab.generator import RecordGenerator

FORMS = {"json": json_names()}
for _name in presets.names():
    FORMS[_name] = input_of(presets.load(_name))


def statements(source: Input, line: bytes) -> list[tuple[Statement, ...]]:
    return list(statement_reader(source)(line))


def stated_fields(source: Input, line: bytes) -> list[set[str]]:
    return [
        {name for each in record for name in each.fields} for record in statements(source, line)
    ]


def fields(source: Input, line: bytes) -> dict[str, tuple[str, ...]]:
    (record,) = statements(source, line)
    return {each.key: each.fields for each in record}


def test_keys_of_json_are_taken_for_the_fields_that_presets_print_under_them() -> None:
    line = b'{"datetime":"x","usrName":"ann","clientip":"10.0.0.1","Foo":{"a":1},"vendor":"Z"}'
    (record,) = statements(json_names(), line)

    assert [(each.key, each.text, each.fields) for each in record] == [
        ("datetime", "x", ("time",)),
        ("usrName", "ann", ("login",)),
        ("clientip", "10.0.0.1", ("cip",)),
        ("Foo", '{"a":1}', ()),
        ("vendor", "Z", ()),
    ]
    assert [each.key for each in record if each.is_constant] == ["vendor"]


@pytest.mark.parametrize(
    "line",
    [
        b'{"login":"ann"}',
        b'{"sourcetype":"x","event":{"login":"ann"}}',
        b'<134>Oct  6 09:05:08 host nss: {"login":"ann"}',
        b'\xef\xbb\xbf{"login":"ann"}\r',
        b'[{"login":"ann"}]',
    ],
)
def test_the_fields_of_json_are_found_wherever_the_object_is(line: bytes) -> None:
    assert fields(json_names(), line) == {"login": ("login",)}


def test_an_array_has_the_statements_of_each_of_its_records() -> None:
    found = stated_fields(json_names(), b'[{"login":"ann"}, 7, {"cip":"1.1.1.1"}]')

    assert found == [{"login"}, {"cip"}]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "line",
    [
        *(b"", b"{", b"[" * 5000, b'{"a":1' + b"1" * 5000 + b"}", b"\xff\xfe", b"nonsense", b"7"),
        *(b'{"event":[]}', b"LEEF:1.0|a|b|c|d|e", b"LEEF:1.0|a|b|c|d|src=1\tsrc=2", b'"' * 99),
        b"<134>1 - - - - - - " * 20,
    ],
)
def test_a_line_that_can_not_be_taken_apart_states_nothing_that_is_a_field(
    form: str, line: bytes
) -> None:
    found = [each for record in statements(FORMS[form], line) for each in record]

    assert all(isinstance(each.text, str) for each in found)


def test_a_format_that_has_its_keys_deep_is_read_by_their_paths() -> None:
    text = r'\{"a":"%s{login}","b":\{"c":"%s{cip}","s":1\},"d":"%d{yy} %s{mon}"\}'
    (record,) = statements(
        input_of(parse(text)), b'{"a":"ann","b":{"c":"1.1.1.1","e":1,"s":1},"d":"x"}'
    )

    assert {each.key: each.fields for each in record} == {
        "a": ("login",),
        "b / c": ("cip",),
        "b / e": (),
        "b / s": (),
        "d": ("yy", "mon"),
    }
    assert [each.key for each in record if each.is_constant] == ["b / s"]


def test_what_is_taken_apart_of_a_hostile_record_is_bounded() -> None:
    form = input_of(parse(r'\{"a":"%s{login}","b":\{"c":"%s{cip}"\}\}'))
    inner = ",".join(f'"{number}":1' for number in range(100_000))
    long = "k" * 300_000
    deep = '{"a":' * 900 + "1" + "}" * 900
    line = f'{{"{long}":{{{inner}}},"deep":{deep}}}'.encode()
    for source in (form, json_names()):
        (record,) = statements(source, line)
        assert sum(len(each.key) for each in record) < 1_000_000
        assert len(record) <= 1000


@pytest.mark.parametrize("header", [b"", b"<134>", b"<134>1 - web nss - - - "])
@pytest.mark.parametrize("name", ["SPLUNK_CIM", "CSV", "TAB_SEPARATED", "MCAS", "JSON"])
def test_a_syslog_header_in_front_hides_no_field(name: str, header: bytes) -> None:
    settings = FeedSettings(presets.load(name))
    (line,) = Pipeline(json_names(), settings).run(b'{"epochtime":1,"login":"ann"}\n').lines
    plain = [each.fields for each in statements(FORMS[name], line)[0]]

    assert [each.fields for each in statements(FORMS[name], header + line)[0]] == plain


@pytest.mark.parametrize("name", presets.names())
def test_of_a_preset_every_place_is_known(name: str) -> None:
    data = RecordGenerator(5).batch(1)
    (line,) = Pipeline(json_names(), FeedSettings(presets.load(name))).run(data).lines
    (record,) = statements(FORMS[name], line)

    assert [each.key for each in record if not each.fields and not each.is_constant] == []


@pytest.mark.parametrize("name", [name for name in FORMS if name != "CEF_MULTILINE"])
def test_what_is_stated_is_what_the_reader_reads(name: str) -> None:
    """Neither a false yes nor a false no: of all that presets print, in any form."""
    source = FORMS[name]
    data = RecordGenerator(7).batch(20)
    if name != "json":
        lines = Pipeline(json_names(), FeedSettings(presets.load(name))).run(data).lines
        data = b"".join(line + b"\n" for line in lines)
    stated = {
        field for line in data.splitlines() for one in stated_fields(source, line) for field in one
    }
    known = [field for field in catalogue().values() if field.name not in TIME_FIELDS]
    everything = parse(" ".join(f"%{field.conversion}{{{field.name}}}" for field in known))

    lacks = lacking(everything, source, data, 1 << 20)

    assert lacks.records == 20
    assert stated.isdisjoint(lacks.everywhere)
    own = {name for name in stated if name not in TIME_FIELDS}
    assert own <= source.available


@pytest.mark.parametrize(
    ("name", "older"), [("CSV", "CSV_OLD"), ("TAB_SEPARATED", "TAB_SEPARATED_OLD")]
)
@pytest.mark.parametrize("columns", [34, 33])
def test_lines_of_an_older_layout_have_its_columns(name: str, older: str, columns: int) -> None:
    record = b'{"epochtime":1,"login":"ann","action":"Allowed","reqsize":5,"url":"u/"}\n'
    (line,) = Pipeline(json_names(), FeedSettings(presets.load(older))).run(record).lines
    if columns == 33:
        line = line.rpartition(b"\t" if b"\t" in line else b",")[0]
    (found,) = statements(FORMS[name], line)

    assert len(found) == columns
    assert [each.text for each in found if each.fields == ("reqsize",)] == ["5"]


def test_every_synonym_is_taken_for_what_the_reader_reads() -> None:
    """With every key that there is, one at a time: a false yes would hide that all is lost."""
    for key, field in synonyms().items():
        line = b'{"%b":"7","vendor":"x","colour":1}' % key.encode()
        (found,) = statements(json_names(), line)
        decoded = json_names().reader((), 1 << 20)(line + b"\n")

        assert found[0].fields == (field,)
        assert {each.key for each in found if not each.fields and not each.is_constant} == set(
            decoded.unmapped
        )
        if field not in TIME_FIELDS:
            slot = f"%{catalogue()[field].conversion}{{{field}}}"
            assert lacking(parse(slot), json_names(), line + b"\n", 1 << 20).counts == {}, key


def test_what_a_json_format_does_not_know_is_what_the_reader_counts() -> None:
    form = input_of(parse(r'\{"a":"%s{login}","b":\{"c":"%s{cip}","s":1\}\}'))
    line = b'{"a":"ann","login":"bob","b":{"c":"1.1.1.1","d":1,"s":1}}'
    (found,) = statements(form, line)
    decoded = form.reader(field_access(["login", "cip"], form.available).attributes, 1 << 20)(line)

    assert [each.key for each in found if not each.fields and not each.is_constant] == [
        "login",
        "b / d",
    ]
    assert set(decoded.unmapped) == {"login", "d"}


def test_the_parts_of_a_time_have_one_name() -> None:
    assert label(("mon", "dd", "yy", "hh", "mm", "ss")) == "time"
    assert label(("mon",)) == "mon"
    assert label(("login", "cip", "login")) == "login, cip"
