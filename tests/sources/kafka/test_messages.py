"""Records of messages: one each, several lines, JSON over lines, none."""

from dataclasses import dataclass

import pytest

from nss.sources.kafka.messages import framed


@dataclass
class _Message:
    data: bytes | None
    at: int = 0
    number: int = 0

    def topic(self) -> str:
        return "web"

    def partition(self) -> int:
        return self.number

    def offset(self) -> int:
        return self.at

    def value(self) -> bytes | None:
        return self.data

    def timestamp(self) -> tuple[int, int]:
        return 1, 5000


@pytest.mark.parametrize(
    ("values", "data"),
    [
        ([b"a", b"b"], b"a\nb\n"),
        ([b"a\n", b"b\r\n"], b"a\nb\n"),
        ([b"a\nb", b"c"], b"a\nb\nc\n"),
        ([b"a\n\n b\n"], b"a\n b\n"),
        ([b'{"a":1}', b'[{"b":2},{"c":3}]'], b'{"a":1}\n{"b":2}\n{"c":3}\n'),
        ([b'{\n "a": 1\n}', b'{"b":2}'], b'{ "a": 1 }\n{"b":2}\n'),
        ([None, b"", b"a"], b"a\n"),
        ([None], b""),
        ([b"x" * 100], b"x" * 65 + b"\n"),
        ([b"half", b"whole\nhalf"], b"half\nwhole\nhalf\n"),
    ],
)
def test_records_of_messages(values: list[bytes | None], data: bytes) -> None:
    found = framed([_Message(value, at) for at, value in enumerate(values)], 64)
    assert found.data.replace(b"  ", b" ") == data
    assert found.records == found.data.count(b"\n")
    assert found.offsets == {("web", 0): len(values)}


def test_offsets_are_kept_by_partition() -> None:
    messages = [_Message(b"a", 4, 0), _Message(b"b", 9, 1), _Message(b"c", 5, 0)]
    found = framed(messages, 64)
    assert found.offsets == {("web", 0): 6, ("web", 1): 10}
    assert found.at == {("web", 0): 5.0, ("web", 1): 5.0}
