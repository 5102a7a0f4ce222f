"""What is configured of a feed: its format as a string, its filter as it was written."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from formats import filters, presets
from formats.errors import FilterError
from nss.admin.portal.pages.feeds.shown import visible
from nss.config import load
from nss.config.files import format_of_file
from nss.config.model import Config, FeedConfig
from nss.config.values import FormatChoice
from nss.errors import NssError
from nss.setup.effective import toml

MAX_SHOWN_CHARACTERS = 16_384
"""Of a format string or a filter; a filter may name thousands of URLs."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text of the configuration, as it is shown: every character can be seen.

    `note` says what it may differ from; `left_out` counts characters.
    """

    name: str = ""
    text: str = ""
    note: str = ""
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class About:
    """What a feed does with records, as it is configured."""

    settings: FeedConfig
    format: Text
    filter: Text


def about(config: Config, feed: str, path: Path) -> About | None:
    """Return what is in force of a feed, with its texts from files as they are now.

    Reads the configuration file at `path`, and the format's if it is in one. `None`: the
    configuration has no such feed.
    """
    settings = next((each for each in config.feeds if each.name == feed), None)
    if settings is None:
        return None
    return About(settings, _format(settings.format), _filter(settings, path))


def _format(choice: FormatChoice) -> Text:
    match choice.kind:
        case "unchanged":
            return Text("each record as it came")
        case "preset":
            return _cut(choice.value, presets.text(choice.value))
        case "string":
            return _cut("own format string", choice.value)
        case "file":
            file = Path(choice.value)
            try:
                text = format_of_file(file, for_source=False)
            except NssError as error:
                note = visible(f"the file can't be shown: {error.args[0]}")
                return Text(visible(str(file)), note=note)
            return _cut(str(file), text, "as the file is now; read when the feed started")
    return Text("JSON with the names of NSS fields")


def _filter(settings: FeedConfig, path: Path) -> Text:
    """Return the filter as the file has it, if that is what is in force."""
    is_known, table = _written(settings.name, path)
    try:
        is_in_force = is_known and filters.parse(table) == settings.filter
    except FilterError:
        is_in_force = False
    if not is_in_force:
        note = "the file has changed since: see it again after a reload"
        what = "every record passes" if settings.filter.passes_all else "a filter is in force"
        return Text(what, note=note)
    if settings.filter.passes_all:
        return Text("every record passes")
    return _cut("", "\n".join(toml(table)).strip())


def _written(feed: str, path: Path) -> tuple[bool, Mapping[str, Any]]:
    """Return whether the file has the feed, and the table of its filter."""
    try:
        found = tomllib.loads(load.read_text(path))["feeds"][feed].get("filter", {})
    except (NssError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False, {}
    return isinstance(found, Mapping), found if isinstance(found, Mapping) else {}


def _cut(name: str, text: str, note: str = "") -> Text:
    left_out = max(0, len(text) - MAX_SHOWN_CHARACTERS)
    return Text(visible(name), visible(text[:MAX_SHOWN_CHARACTERS]), note, left_out)
