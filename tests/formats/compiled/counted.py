"""What valgrind counts: a process that runs each case through the core, between two marks.

    python -m tests.formats.compiled.counted FOLDER < cases.json

Everything that a case learns it has learned before its first mark. The marks are those of marks.c.
"""

import ctypes
import gc
import json
import sys
from pathlib import Path

from formats import FeedSettings, Pipeline, json_names
from formats.language import parse

ROUNDS_BEFORE = 2


def main() -> None:
    """Run the cases; prints how many records of each the core has handed over."""
    folder = Path(sys.argv[1])
    marks = ctypes.CDLL(str(folder / "marks.so"))
    gc.disable()
    handed = {}
    for name, feed_format, corpus, max_bytes in json.load(sys.stdin):
        data = (folder / corpus).read_bytes()
        engine = Pipeline(json_names(), FeedSettings(parse(feed_format)))._engine
        if engine is None:
            raise SystemExit(f"the core has no program for {name}")
        for _ in range(ROUNDS_BEFORE):
            engine.run(data, max_bytes)
        marks.start_counting()
        output = engine.run(data, max_bytes)
        marks.stop_counting(name.encode())
        handed[name] = None if output is None else output.handed_count
    print(json.dumps(handed))  # noqa: T201 - its result


if __name__ == "__main__":
    main()
