"""Lines as messages, and what of them is left after failures."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from formats.lines import Lines
from nss.sinks.kafka.messages import Failure, Messages, Stretch

LINES = [b"line %d" % number for number in range(10)]


def _all(*lines: bytes) -> Counter[Failure]:
    return Counter(Failure(None, line) for line in lines)


def test_each_line_is_a_message_with_its_key() -> None:
    messages = Messages(Lines.of(LINES[:2]), [1, 0xFFFF_FFFF], None)
    stretch = messages.next
    assert stretch is not None
    assert messages.payloads(stretch) == [
        {"value": b"line 0", "key": b"00000001"},
        {"value": b"line 1", "key": b"ffffffff"},
    ]


@given(st.lists(st.binary(max_size=40).filter(lambda line: b"\n" not in line), min_size=1))
def test_packed_lines_are_all_there_and_no_message_is_too_long(lines: list[bytes]) -> None:
    messages = Messages(Lines.of(lines), None, 30)
    assert messages.next is not None
    values = [each["value"] for each in messages.payloads(messages.next)]
    assert [line for value in values for line in value.split(b"\n")] == lines
    assert all(len(value) <= 30 or b"\n" not in value for value in values)


def test_what_failed_is_left_and_nothing_else() -> None:
    messages = Messages(Lines.of(LINES), None, None)
    assert messages.next is not None
    messages.keep(messages.next, _all(LINES[2], LINES[3], LINES[7]), Counter())
    assert messages.hand_over() == 2
    assert messages.is_rest(Lines.of(LINES[2:]))
    assert messages.next == Stretch(2, 4)
    messages.confirm(Stretch(2, 4))
    assert messages.hand_over() == 5
    assert messages.next == Stretch(7, 8)
    messages.confirm(Stretch(7, 8))
    assert messages.hand_over() == 3
    assert messages.is_rest(Lines.of([]))


def test_equal_lines_are_as_good_as_each_other() -> None:
    messages = Messages(Lines.of([b"a", b"a", b"b"]), None, None)
    assert messages.next is not None
    messages.keep(messages.next, _all(b"a"), Counter())
    assert messages.next == Stretch(0, 1)


def test_a_packed_message_that_is_refused_goes_line_by_line() -> None:
    messages = Messages(Lines.of(LINES[:4]), None, 13)
    stretch = messages.next
    assert stretch is not None
    messages.keep(stretch, Counter(), _all(b"line 2\nline 3"))
    assert messages.next == Stretch(2, 3, is_alone=True)
    assert messages.reject() == 2
    assert messages.is_rest(Lines.of(LINES[3:4]))
    messages.confirm(Stretch(3, 4, is_alone=True))
    assert messages.next is None


def test_other_lines_are_noticed() -> None:
    messages = Messages(Lines.of(LINES), None, None)
    assert messages.is_rest(Lines.of(list(LINES)))
    assert not messages.is_rest(Lines.of(LINES[1:]))
    assert not messages.is_rest(Lines.of([*LINES[:9], b"other"]))
