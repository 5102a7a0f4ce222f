"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from cli.completing import feed_names

ConfigOption = Annotated[
    Path, typer.Option("--config", "-c", metavar="FILE", help="The configuration file.")
]

FeedOption = Annotated[
    str | None,
    typer.Option(
        "--feed",
        metavar="NAME",
        help="This feed alone.",
        show_default="all feeds",
        autocompletion=feed_names,
    ),
]

NoInputOption = Annotated[bool, typer.Option("--no-input", help="Ask nothing, even at a terminal.")]

JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object.")]
