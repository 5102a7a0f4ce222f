"""A process that syncs and is killed: `victim.py FOLDER POINT COUNT URL..`.

At the given time that the point is passed it kills itself with SIGKILL. Points are those of the
target, and `call NAME before` or `after` for each request. The organisation is in a file.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import TypeVar

from tests.sync.conftest import Bench
from tests.sync.organisation import Organisation

T = TypeVar("T")


class Mortal:
    """Counts how often a point is passed."""

    def __init__(self, point: str, count: int) -> None:
        self.point = point
        self.left = count

    def __call__(self, point: str) -> None:
        self.left -= point == self.point
        if point == self.point and self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


class KillingOrganisation(Organisation):
    """Passes a point before and after each request."""

    mortal: Mortal

    def _called(self, call: str, work):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - as above it
        self.mortal(f"call {call} before")
        found = super()._called(call, work)
        self.mortal(f"call {call} after")
        return found


def main() -> None:
    folder, point, count, *urls = sys.argv[1:]
    organisation = KillingOrganisation.load(Path(folder) / "organisation.json")
    assert isinstance(organisation, KillingOrganisation)
    organisation.mortal = Mortal(point, int(count))
    bench = Bench(Path(folder), organisation)
    bench.at = organisation.mortal
    asyncio.run(bench.run(*urls))


if __name__ == "__main__":
    main()
