"""Golden files: each preset over the same records, compared whole, byte for byte.

After a wanted change: `PYTHONPATH=. python tests/formats/test_golden.py` rewrites them. Read the
difference line by line against the feed format's documentation before it is committed.
"""

from pathlib import Path

import pytest

from formats import presets
from formats.pipeline import FeedSettings, Pipeline
from formats.reading.json import json_names

GOLDEN = Path(__file__).parent / "golden"


def rendered(name: str) -> bytes:
    """Return the records in a preset, in GMT, as `nss render` would print them."""
    pipeline = Pipeline(json_names(), FeedSettings(presets.load(name)))
    result = pipeline.run((GOLDEN / "records.jsonl").read_bytes())
    assert result.bad == []
    return b"".join(line + b"\n" for line in result.lines)


@pytest.mark.parametrize("name", presets.names())
def test_a_preset_renders_the_records_as_its_golden_file_has_them(name: str) -> None:
    assert rendered(name) == (GOLDEN / f"{name}.txt").read_bytes()


def test_there_is_a_golden_file_for_each_preset_and_no_other() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(presets.names())


@pytest.mark.parametrize("name", presets.names())
def test_every_record_is_one_line_without_control_characters(name: str) -> None:
    text = (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")
    records = (GOLDEN / "records.jsonl").read_bytes().count(b"\n")
    assert len(text.splitlines()) == text.count("\n") == records
    assert not {c for c in text if ord(c) < 32 or 127 <= ord(c) < 160} - {"\n", "\t"}


def main() -> None:
    """Rewrite every golden file."""
    for name in presets.names():
        (GOLDEN / f"{name}.txt").write_bytes(rendered(name))


if __name__ == "__main__":
    main()
