"""`nss render`: records of files or stdin to lines on stdout."""

import gzip
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

import typer

from formats import language, pipeline, presets
from formats.errors import FormatsError
from formats.language import FeedFormat
from formats.pipeline import FeedSettings, Pipeline
from formats.read import MAX_RECORD_BYTES, Input
from formats.read_json import json_names
from formats.times import zone
from nss.errors import DataError, InputMissing, UsageError
from nss.json_framing import DECIDE_BYTES, JsonFramer, spans_lines

_BLOCK_BYTES = 1 << 20
_GZIP_MAGIC = b"\x1f\x8b"
_PROGRESS_FROM_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Conversion:
    """What `nss render` was asked for."""

    to: str
    from_: str
    zone: str
    source_zone: str
    escape: str
    max_bytes: int


class _Piece(NamedTuple):
    """Whole lines of a file, and the number of the first. `read_bytes` of the file so far."""

    data: bytes
    first_line: int
    read_bytes: int


def render_files(files: list[Path], conversion: Conversion) -> int:
    """Render files (`-` or none: stdin) to stdout; returns the exit code.

    Raises `nss.errors.NssError` when a format, a zone or a file can't be used.
    """
    try:
        settings = FeedSettings(
            format=_output_format(conversion.to),
            zone=zone(conversion.zone),
            source_zone=zone(conversion.source_zone),
            escape_characters=conversion.escape,
        )
        known = _input(conversion.from_)
    except FormatsError as error:
        raise UsageError(str(error)) from None
    bad = 0
    for path in files or [Path("-")]:
        bad += _render_file(path, known, settings, conversion.max_bytes)
    sys.stdout.buffer.flush()
    return DataError.exit_code if bad else 0


def _output_format(name: str) -> FeedFormat:
    if name in presets.names():
        return presets.load(name)
    path = Path(name)
    if not path.is_file():
        known = ", ".join(presets.names())
        raise UsageError(f"format {name!r}: neither a preset nor a file", tip=f"one of {known}")
    return language.parse(path.read_text(encoding="utf-8"), name=path.stem)


def _input(name: str) -> Input | None:
    if name == "auto":
        return None
    return json_names() if name == "json" else pipeline.input_of(_output_format(name))


def _render_file(path: Path, known: Input | None, settings: FeedSettings, max_bytes: int) -> int:
    """Render one file; returns how many of its records were bad."""
    name = "stdin" if path == Path("-") else str(path)
    converter = Pipeline(known, settings) if known is not None else None
    bad = 0
    progress = _Progress(path)
    try:
        with _opened(path) as stream:
            for piece in _pieces(stream):
                if converter is None:
                    converter = Pipeline(_recognised(piece.data, name), settings)
                bad += _render_piece(piece, converter, name, max_bytes)
                progress.show(piece.read_bytes)
    except (OSError, EOFError) as error:
        if isinstance(error, BrokenPipeError):
            raise
        reason = getattr(error, "strerror", None) or str(error)
        raise InputMissing(f"render: {reason} ({name})") from None
    finally:
        progress.end()
    return bad


def _recognised(data: bytes, name: str) -> Input:
    try:
        return pipeline.recognise(data[: data.find(b"\n", DECIDE_BYTES) + 1 or None])
    except FormatsError as error:
        raise DataError(f"render: {error} ({name})", tip="name their format with --from") from None


def _render_piece(piece: _Piece, converter: Pipeline, name: str, max_bytes: int) -> int:
    rendered = converter.run(piece.data)
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
        sys.stdout.buffer.write(b"\n".join(lines) + b"\n")
    for one in sorted(rendered.bad, key=lambda bad: bad.offset):
        number = piece.first_line + piece.data.count(b"\n", 0, one.offset)
        typer.echo(f"{name}:{number}: {one.reason}", err=True)
    return len(rendered.bad) + refused


def _opened(path: Path) -> BinaryIO:
    """Open a file for reading, through gzip if it is that."""
    if path == Path("-"):
        return os.fdopen(os.dup(0), "rb")
    stream = path.open("rb")
    magic = stream.read(2)
    stream.seek(0)
    if magic == _GZIP_MAGIC:
        stream.close()
        return gzip.open(path, "rb")  # type: ignore[return-value] # it reads like one
    return stream


def _pieces(stream: BinaryIO) -> Iterator[_Piece]:
    start = stream.read(DECIDE_BYTES)
    if spans_lines(start, ended=len(start) < DECIDE_BYTES):
        yield from _values(start, stream)
    else:
        yield from _lines(start, stream)


def _values(start: bytes, stream: BinaryIO) -> Iterator[_Piece]:
    """Yield JSON values that span lines, one a line; they are numbered, not their lines."""
    framer = JsonFramer(MAX_RECORD_BYTES)
    first, read_bytes, block = 1, 0, start
    while block:
        read_bytes += len(block)
        data = framer.feed(block)
        if data:
            yield _Piece(data, first, read_bytes)
            first += framer.records
        block = stream.read(_BLOCK_BYTES)
    data = framer.flush()
    if data:
        yield _Piece(data, first, read_bytes)


def _lines(start: bytes, stream: BinaryIO) -> Iterator[_Piece]:
    """Yield whole lines as they are. One too long is cut to a byte more than is allowed."""
    first, read_bytes = 1, len(start)
    block = start.removeprefix(b"\xef\xbb\xbf")
    half = b""
    while block:
        end = block.rfind(b"\n") + 1
        if end:
            data = half + block[:end]
            yield _Piece(data, first, read_bytes)
            first += data.count(b"\n")
            half = block[end:]
        else:
            half = (half + block)[: MAX_RECORD_BYTES + 1]
        block = stream.read(_BLOCK_BYTES)
        read_bytes += len(block)
    if half:
        yield _Piece(half + b"\n", first, read_bytes)


class _Progress:
    """Share of a large file read, on a terminal's last line; nothing anywhere else."""

    def __init__(self, path: Path) -> None:
        size = path.stat().st_size if path.is_file() else 0
        on = sys.stderr.isatty() and not sys.stdout.isatty() and size >= _PROGRESS_FROM_BYTES
        self._size = size if on else 0
        self._name = path.name
        self._percent = -1

    def show(self, read_bytes: int) -> None:
        percent = min(100, read_bytes * 100 // self._size) if self._size else -1
        if percent > self._percent:
            self._percent = percent
            sys.stderr.write(f"\r{self._name!a} {percent:3d} %")
            sys.stderr.flush()

    def end(self) -> None:
        if self._percent >= 0:
            sys.stderr.write("\n")
