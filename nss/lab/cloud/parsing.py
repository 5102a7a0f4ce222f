"""Parses finalized uploads one after the other, in the background of the servers."""

import queue
import threading
import time
from collections.abc import Callable

from nss.lab.cloud import reading
from nss.lab.cloud.reader_process import ReaderProcess
from nss.lab.cloud.uploads import Parsed, Upload
from nss.lab.discovery import Discovery

SMALL_BYTES = 1 << 20
"""Larger files are read by a separate process, so that the servers stay responsive."""

_GZIP_RATIO = 10


class Parser:
    """Accepts uploads with `submit` and adds up their lines, in the same order.

    `clock` is the servers' time. Files are deleted after that unless they are kept.
    """

    def __init__(self, clock: Callable[[], float], *, keeps_files: bool = True) -> None:
        self.discovery = Discovery()
        self.results: list[Parsed] = []
        """What was found in each upload, also as long as the service does not show it."""
        self.records = 0
        self.malformed = 0
        """Lines that are no records."""
        self.too_old = 0
        """Records older than 90 days, which don't count."""
        self._clock = clock
        self._keeps_files = keeps_files
        self._progress = threading.Condition()
        self._queue: queue.SimpleQueue[Upload | None] = queue.SimpleQueue()
        self._submitted = 0
        self._is_closing = threading.Event()
        self._process: ReaderProcess | None = None
        self._thread = threading.Thread(target=self._run, name="cloud-lab-parser", daemon=True)

    def start(self) -> None:
        """Begin to parse."""
        self._thread.start()

    def close(self) -> None:
        """Stop; what was not parsed by now stays unparsed."""
        self._is_closing.set()
        self._queue.put(None)
        if self._process is not None:
            self._process.stop()
        self._thread.join()
        if self._process is not None:
            self._process.close()

    def submit(self, upload: Upload) -> None:
        """Parse a file after those before it."""
        with self._progress:
            self._submitted += 1
        self._queue.put(upload)

    @property
    def lines(self) -> int:
        """The number of lines read, good or not."""
        return self.records + self.malformed + self.too_old

    def wait_parsed(self, lines: int, timeout_secs: float = 10.0) -> bool:
        """Wait until this many lines were read, good or not; return whether they were."""
        with self._progress:
            return self._progress.wait_for(lambda: self.lines >= lines, timeout_secs)

    def wait_idle(self, timeout_secs: float = 10.0) -> bool:
        """Wait until all uploads so far are parsed; return whether they were."""
        with self._progress:
            return self._progress.wait_for(
                lambda: len(self.results) == self._submitted, timeout_secs
            )

    def _run(self) -> None:
        while (upload := self._queue.get()) is not None and not self._is_closing.is_set():
            try:
                found = self._read(upload)
            except OSError:
                if self._is_closing.is_set():
                    return
                found = None
            with self._progress:
                self._add(upload, found or reading.Reading(failure=reading.UNSUPPORTED_FILE))
                self._progress.notify_all()
            if not self._keeps_files:
                upload.path.unlink(missing_ok=True)

    def _read(self, upload: Upload) -> reading.Reading | None:
        now = self._clock()
        if upload.size_bytes * (_GZIP_RATIO if upload.gzip else 1) <= SMALL_BYTES:
            return reading.read(upload.path, upload.source_type, now)
        if self._process is None:
            self._process = ReaderProcess()
        if self._is_closing.is_set():  # before `close` could see the process
            self._process.stop()
        return self._process.read(upload.path, upload.source_type, now)

    def _add(self, upload: Upload, found: reading.Reading) -> None:
        self.discovery.merge(found.discovery)
        self.records += found.records
        self.malformed += found.malformed
        self.too_old += found.too_old
        self.results.append(
            Parsed(
                upload,
                time.time(),
                found.records,
                found.malformed,
                found.too_old,
                found.failure,
                tuple(found.examples),
            )
        )
