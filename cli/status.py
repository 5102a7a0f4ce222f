"""`nss status`: what the service knows of itself, for people, for pipes and as JSON."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.console import Console
from rich.text import Text

from cli.asking import status_of
from cli.output import show_json
from cli.screen.cells import GAP, columns_of, padded, widths_of
from cli.screen.report import report_of
from nss.status.summary import Status
from nss.wording import harmless


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table before it is drawn; `numbers` are the columns that are aligned at the right."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[str]


def show_status(config: Path, *, as_json: bool) -> int:
    """Print the status; the exit code is 0 when healthy, 1 when degraded."""
    status = status_of(config)
    if as_json:
        show_json(status)
        return 0 if status.health.ok else 1
    console = Console(highlight=False)
    width = columns_of(sys.stdout.fileno() if console.is_terminal else None)
    if console.is_terminal:
        console.print(picture(status, width), soft_wrap=True)
    else:
        typer.echo(plain(status, width))
    return 0 if status.health.ok else 1


def picture(status: Status, width: int) -> Text:
    """Return a status drawn for a terminal, in lines of at most `width` cells."""
    return Text("\n").join(report_of(status, width).lines())


def plain(status: Status, width: int) -> str:
    """Return the same without colours."""
    return picture(status, width).plain


def aligned(sheet: Sheet) -> Iterator[str]:
    """Yield the lines of a table without a frame."""
    rows = (sheet.columns, *(tuple(map(harmless, row)) for row in sheet.rows))
    widths = widths_of(rows)
    right = [name in sheet.numbers for name in sheet.columns]
    for row in rows:
        cells = (
            padded(cell, width, right=number)
            for cell, width, number in zip(row, widths, right, strict=True)
        )
        yield GAP.join(cells).rstrip()
