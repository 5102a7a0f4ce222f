"""`nss check`: everything that is wrong with a configuration, at once."""

from pathlib import Path

import typer

from nss.config import load as configuration
from nss.config.machine import check_environment


def check(path: Path) -> None:
    """Check a configuration file and this machine against it.

    Raises `nss.errors.NssError` with all problems.
    """
    config = configuration.load(path)
    problems = check_environment(config)
    if problems:
        raise configuration.ConfigProblems(problems, str(path))
    sources = ", ".join(source.name for source in config.sources)
    feeds = ", ".join(feed.name for feed in config.feeds)
    typer.echo(f"{path} is good: sources {sources}; feeds {feeds}.")
