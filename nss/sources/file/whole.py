"""Reads a file once from start to end, unpacked when its first bytes say gzip."""

from nss.batch import BATCH_MAX_BYTES, Batch
from nss.config.sources import FileSourceConfig
from nss.errors import SourceError
from nss.files.gunzip import DamagedGzip, Gunzip
from nss.sources import events
from nss.sources.file.logfile import Fingerprint, LogFile, Position, kept_position
from nss.sources.file.unreadable import why_unreadable
from nss.sources.framing.json import AutoFramer


class WholeFile:
    """The records of a file as it is now, about 1 MiB at a time.

    With the position of a batch accepted before, reading continues there if the file is still the
    same, grown or not.
    """

    def __init__(self, settings: FileSourceConfig, position: str | None = None) -> None:
        self._name = settings.name
        self._path = settings.path
        self._max_record_bytes = settings.max_record_bytes
        self._position = kept_position(settings.name, settings.path, position)
        self._file: LogFile | None = None
        self._framer = AutoFramer(settings.max_record_bytes)
        self._unpacked: _Unpacked | None = None
        self._ended = False

    def read(self) -> Batch | None:
        """Return the next batch, `None` after the last. Raises `SourceError`.

        What could be read before an error is returned first.
        """
        try:
            file = self._file or self._open()
            while not self._ended:
                batch = self._step(file)
                if batch is not None:
                    return batch
        except (OSError, DamagedGzip) as error:
            reason = f"can't read: {error} ({self._path})"
            if isinstance(error, OSError):
                reason = why_unreadable(error, self._path)
            raise SourceError(f"file source: {reason}", tip=_tip(error)) from error
        return None

    def close(self) -> None:
        """Close the file."""
        if self._unpacked is not None:
            self._unpacked.close()
        if self._file is not None:
            self._file.close()
            self._file = None

    def _step(self, file: LogFile) -> Batch | None:
        block = self._unpacked.read() if self._unpacked else file.read(BATCH_MAX_BYTES)
        self._ended = not block
        framer = self._framer
        data = framer.feed(block) if block else framer.flush()
        if not data:
            return None
        return Batch(self._name, data, framer.records, self._position_now(file).text(self._path))

    def _position_now(self, file: LogFile) -> Position:
        framer = self._framer
        if self._unpacked is None:
            return file.position(framer.held_bytes, spans_lines=framer.spans_lines)
        offset = self._unpacked.offset - framer.held_bytes
        return Position(
            file.id, offset, Fingerprint.of(b""), file.mtime_ns, framer.spans_lines, gzip=True
        )

    def _open(self) -> LogFile:
        file = self._file = LogFile(self._path)
        offset, position = 0, self._position
        if position is not None and not _is_here(file, position):
            events.position_lost(self._name, str(self._path))
        elif position is not None and position.offset:
            offset = position.offset
            self._framer = AutoFramer(
                self._max_record_bytes, spans_lines=position.spans_lines, at_start=False
            )
        if file.compressed:
            self._unpacked = _Unpacked(file, offset)
        events.file_opened(self._name, str(self._path), offset)
        return file


def _is_here(file: LogFile, position: Position) -> bool:
    """Return whether a position is in this file; in a plain file, go to it."""
    if not file.has(position.file) or position.gzip != file.compressed:
        return False
    return position.gzip or file.resume(position)


class _Unpacked:
    """The bytes of a gzip file, all members of it, from `offset` on."""

    def __init__(self, file: LogFile, offset: int) -> None:
        self._packed = file.stream()
        self._stream = Gunzip(self._packed)
        self._skip_bytes = offset
        self.offset = offset
        """Unpacked bytes up to the end of the last `read`."""

    def read(self) -> bytes:
        """Return about 1 MiB; none at the end. Bytes before an error come before it is raised."""
        while self._skip_bytes:
            skipped = self._stream.read(min(self._skip_bytes, BATCH_MAX_BYTES))
            if not skipped:
                return b""
            self._skip_bytes -= len(skipped)
        block = self._stream.read(BATCH_MAX_BYTES)
        self.offset += len(block)
        return block

    def close(self) -> None:
        """Close the file."""
        self._packed.close()


def _tip(error: Exception) -> str:
    match error:
        case FileNotFoundError():
            return "check the path, or set follow = true to wait for the file"
        case PermissionError():
            return "let the user that nss runs as read the file and enter its folders"
        case DamagedGzip():
            return "the file is damaged or not complete yet: copy it again"
        case _:
            return "check the disk, then read the file again"
