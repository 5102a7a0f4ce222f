"""`nss explain`: how a sample of records is understood, and what a feed makes of it."""

from dataclasses import dataclass
from pathlib import Path
from shlex import quote

import typer

from cli.output import error_lines, show_json
from cli.rendering import chosen
from cli.support.explanation_report import Report
from cli.support.samples import read_sample
from formats import FeedSettings, FormatsError, Input
from formats.explanation import explanation
from nss.config import load as configuration
from nss.config.files import UnfitFile, load_format, load_input
from nss.config.values import AS_IT_CAME, AUTO, FormatChoice
from nss.errors import DataError, InputMissing, UsageError
from nss.wording import nearest

NOT_GOOD = 1
"""Exit code: records are read, but no address, user or URL, of what the feed prints."""


@dataclass(frozen=True, slots=True)
class Question:
    """What `nss explain` was asked for; `feed` is one of the configuration at `config`."""

    from_: str | None
    to: str
    feed: str | None
    config: Path


def explain(file: Path, question: Question, *, as_json: bool) -> int:
    """Explain the beginning of a file (`-`: stdin); returns the exit code.

    Raises `nss.errors.NssError` when a format, the configuration or the file can't be used.
    """
    settings, known = _loaded(question)
    sample = read_sample(file, "explain")
    if not sample.data.strip():
        raise DataError(f"explain: no records ({sample.name})")
    found = explanation(sample.data, settings, known)
    to = quote(question.to) if question.feed is None else None
    report = Report(found, sample, question.feed or settings.format.name, known is None, to)
    if as_json:
        show_json(report.plain())
    else:
        typer.echo("\n".join(report.lines()))
    if sample.damage is not None:
        typer.echo(f"nss: {error_lines(sample.damage)}", err=True)
        return InputMissing.exit_code
    if found.bad or not found.records:
        return DataError.exit_code
    return 0 if found.good else NOT_GOOD


def _loaded(question: Question) -> tuple[FeedSettings, Input | None]:
    """Return what the feed makes of records, and how they are read; `None`: to be recognised."""
    try:
        settings, choice = _asked_for(question)
        return settings, load_input(choice)
    except UnfitFile as unfit:
        raise UsageError(f"format: {unfit.reason} ({unfit.path})") from None
    except FormatsError as error:
        raise UsageError(str(error)) from None


def _asked_for(question: Question) -> tuple[FeedSettings, FormatChoice]:
    words = {"auto": AUTO, "json": FormatChoice("json")}
    choice = words.get(question.from_ or "auto") or chosen(question.from_ or "", tuple(words))
    if question.feed is None:
        feed_format = load_format(chosen(question.to))
        if feed_format is None:
            raise UsageError(f"format {question.to!r} is none to render")
        return FeedSettings(feed_format), choice
    config = configuration.load(question.config)
    feed = next((feed for feed in config.feeds if feed.name == question.feed), None)
    if feed is None:
        near = nearest(question.feed, [feed.name for feed in config.feeds])
        tip = near or f"one of {', '.join(feed.name for feed in config.feeds)}"
        raise UsageError(f"feed {question.feed!r} is not in {question.config}", tip=tip)
    feed_format = load_format(feed.format)
    if feed.format == AS_IT_CAME:
        raise UsageError(
            f"feed {feed.name} takes each record as it came: nothing of it is rendered",
            tip="--to FORMAT shows how its records are read, and what another format would print",
        )
    if feed_format is None:
        raise UsageError(f"feed {feed.name}: {feed.format.value} is no format to render")
    inputs = {source.format for source in config.sources if source.name in feed.sources}
    if question.from_ is None and len(inputs) == 1:
        choice = inputs.pop()
    return FeedSettings(feed_format, feed.filter), choice
