"""What a spool's file holds, read by a process of its own, as the user whose folder it is in.

SQLite opens files by their paths and believes what is in them; root does not do that with files of
the user that the service runs as.

    python -m cli.support.inspecting contents FILE      sizes and counts, as JSON
    python -m cli.support.inspecting form FILE          how many migrations it has seen
"""

import os
import sys
from pathlib import Path

import orjson

from cli.support.programs import RanTooLong, output_of
from nss.errors import InputMissing, NssError
from nss.files.beneath import ROOT, open_folder
from nss.spool.durable.inspect import read_contents, read_form
from nss.wording import harmless

SECS = 60
MAX_BYTES = 64 << 10


def spool_contents(path: Path) -> bytes:
    """Return sizes and counts as JSON. Raises `InputMissing`."""
    return _asked("contents", path)


def spool_form(path: Path) -> int:
    """Return how many migrations a spool has seen. Raises `InputMissing`."""
    try:
        return int(_asked("form", path))
    except ValueError:
        raise InputMissing(f"spool: its form makes no sense ({path})") from None


def _asked(what: str, path: Path) -> bytes:
    isolated = ["-I"] if sys.flags.isolated else []
    command = (sys.executable, *isolated, "-m", "cli.support.inspecting", what, str(path))
    try:
        with open_folder(path.parent) as folder:
            is_foreign = os.geteuid() == ROOT and folder.owner[0] != ROOT
            owner = folder.owner if is_foreign else None
        code, printed = output_of(*command, secs=SECS, max_bytes=MAX_BYTES, owner=owner)
    except (OSError, RanTooLong) as error:
        raise InputMissing(f"spool: can't be read: {error} ({path})") from None
    if code != 0:
        lines = printed.decode(errors="replace").splitlines() or [f"exit code {code}"]
        raise InputMissing(harmless(lines[-1]))
    return printed


def main() -> None:
    """Print what is asked for; on an error, a sentence."""
    what, path = sys.argv[1:]
    try:
        found = read_form(Path(path)) if what == "form" else read_contents(Path(path))
    except (NssError, OSError) as error:
        sys.exit(str(error).partition("\n")[0])
    sys.stdout.buffer.write(orjson.dumps(found, option=orjson.OPT_INDENT_2))


if __name__ == "__main__":
    main()
