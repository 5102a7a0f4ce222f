"""What Tenzir makes of lines: pipelines of its engine, which `tests/peers/fetch_tenzir` unpacks."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

PROGRAM = Path(__file__).parents[3] / ".peers/tenzir/bin/tenzir"


def run(pipeline: str, lines: Sequence[str]) -> list[dict[str, Any]]:
    """Return the events of a pipeline that reads the lines from standard input."""
    if not PROGRAM.exists():
        pytest.skip(f"no {PROGRAM}: run tests/peers/fetch_tenzir .peers")
    done = subprocess.run(  # noqa: S603 - ours
        [PROGRAM, "--bare-mode", f"{pipeline}\nwrite_ndjson"],
        env={"PATH": os.environ["PATH"]},
        input="".join(f"{line}\n" for line in lines).encode(),
        capture_output=True,
        check=False,
        timeout=50,
    )
    assert done.returncode == 0, done.stderr.decode()
    return [orjson.loads(line) for line in done.stdout.splitlines()]


def parsed(lines: Sequence[str], call: str) -> list[dict[str, Any] | None]:
    """Return what a function makes of each line, `None` where it refuses one."""
    events = run(f"from_stdin {{ read_lines }}\nparsed = line.{call}", lines)
    assert [event["line"] for event in events] == list(lines)
    return [event["parsed"] for event in events]
