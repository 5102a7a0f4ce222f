"""What is seen of a batch of JSON before it is decoded."""

import pytest

from formats.reading.json_scan import objects_by_line


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", 0),
        (b"{}", 1),
        (b"{}\n", 1),
        (b"{}\n{}", 2),
        (b"{}\n{}\n", 2),
        (b'{"a":{}}\n{}\n{}\n', 3),
        (b"{}\n{}\nx\n", -1),
        (b"{}\nx\n{}\n", -1),
        (b"{}\n \n", -1),
        (b"{} \n{}\n", -1),
        (b'{"a":\n1}\n', -1),
        (b"{}\n\n{}\n", -1),
    ],
)
def test_lines_are_objects_only_where_each_ends_as_one(data: bytes, lines: int) -> None:
    assert objects_by_line(data) == lines
