"""Sample records: a text that somebody pasted, taken apart; and built-in ones."""

from functools import cache
from importlib.resources import files

from formats import MAX_RECORD_BYTES
from nss.sources.framing.json import DECIDE_BYTES, JsonFramer, spans_lines
from nss.sources.framing.lines import BOM

_EXAMPLES = "examples.jsonl"


@cache
def examples() -> str:
    """Return built-in records, one a line: ordinary, blocked and long ones, and some hostile ones.

    They are the lab generator's; a test makes them again.
    """
    return files("nss.setup.studio").joinpath(_EXAMPLES).read_text(encoding="utf-8")


def records_of(text: str) -> list[bytes]:
    """Return the records in a text, each as one line.

    JSON objects may span lines or share one; everything else is a record a line.
    """
    data = text.encode("utf-8", "replace").removeprefix(BOM)
    start = data[:DECIDE_BYTES]
    if spans_lines(start, ended=len(data) <= DECIDE_BYTES):
        framer = JsonFramer(MAX_RECORD_BYTES)
        data = framer.feed(data) + framer.flush()
    lines = (line.removesuffix(b"\r") for line in data.split(b"\n"))
    return [line for line in lines if line.strip()]
