"""`nss run` that ends itself with SIGKILL: `victim.py CONFIG [POINT NTH [DELAY_MS]]`.

It dies when it comes to a point of `nss.service.service.run` for the n-th time, or so many
milliseconds later, while it goes on with whatever follows that point. The write-ahead log is
carried over into the file every few batches, so that crashes meet checkpoints.
"""

import os
import signal
import sys
import threading
import time
from pathlib import Path

from nss.service import service
from nss.spool.durable import store

CHECKPOINT_BYTES = 64 << 10


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)  # the signal may take a moment, and nothing may happen in it


class Killer:
    def __init__(self, point: str, nth: int, delay_secs: float | None) -> None:
        self._point = point
        self._left = nth
        self._delay_secs = delay_secs

    def __call__(self, point: str) -> None:
        if point != self._point:
            return
        self._left -= 1
        if self._left:
            return
        if self._delay_secs is None:
            die()
        else:
            threading.Timer(self._delay_secs, die).start()


def main(config: str, point: str = "", nth: str = "0", delay_millis: str = "") -> int:
    store.LOG_BYTES = CHECKPOINT_BYTES
    delay_secs = float(delay_millis) / 1000 if delay_millis else None
    return service.run(Path(config), at=Killer(point, int(nth), delay_secs))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
