"""A process that reads large uploads for `nss.lab.cloud.parsing`, at a low priority.

Questions (the arguments of `reading.read`) come by standard input and answers go by standard
output, both pickled; it ends with its input. Of an `OSError` it answers `None`.
"""

import contextlib
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import IO

from nss.lab.cloud.reading import Reading, read

_NICENESS = 10


class ReaderProcess:
    """The process as seen by its parent."""

    # Not multiprocessing: it would run the main program once more to import it.

    def __init__(self) -> None:
        paths = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-c", f"import {__name__} as it; it.main()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": paths},
            start_new_session=True,  # a Ctrl-C at the terminal is not for this one
        )

    def read(self, path: Path, source_type: str, now: float) -> Reading | None:
        """Do `reading.read` there. Raises `OSError` when the process is gone."""
        assert self._process.stdin is not None  # noqa: S101 - for mypy
        assert self._process.stdout is not None  # noqa: S101 - for mypy
        pickle.dump((path, source_type, now), self._process.stdin)
        self._process.stdin.flush()
        try:
            found: Reading | None = pickle.load(self._process.stdout)  # noqa: S301 - from our own process
        except (EOFError, pickle.UnpicklingError):
            raise BrokenPipeError from None
        return found

    def stop(self) -> None:
        """End the process at once, even from another thread that waits for its answer."""
        self._process.kill()

    def close(self) -> None:
        """Close it, after `stop`."""
        # A question that it died before may still be buffered, and closing the pipe would send it.
        with contextlib.suppress(BrokenPipeError), self._process:
            self._process.kill()


def serve(questions: IO[bytes], answers: IO[bytes]) -> None:
    """Answer questions until none is left."""
    while True:
        try:
            path, source_type, now = pickle.load(questions)  # noqa: S301 - from our own process
        except EOFError:
            return
        try:
            found = read(path, source_type, now)
        except OSError:
            found = None
        pickle.dump(found, answers)
        answers.flush()


def main() -> None:
    """Run the process."""
    os.nice(_NICENESS)
    serve(sys.stdin.buffer, sys.stdout.buffer)
