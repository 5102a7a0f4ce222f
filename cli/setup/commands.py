"""The command lines of this package; what they do is imported inside."""

import typer


def register(_app: typer.Typer) -> None:
    """Add the commands to the command line."""
