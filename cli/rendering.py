"""`nss render`: records of files or stdin to lines on stdout."""

import gzip
import os
import re
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import typer

from cli.gaps import Gaps
from formats import (
    MAX_RECORD_BYTES,
    FeedSettings,
    FormatsError,
    Input,
    Pipeline,
    presets,
    recognise,
    zone,
)
from nss.config.files import UnfitFile, load_format, load_input
from nss.config.kinds import InvalidValue
from nss.config.values import FormatChoice, further_escapes
from nss.errors import DataError, InputMissing, SinkError, UsageError
from nss.sources.framing.json import DECIDE_BYTES, JsonFramer, spans_lines
from nss.sources.framing.lines import BOM
from nss.wording import error_text, nearest

_BLOCK_BYTES = 1 << 20
_GZIP_MAGIC = b"\x1f\x8b"
_PROGRESS_FROM_BYTES = 64 << 20
_SPEC = re.compile(r"%[0-9a-z]*\{")


@dataclass(frozen=True, slots=True)
class Conversion:
    """What `nss render` was asked for."""

    to: str
    from_: str
    zone: str
    source_zone: str
    escape: str
    max_bytes: int


class Piece(NamedTuple):
    """Records of a file, one a line, and the number of the first: that of its line, if it has one.

    Values that span lines have no line of their own; they are counted.
    """

    data: bytes
    first: int
    by_line: bool = True

    def place(self, name: str, offset: int) -> str:
        """Return where in the file `name` the record is that begins at an offset of the data."""
        number = self.first + self.data.count(b"\n", 0, offset)
        return f"{name}:{number}" if self.by_line else f"{name}: record {number}"


def render_files(files: list[Path], conversion: Conversion) -> int:
    """Render files (`-` or none: stdin) to stdout; returns the exit code.

    Raises `nss.errors.NssError` when a format, a zone or a file can't be used.
    """
    settings, known = _loaded(conversion)
    paths = files or [Path("-")]
    gaps = Gaps(settings.format)
    bad = sum(_render_file(path, known, settings, conversion.max_bytes, gaps) for path in paths)
    for line in gaps.lines():
        typer.echo(line, err=True)
    return DataError.exit_code if bad else 0


def chosen(name: str) -> FormatChoice:
    """Return what a person names: a preset, a feed output format string, or a file.

    Raises `NssError` when it is none of them.
    """
    if name in presets.names():
        return FormatChoice("preset", name)
    if _SPEC.search(name):
        return FormatChoice("string", name)
    if not Path(name).is_file():
        near = nearest(name, presets.names())
        tip = f"{near}, or another" if near else "one"
        known = ", ".join(presets.names())
        raise UsageError(f"format {name!r}: neither a preset nor a file", tip=f"{tip} of {known}")
    if not os.access(name, os.R_OK):
        raise InputMissing(f"format: permission denied ({name})")
    return FormatChoice("file", name)


def _loaded(conversion: Conversion) -> tuple[FeedSettings, Input | None]:
    """Return what renders, and how records are read; `None`: that is to be recognised."""
    words = {"auto": FormatChoice("auto"), "json": FormatChoice("json")}
    try:
        feed_format = load_format(chosen(conversion.to))
        if feed_format is None:
            raise UsageError(f"format {conversion.to!r} is none to render")
        settings = FeedSettings(
            format=feed_format,
            zone=zone(conversion.zone),
            source_zone=zone(conversion.source_zone),
            escape_characters=further_escapes().read(conversion.escape),
        )
        return settings, load_input(words.get(conversion.from_) or chosen(conversion.from_))
    except UnfitFile as unfit:
        raise UsageError(f"format: {unfit.reason} ({unfit.path})") from None
    except InvalidValue as error:
        raise UsageError(f"--escape: {error.problems[0].reason}") from None
    except FormatsError as error:
        raise UsageError(str(error)) from None


def _render_file(
    path: Path, known: Input | None, settings: FeedSettings, max_bytes: int, gaps: Gaps
) -> int:
    """Render one file; returns how many of its records were bad."""
    name = "stdin" if path == Path("-") else str(path)
    converter: Pipeline | None = None
    bad = 0
    for piece in read_pieces(path, name):
        if converter is None:
            if known is None and piece.data.isspace():
                continue
            found = known or _recognised(piece.data)
            if found is None:
                bad += len(piece.data.splitlines())
                typer.echo(f"nss: render: the records are in no known format ({name})", err=True)
                typer.echo("Try: name their format with --from", err=True)
                continue
            converter = Pipeline(found, settings)
            gaps.begin(name, found)
        bad += _render_piece(piece, converter, name, max_bytes, gaps)
    return bad


def read_pieces(path: Path, name: str) -> Iterator[Piece]:
    """Yield the records of a file. Raises `InputMissing` for what stands in the way of reading."""
    progress = _ProgressLine(path)
    try:
        with _opened(path) as (raw, stream):
            for piece in _pieces(stream):
                yield piece
                progress.show(raw)
    except (OSError, EOFError, zlib.error) as error:
        reason = error_text(error) if isinstance(error, OSError) else str(error)
        raise InputMissing(f"render: {reason} ({name})") from None
    finally:
        progress.end()


def _recognised(data: bytes) -> Input | None:
    try:
        return recognise(data[: data.find(b"\n", DECIDE_BYTES) + 1 or None])
    except FormatsError:
        return None


def _render_piece(piece: Piece, converter: Pipeline, name: str, max_bytes: int, gaps: Gaps) -> int:
    rendered = converter.run(piece.data)
    gaps.look(piece.data, rendered)
    lines, refused = rendered.lines, 0
    if max_bytes:
        lines = []
        for line, record in zip(rendered.lines, rendered.records, strict=True):
            fitted = line if len(line) <= max_bytes else converter.renderer.fit(record, max_bytes)
            if fitted is None:
                refused += 1
                typer.echo(f"{name}: a line can't be shortened to {max_bytes} bytes", err=True)
            else:
                lines.append(fitted)
    if lines:
        _write(b"\n".join(lines) + b"\n")
    for bad in sorted(rendered.bad, key=lambda bad: bad.offset):
        typer.echo(f"{piece.place(name, bad.offset)}: {bad.reason}", err=True)
    return len(rendered.bad) + refused


def _write(data: bytes) -> None:
    """Write to stdout, all of it. Raises `SinkError`, but `BrokenPipeError` as it is."""
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # for what Python flushes at its exit
        raise SinkError(f"render: can't write: {error_text(error)} (standard output)") from None


@contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Open a file for reading; yields it as it is and, the same or not, as it is unpacked."""
    with os.fdopen(os.dup(0), "rb") if path == Path("-") else path.open("rb") as raw:
        if raw.peek(len(_GZIP_MAGIC)).startswith(_GZIP_MAGIC):
            with gzip.open(raw) as unpacked:
                yield raw, cast("BinaryIO", unpacked)
        else:
            yield raw, raw


def _pieces(stream: BinaryIO) -> Iterator[Piece]:
    start = stream.read(DECIDE_BYTES)
    if spans_lines(start, ended=len(start) < DECIDE_BYTES):
        yield from _values(start, stream)
    else:
        yield from _lines(start, stream)


def _values(start: bytes, stream: BinaryIO) -> Iterator[Piece]:
    """Yield JSON values that span lines, one a line; they are numbered, not their lines."""
    framer = JsonFramer(MAX_RECORD_BYTES)
    first, block = 1, start
    while block:
        if data := framer.feed(block):
            yield Piece(data, first, by_line=False)
            first += framer.records
        block = stream.read(_BLOCK_BYTES)
    if data := framer.flush():
        yield Piece(data, first, by_line=False)


def _lines(start: bytes, stream: BinaryIO) -> Iterator[Piece]:
    """Yield whole lines, ended by LF alone. One too long is cut to a byte more than is allowed."""
    first, half, block = 1, b"", start.removeprefix(BOM)
    while block:
        end = block.rfind(b"\n") + 1
        if end:
            data = half + block[:end]
            yield Piece(data.replace(b"\r\n", b"\n"), first)
            first += data.count(b"\n")
            half = block[end:]
        else:
            half = (half + block)[: MAX_RECORD_BYTES + 1]
        block = stream.read(_BLOCK_BYTES)
    if half:
        yield Piece(half.removesuffix(b"\r") + b"\n", first)


class _ProgressLine:
    """Share of a large file read, on a terminal's last line; nothing anywhere else."""

    def __init__(self, path: Path) -> None:
        size = path.stat().st_size if path.is_file() else 0
        on = sys.stderr.isatty() and not sys.stdout.isatty() and size >= _PROGRESS_FROM_BYTES
        self._size = size if on else 0
        self._name = path.name
        self._percent = -1

    def show(self, stream: BinaryIO) -> None:
        percent = min(100, stream.tell() * 100 // self._size) if self._size else -1
        if percent > self._percent:
            self._percent = percent
            sys.stderr.write(f"\r{self._name!a} {percent:3d} %")
            sys.stderr.flush()

    def end(self) -> None:
        if self._percent >= 0:
            sys.stderr.write("\n")
