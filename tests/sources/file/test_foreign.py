"""The position of a file as a damaged or foreign spool may have it: known, or none."""

from pathlib import Path

from hypothesis import given

from nss.batch import Batch
from nss.sources.file.logfile import Position
from tests import foreign
from tests.parts import file_source

KEPT = {
    "file": [64769, 1234, [1024, "0123456789abcdef0123456789abcdef"]],
    "offset": 4096,
    "tail": [256, "0123456789abcdef0123456789abcdef"],
    "mtime_ns": 1763942400000000000,
    "spans_lines": False,
    "finished": [[64769, 1233, [10, "0123456789abcdef0123456789abcdef"]]],
    "gzip": False,
    "path": "/var/log/web.log",
}
POSITIONS = foreign.answers(KEPT).map(lambda data: data.decode("utf-8", "replace"))


@foreign.MANY
@given(text=POSITIONS)
def test_a_position_is_one_or_none(text: str) -> None:
    found = Position.parsed(text)
    assert found is None or isinstance(found.offset, int)


def test_a_position_with_something_deep_in_it_is_none() -> None:
    assert Position.parsed(foreign.deep_beside(KEPT)) is None


@foreign.MANY
@given(text=POSITIONS)
async def test_a_file_is_read_whatever_position_was_kept(tmp_path: Path, text: str) -> None:
    path = tmp_path / "web.log"
    path.write_bytes(b'{"login":"ann"}\n')
    text = text.replace("/var/log/web.log", str(path))
    batches: list[Batch] = []

    async def accept(batch: Batch) -> None:
        batches.append(batch)

    await file_source(path, follow=False, position=text).run(accept)

    assert [batch.data for batch in batches] == [b'{"login":"ann"}\n']
