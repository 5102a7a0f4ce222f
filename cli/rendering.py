"""`nss render`: records of files or stdin to lines on stdout."""

import os
import re
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from cli.catalogue import unknown_preset
from cli.gaps import Gaps
from cli.output import error_lines, unwritable
from cli.records import Piece, pieces_of
from formats import FeedSettings, FormatsError, Input, Pipeline, presets, recognise, zone
from formats.lines import UNLIMITED
from formats.reading import split_lines
from formats.reading.recognise import UNKNOWN
from formats.structure.guards import PROTECTIONS
from nss.config.files import UnfitFile, load_format, load_input
from nss.config.kinds import InvalidValue
from nss.config.values import FormatChoice, format_faults, further_escapes
from nss.errors import DataError, InputMissing, UsageError

_HOLD_BYTES = 16 << 20
"""How much of a file waits for its form to be recognised further on."""

_SPEC = re.compile(r"%[0-9a-z]*\{")


@dataclass(frozen=True, slots=True)
class Conversion:
    """What `nss render` was asked for."""

    to: str
    from_: str
    zone: str
    source_zone: str
    escape: str
    protect_for: str
    max_bytes: int


def render_files(files: list[Path], conversion: Conversion) -> int:
    """Render files (`-` or none: stdin) to stdout; returns the exit code.

    A file that can't be read, or not to its end, is reported, and the next one follows. Raises
    `nss.errors.NssError` when a format or a zone can't be used.
    """
    settings, known = _loaded(conversion)
    gaps = Gaps(settings.format)
    bad, missing = 0, False
    for path in files or [Path("-")]:
        try:
            bad += _render_file(path, known, settings, conversion.max_bytes, gaps)
        except InputMissing as error:
            typer.echo(f"nss: {error_lines(error)}", err=True)
            missing = True
    for line in gaps.lines():
        typer.echo(line, err=True)
    if missing:
        return InputMissing.exit_code
    return DataError.exit_code if bad else 0


def chosen(name: str, beside: Sequence[str] = ()) -> FormatChoice:
    """Return what a person names: a preset, a feed output format string, or a file.

    `beside` are further words that would do. Raises `NssError` when it is none of them.
    """
    if name in presets.names():
        return FormatChoice("preset", name)
    is_string = _SPEC.search(name) is not None
    if not is_string and Path(name).is_file():
        if not os.access(name, os.R_OK):
            raise InputMissing(f"format: permission denied ({name})")
        return FormatChoice("file", name)
    preset = presets.find(name)
    if preset is not None:
        return FormatChoice("preset", preset)
    if not is_string and not set(name) & set("%{}"):
        raise unknown_preset(f"format {name!r}: neither a preset nor a file", name, beside)
    faults = format_faults(name, for_source=False)
    if faults:
        raise UsageError("\n".join(f"feed format: {fault.text}" for fault in faults))
    return FormatChoice("string", name)


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
            protect_for=_protections(conversion.protect_for),
        )
        return settings, load_input(
            words.get(conversion.from_) or chosen(conversion.from_, tuple(words))
        )
    except UnfitFile as unfit:
        raise UsageError(f"format: {unfit.reason} ({unfit.path})") from None
    except InvalidValue as error:
        raise UsageError(f"--escape: {error.problems[0].reason}") from None
    except FormatsError as error:
        raise UsageError(str(error)) from None


def _protections(names: str) -> frozenset[str]:
    """Return what a list with commas or blanks names. Raises `UsageError` for what is not known."""
    found = names.replace(",", " ").split()
    for name in found:
        if name not in PROTECTIONS:
            raise UsageError(
                f"--protect-for: {name[:40]!r} is not known", tip=f"any of {', '.join(PROTECTIONS)}"
            )
    return frozenset(found)


def _render_file(
    path: Path, known: Input | None, settings: FeedSettings, max_bytes: int, gaps: Gaps
) -> int:
    """Render one file; returns how many of its records were bad. Raises `InputMissing`."""
    name = "stdin" if path == Path("-") else str(path)
    rendering = _Rendering(name, known, settings, max_bytes, gaps)
    try:
        for piece in pieces_of(path, name, "render"):
            rendering.take(piece)
    except InputMissing:
        rendering.give_up()
        raise
    rendering.give_up()
    return rendering.bad


class _Rendering:
    """Renders the pieces of one file; those before its form was recognised wait for that."""

    def __init__(
        self,
        name: str,
        known: Input | None,
        settings: FeedSettings,
        max_bytes: int,
        gaps: Gaps,
    ) -> None:
        self.bad = 0
        self._name = name
        self._settings = settings
        self._max_bytes = max_bytes
        self._gaps = gaps
        self._converter = None if known is None else self._made(known)
        self._held: deque[Piece] = deque()
        self._held_bytes = 0
        self._reported = False

    def _made(self, source: Input) -> Pipeline:
        self._gaps.begin(self._name, source)
        return Pipeline(source, self._settings)

    def take(self, piece: Piece) -> None:
        """Render a piece, and those that waited for it; or let it wait."""
        self._held.append(piece)
        self._held_bytes += len(piece.data)
        if self._converter is None:
            try:
                self._converter = self._made(recognise(piece.data))
            except FormatsError:
                self.give_up(_HOLD_BYTES)
                return
        while self._held:
            held = self._held.popleft()
            self.bad += _render_piece(
                held, self._converter, self._name, self._max_bytes, self._gaps
            )
        self._held_bytes = 0

    def give_up(self, most_bytes: int = 0) -> None:
        """Count the oldest of what waits as bad, until at most `most_bytes` are left."""
        while self._held and self._held_bytes > most_bytes:
            piece = self._held.popleft()
            self._held_bytes -= len(piece.data)
            unknown = len(split_lines(piece.data))
            self.bad += unknown
            if unknown and not self._reported:
                self._reported = True
                typer.echo(f"nss: render: {UNKNOWN} ({self._name})", err=True)
                typer.echo("Try: name their format with --from", err=True)


def _render_piece(piece: Piece, converter: Pipeline, name: str, max_bytes: int, gaps: Gaps) -> int:
    max_bytes = max_bytes or UNLIMITED
    rendered = converter.run(piece.data, max_bytes)
    gaps.look(piece.data, rendered)
    lines, too_long = rendered.lines, rendered.lines.longer(max_bytes)
    if too_long:
        lines = lines.patched(dict.fromkeys(too_long))
    for _ in too_long:
        typer.echo(f"{name}: a line can't be shortened to {max_bytes} bytes", err=True)
    if lines:
        _write(lines.data)
    for bad in sorted(rendered.bad, key=lambda bad: bad.offset):
        typer.echo(f"{piece.place(name, bad.offset)}: {bad.reason}", err=True)
    return len(rendered.bad) + len(too_long)


def _write(data: memoryview) -> None:
    """Write to stdout, all of it. Raises `SinkError`, but `BrokenPipeError` as it is."""
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise unwritable(error, "render") from None
