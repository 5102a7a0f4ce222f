"""A draft tried out: everything checked, rendered, compared and written down as TOML."""

from collections.abc import Callable, Iterator
from datetime import UTC, tzinfo

from formats import FeedFormat, FeedSettings, NotReadable, filters, presets, zone
from formats.comparison import comparison, nearest
from formats.errors import FilterError, Problem, ZoneError
from formats.filters import Filter
from formats.lacking import placeholder
from formats.language import Literal, faults, parse
from formats.leef import HEADER
from formats.reading.unmapped import unmapped_texts
from formats.slips import suspicions
from nss.config import discovery
from nss.config.files import UnfitFile, load_input
from nss.config.kinds import InvalidValue
from nss.config.load import ConfigProblems, tables_of
from nss.config.secrecy import shown_value
from nss.config.toml import literal_text, printable, toml_text, written_key
from nss.config.values import further_escapes
from nss.setup.studio import (
    MAX_FILTER_BYTES,
    MAX_FORMAT_BYTES,
    MAX_SAMPLES_BYTES,
    Compared,
    Draft,
    Rendering,
    Trial,
)
from nss.setup.studio.rendering import rendering
from nss.setup.studio.samples import records_of

_MANY = 12
"""Names in a sentence; more are counted."""


def try_out(draft: Draft, source_type: str) -> Trial:
    """Return all there is to see of a draft; `source_type` is that of uploads to Cloud Discovery.

    Never raises for anything in the draft.
    """
    problems = _too_large(draft)
    if problems or not draft.format_string.strip():
        return Trial(problems=problems)
    errors = faults(draft.format_string)
    settings_of = _settings(draft, problems)
    if errors:
        return Trial(errors, problems)
    feed_format = parse(draft.format_string)
    if not feed_format.slots:
        return Trial(problems=problems | {"format_string": "prints no field"})
    rendered = None if problems else _rendered(draft, settings_of(feed_format), problems)
    verdict, is_warning = _discovery(feed_format, source_type)
    warnings = [verdict] if is_warning else []
    warnings += [*_of_format(feed_format), *(_of_samples(rendered) if rendered else ())]
    return Trial(
        problems=problems,
        format=feed_format,
        rendering=rendered,
        warnings=tuple(warnings),
        discovery="" if is_warning else verdict,
        compared=_compared(draft, feed_format),
        toml="" if problems.keys() & _WRITTEN else toml_of(draft),
    )


_WRITTEN = {"zone", "escape_characters", "filter"}
"""What stands in the TOML beside the format string."""


def toml_of(draft: Draft) -> str:
    """Return the keys of a feed's table that say what a draft says.

    The filter, if there is one, must be right.
    """
    rows = [f"format_string = {literal_text(draft.format_string)}"]
    if draft.zone != "GMT":
        rows.append(f"zone = {toml_text(draft.zone)}")
    if draft.escape_characters:
        rows.append(f"escape_characters = {toml_text(draft.escape_characters)}")
    if not draft.protect_separators:
        rows.append("protect_separators = false")
    if draft.protect_for:
        rows.append(f"protect_for = {toml_text(list(draft.protect_for))}")
    if table := tables_of(draft.filter):
        pairs = (f"{written_key(key)} = {toml_text(value)}" for key, value in table.items())
        rows.append(f"filter = {{ {', '.join(pairs)} }}")
    return "\n".join([*rows, ""])


def _too_large(draft: Draft) -> dict[str, str]:
    bounds = {
        "format_string": MAX_FORMAT_BYTES,
        "samples": MAX_SAMPLES_BYTES,
        "filter": MAX_FILTER_BYTES,
    }
    return {
        name: f"larger than {most:,} bytes"
        for name, most in bounds.items()
        if len(getattr(draft, name).encode("utf-8", "replace")) > most
    }


def _settings(draft: Draft, problems: dict[str, str]) -> Callable[[FeedFormat], FeedSettings]:
    """Return what makes settings of a format; what is wrong in the draft goes to `problems`."""
    printed = _zone("zone", draft.zone, problems)
    unstated = _zone("source_zone", draft.source_zone, problems)
    try:
        escapes = str(further_escapes().read(draft.escape_characters))
    except InvalidValue as error:
        escapes, problems["escape_characters"] = "", error.problems[0].reason
    kept = _filter(draft, problems)

    def settings(feed_format: FeedFormat) -> FeedSettings:
        return FeedSettings(
            feed_format,
            kept,
            zone=printed,
            source_zone=unstated,
            escape_characters=escapes,
            protect_separators=draft.protect_separators,
            protect_for=frozenset(draft.protect_for),
        )

    return settings


def _zone(name: str, text: str, problems: dict[str, str]) -> tzinfo:
    try:
        return zone(text)
    except ZoneError as error:
        problems[name] = str(error)
    return UTC


def _filter(draft: Draft, problems: dict[str, str]) -> Filter | None:
    try:
        return filters.parse(tables_of(draft.filter))
    except (ConfigProblems, FilterError) as error:
        problems["filter"] = "; ".join(map(_sentence, error.problems))
    return None


def _sentence(problem: Problem) -> str:
    shown = shown_value(problem)
    value = "" if shown is None else f" = {shown}"
    reason = problem.reason.partition("\n")[0]  # the line stands in the form
    return f"{problem.key}{value}: {printable(reason)}"


def _rendered(draft: Draft, settings: FeedSettings, problems: dict[str, str]) -> Rendering | None:
    records = records_of(draft.samples)
    if not records:
        return None
    try:
        known = load_input(draft.input)
    except UnfitFile as error:
        problems["input"] = str(error)
        return None
    except NotReadable as error:
        problems["input"] = f"it can't be read back: {error}"
        return None
    try:
        return rendering(settings, known, records, draft.look)
    except NotReadable as error:
        problems["samples"] = f"{error}; say in which they are"
        return None


def _discovery(feed_format: FeedFormat, source_type: str) -> tuple[str, bool]:
    """Return what Cloud Discovery would make of the lines, and whether that is a warning."""
    lack = discovery.shortcoming(feed_format, source_type)
    if lack is not None:
        text = "".join(part.text for part in feed_format.parts if isinstance(part, Literal))
        sentence = f"Cloud Discovery would not parse it as {source_type}: it {lack}."
        return sentence, HEADER.search(text) is not None
    if discovery.knows(source_type):
        return f"Nothing is known against it for Cloud Discovery, as {source_type}.", False
    return f"Nothing is known of how Cloud Discovery parses {source_type}.", False


def _of_format(feed_format: FeedFormat) -> Iterator[str]:
    texts = [part.text for part in feed_format.parts if isinstance(part, Literal)]
    if any("\n" in text for text in texts):
        yield "It prints a line feed inside of a record, which readers take for two records."
    yield from (f"It {doubt}." for doubt in suspicions(texts))


def _of_samples(rendered: Rendering) -> Iterator[str]:
    if rendered.unmapped:
        keys = [printable(text) for text in unmapped_texts(rendered.unmapped)]
        yield f"No field is known for {_listed(keys)}: not used."
    found = rendered.lacking
    everywhere = found.everywhere
    if everywhere:
        names = _listed([f"{name} ({placeholder(name)})" for name in everywhere])
        yield f"No sample has {names}: the placeholder is printed."
    some = [f"{name} ({count})" for name, count in found.counts.items() if name not in everywhere]
    if some:
        yield f"Of {found.records} samples, some lack {_listed(some)}."


def _listed(names: list[str]) -> str:
    more = len(names) - _MANY
    return ", ".join(names[:_MANY]) + (f" and {more} more" if more > 0 else "")


def _compared(draft: Draft, feed_format: FeedFormat) -> Compared:
    if draft.compare in presets.names():
        base = presets.load(draft.compare)
    else:
        base = nearest(feed_format, [presets.load(name) for name in presets.names()])
    return Compared(base.name, comparison(base, feed_format))
