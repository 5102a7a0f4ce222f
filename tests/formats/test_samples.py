"""Published sample records, when their folder is there: each renders to MCAS, and none is bad."""

import os
from pathlib import Path

import msgspec
import pytest

from formats import presets
from formats.pipeline import FeedSettings, Pipeline
from formats.reading.recognise import recognise

SAMPLES = Path(
    os.environ.get("NSS_SAMPLES") or Path(__file__).resolve().parents[3] / "shared" / "samples"
)
FILES = sorted(SAMPLES.glob("*.log"))
RECORDS = {"web-http-1": 1, "web-json-2021": 1, "web-tcp-1": 6, "web-tcp-2": 5}


def one_record_a_line(data: bytes) -> bytes:
    """Return a file that is one JSON value over many lines as the one line a source makes of it."""
    try:
        return msgspec.json.encode(msgspec.json.decode(data)) + b"\n"
    except msgspec.DecodeError:
        return data


@pytest.mark.skipif(not FILES, reason=f"no sample records in {SAMPLES}")
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_published_sample_renders_to_mcas_without_a_bad_record(file: Path) -> None:
    data = one_record_a_line(file.read_bytes())
    rendered = Pipeline(recognise(data), FeedSettings(presets.load("MCAS"))).run(data)
    assert (rendered.bad, rendered.filtered) == ([], 0)
    assert len(rendered.lines) == RECORDS.get(file.stem, len(data.splitlines()))
    assert [b"usrName=None" in line or b"url=None" in line for line in rendered.lines] == [
        False
    ] * len(rendered.lines)
