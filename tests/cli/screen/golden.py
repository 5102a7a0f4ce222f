"""What `nss status` and `nss top` show, kept in `golden/`; `python -m` this writes it anew."""

import os
import time
from pathlib import Path

from cli.status import plain
from cli.top import View
from tests.cli.screen.statuses import CROWDED, DOWN, HEALTHY, NOW, many

FOLDER = Path(__file__).with_name("golden")

STATUSES = {"healthy": HEALTHY, "down": DOWN, "crowded": CROWDED, "all-down": many(12, 12)}
WIDTHS = (40, 60, 80, 132)
SIZES = ((40, 15), (60, 24), (80, 24), (132, 43))

GONE = View(
    DOWN, NOW + 7, "the service is not running: nobody listens (/run/nss/control.sock)", NOW + 2
)


def views() -> dict[str, View]:
    """Return views of `nss top` by name."""
    return {name: View(status, status.at) for name, status in STATUSES.items()} | {"gone": GONE}


def pictures() -> dict[str, str]:
    """Return what is shown, by the name of its file."""
    status = {
        f"status-{name}-{width}.txt": plain(status, width) + "\n"
        for name, status in STATUSES.items()
        for width in WIDTHS
    }
    top = {
        f"top-{name}-{columns}x{rows}.txt": view.drawn(columns, rows).plain + "\n"
        for name, view in views().items()
        for columns, rows in SIZES
    }
    return status | top


if __name__ == "__main__":
    os.environ["TZ"] = "UTC"
    time.tzset()
    FOLDER.mkdir(exist_ok=True)
    for file, text in pictures().items():
        FOLDER.joinpath(file).write_text(text, encoding="utf-8")
