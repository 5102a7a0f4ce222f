"""Fluent Bit as a peer: tail with the JSON parser, one concatenation in Lua, UDP."""

from collections.abc import Callable
from pathlib import Path

import corpus
from measure import Launch

_LUA_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\t": r"\t", "\n": r"\n"})

_SERVICE = """\
[SERVICE]
    flush        0.1
    grace        1
    log_level    warn
    parsers_file {folder}/parsers.conf

[INPUT]
    name              tail
    path              {records}
    parser            bench
    read_from_head    on
    buffer_chunk_size 1M
    buffer_max_size   8M
    threaded          on

[FILTER]
    name   lua
    match  *
    script {folder}/line.lua
    call   line

[OUTPUT]
    name            udp
    match           *
    host            127.0.0.1
    port            {port}
    raw_message_key $line
    retry_limit     no_limits
"""

_PARSERS = """\
[PARSER]
    name   bench
    format json
"""


def launcher(program: str, data: Path) -> Callable[[int, Path], Launch]:
    """Return the launcher of Fluent Bit; its datagrams end with a line feed."""
    script = lua()

    def launch(port: int, folder: Path) -> Launch:
        records = data / corpus.RECORDS_FILE
        service = _SERVICE.format(folder=folder, records=records, port=port)
        (folder / "fluent-bit.conf").write_text(service)
        (folder / "parsers.conf").write_text(_PARSERS)
        (folder / "line.lua").write_text(script)
        return Launch([program, "-c", str(folder / "fluent-bit.conf")], runs_on=True)

    return launch


def lua() -> str:
    """Return the function that makes a line of a record; 2: the time stays as it was."""
    parts = corpus.qradar()
    pieces = [
        f'r["{part}"]' if at % 2 else f'"{part.translate(_LUA_ESCAPES)}"'
        for at, part in enumerate(parts)
        if part
    ]
    joined = " .. ".join(pieces)
    return f"function line(tag, time, r)\n  return 2, time, {{line = {joined}}}\nend\n"
