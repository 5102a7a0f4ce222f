"""Pictures of terminals for the docs, of what the commands show: `python -m` this FOLDER."""

import io
import os
import re
import sys
import time
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from cli.screen.demo import ended
from cli.status import picture
from cli.top import View
from tests.cli.screen.demos import finished
from tests.cli.screen.statuses import DOWN, HEALTHY, many

COLUMNS, ROWS = 80, 24

_FONTS = re.compile(r"@font-face \{\{.*?\n    \}\}\n", re.DOTALL)


def pictures() -> dict[str, str]:
    """Return SVG files by name, the same each time."""
    crowd = many(20, 1)
    return {
        "demo.svg": _drawn("nss demo", ended(finished(), COLUMNS)),
        "status-healthy.svg": _drawn("nss status", picture(HEALTHY, COLUMNS)),
        "status-degraded.svg": _drawn("nss status", picture(DOWN, COLUMNS)),
        "top.svg": _drawn("nss top", View(crowd, crowd.at).drawn(COLUMNS, ROWS)),
    }


def _drawn(command: str, shown: Text) -> str:
    """Return a terminal on which a command has shown something; it loads no font."""
    console = Console(
        record=True,
        width=COLUMNS,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
    )
    console.print(shown, soft_wrap=True)
    name = command.replace(" ", "-")
    text = console.export_svg(
        title=command, unique_id=name, code_format=_FONTS.sub("", CONSOLE_SVG_FORMAT)
    )
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


if __name__ == "__main__":
    os.environ["TZ"] = "UTC"
    time.tzset()
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for file, svg in pictures().items():
        folder.joinpath(file).write_text(svg, encoding="utf-8")
