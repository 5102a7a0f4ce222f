"""What syslog-ng's parsers make of lines: it reads standard input, and its files say the rest."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

ROOT = Path(__file__).parents[3]
MAX_LINE_BYTES = 1 << 20

KV = "kv-parser(prefix('v.'){options});"
CSV = "csv-parser(prefix('v.') delimiters(',') columns({columns}) dialect({dialect}));"


def unpacked() -> Any:  # noqa: ANN401 - a script of the benchmarks, which know where peers are
    spec = importlib.util.spec_from_file_location("unpacked", ROOT / "benchmarks" / "unpacked.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["unpacked"] = module
    spec.loader.exec_module(module)
    return module


def kv_parser(separator: str | None = None) -> str:
    """Return a kv-parser for pairs that stand behind `separator`, or blanks and commas."""
    options = "" if separator is None else f' pair-separator("{separator}")'
    return KV.format(options=options.replace("\t", "\\t"))


def csv_parser(columns: int, dialect: str) -> str:
    """Return a csv-parser whose columns are called by their number."""
    names = ", ".join(f"'{number}'" for number in range(columns))
    return CSV.format(columns=names, dialect=dialect)


def read(
    lines: Sequence[str], parser: str, folder: Path, flags: str = "no-parse"
) -> list[dict[str, Any]]:
    """Return what a parser finds in each line, and the message as `MESSAGE`.

    With `flags` other than `no-parse` lines are syslog messages, whose parts are there too.
    """
    peers = unpacked()
    try:
        found = peers.syslog_ng()
    except peers.NotUnpacked as error:
        pytest.skip(str(error))
    output = folder / "read"
    output.unlink(missing_ok=True)
    fields = "--key v.* --rekey v.* --shift 2 PRI=$PRI HOST=$HOST PROGRAM=$PROGRAM MESSAGE=$MESSAGE"
    parsing = f"if {{ parser {{ {parser} }}; }};" if parser else ""
    (folder / "syslog-ng.conf").write_text(
        f"""\
@version: {peers.version(found)}
options {{ log-msg-size({MAX_LINE_BYTES}); stats-freq(0); use-dns(no); dns-cache(no);
           keep-hostname(yes); keep-timestamp(yes); }};
source lines {{ stdin(flags({flags})); }};
destination read {{ file("{output}" template("$(format-json {fields} ISODATE=$ISODATE)\\n")); }};
log {{ source(lines); {parsing} destination(read); }};
"""
    )
    files = {"-f": "syslog-ng.conf", "-R": "persist", "-p": "pid", "-c": "control"}
    words = [word for flag, name in files.items() for word in (flag, str(folder / name))]
    run = subprocess.run(  # noqa: S603 - ours
        [found.program, *found.options, "-F", "--no-caps", *words],
        env=os.environ | found.env,
        input="".join(f"{line}\n" for line in lines).encode(),
        capture_output=True,
        check=False,
        timeout=30,
    )
    assert run.returncode == 0, run.stderr
    read = [orjson.loads(line) for line in output.read_bytes().splitlines()]
    assert len(read) == len(lines)
    return read
