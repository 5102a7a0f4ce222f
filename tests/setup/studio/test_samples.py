"""Sample records: pasted in whatever form, and the built-in ones."""

import json

import pytest

from nss.lab.generator import RecordGenerator
from nss.setup.studio.samples import examples, records_of


def test_the_built_in_records_are_the_generators() -> None:
    made = RecordGenerator(351, hostile_share=0.1, long_share=0.08).batch(12)

    assert examples().encode() == made


def test_the_built_in_records_are_ordinary_blocked_long_and_hostile_ones() -> None:
    records = [json.loads(line)["event"] for line in examples().splitlines()]

    assert [record["action"] for record in records].count("Blocked") == 2
    assert sum(len(line) > 2000 for line in examples().splitlines()) == 1
    assert any("\t" in value for record in records for value in record.values())


@pytest.mark.parametrize(
    ("text", "records"),
    [
        ("", []),
        ("\n  \n\n", []),
        ("a\nb", [b"a", b"b"]),
        ("\ufeffa\r\n\n b\n", [b"a", b" b"]),
        ('{"a":1}\n{"b":2}\n', [b'{"a":1}', b'{"b":2}']),
        ('{\n "a": 1\n}\n{\n "b":2}', [b'{  "a": 1 }', b'{  "b":2}']),
        ('[{"a":1},\n{"b":2}]', [b'{"a":1}', b'{"b":2}']),
        ('[{"a":1},{"b":2}]', [b'{"a":1}', b'{"b":2}']),
        ('{"a":1}{"b":2}', [b'{"a":1}', b'{"b":2}']),
        ('{"a":1}\nnonsense\n{"b":2}', [b'{"a":1}', b"nonsense", b'{"b":2}']),
        ('{\n"a": 1', [b'{ "a": 1']),
        ("é\u2028x", ["é\u2028x".encode()]),
        ("\ud800", [b"?"]),
    ],
)
def test_records_are_lines_or_json_values_of_any_layout(text: str, records: list[bytes]) -> None:
    assert records_of(text) == records
