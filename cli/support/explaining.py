"""`nss explain`: how a sample of records is understood, and what a feed makes of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

import typer

from cli.output import error_lines, harmless, show_json
from cli.records import Piece, pieces_of
from cli.rendering import chosen
from formats import FeedSettings, FormatsError, Input
from formats.essentials import listed
from formats.explanation import Explanation, Place, explanation, unread
from formats.lacking import placeholder
from formats.reading.statements import label
from nss.config import load as configuration
from nss.config.files import UnfitFile, load_format, load_input
from nss.config.values import AUTO, FormatChoice
from nss.errors import DataError, InputMissing, UsageError
from nss.wording import nearest

SAMPLE_RECORDS = 1000
SAMPLE_BYTES = 1 << 20

NOT_GOOD = 1
"""Exit code: records are read, but no address, user or URL, of what the feed prints."""

_WIDTH = 80
_KEY_WIDTH, _FIELD_WIDTH, _COUNT_WIDTH = 28, 24, 7
_SHOWN_REASONS = 5


@dataclass(frozen=True, slots=True)
class Question:
    """What `nss explain` was asked for; `feed` is one of the configuration at `config`."""

    from_: str | None
    to: str
    feed: str | None
    config: Path


@dataclass(frozen=True, slots=True)
class _Sample:
    """The first records of a file; `is_all` is whether it has no others.

    `damage` is why it could not be read further.
    """

    argument: str
    name: str
    pieces: tuple[Piece, ...]
    data: bytes
    is_all: bool
    damage: InputMissing | None = None

    def place(self, offset: int) -> str:
        """Return where in the file the record is that begins at an offset of the data."""
        for piece in self.pieces:
            if offset < len(piece.data):
                return piece.place(self.name, offset)
            offset -= len(piece.data)
        return self.name


def explain(file: Path, question: Question, *, as_json: bool) -> int:
    """Explain the beginning of a file (`-`: stdin); returns the exit code.

    Raises `nss.errors.NssError` when a format, the configuration or the file can't be used.
    """
    settings, known = _loaded(question)
    sample = _sample(file)
    if not sample.data.strip():
        raise DataError(f"explain: no records ({sample.name})")
    found = explanation(sample.data, settings, known)
    feed = question.feed or settings.format.name
    if as_json:
        show_json(_for_programs(found, sample, feed, recognised=known is None))
    else:
        typer.echo("\n".join(_lines(found, sample, feed, recognised=known is None)))
        typer.echo("\n".join(_wrapped(_next_step(found, sample, question))))
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
    choice = words.get(question.from_ or "auto") or chosen(question.from_ or "")
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
    if feed_format is None:
        raise UsageError(f"feed {feed.name}: {feed.format.value} is no format to render")
    inputs = {source.format for source in config.sources if source.name in feed.sources}
    if question.from_ is None and len(inputs) == 1:
        choice = inputs.pop()
    return FeedSettings(feed_format, feed.filter), choice


def _sample(file: Path) -> _Sample:
    """Return the first records of a file. Raises `InputMissing`."""
    name = "stdin" if file == Path("-") else str(file)
    pieces: list[Piece] = []
    size = lines = 0
    is_all = True
    damage = None
    try:
        for piece in pieces_of(file, name, "explain"):
            if size >= SAMPLE_BYTES or lines >= SAMPLE_RECORDS:
                is_all = False
                break
            pieces.append(piece)
            size += len(piece.data)
            lines += piece.data.count(b"\n")
    except InputMissing as error:
        if not pieces:
            raise
        is_all, damage = False, error
    data = b"".join(piece.data for piece in pieces)
    kept = _first_lines(data, SAMPLE_RECORDS)
    return _Sample(str(file), name, tuple(pieces), kept, is_all and len(kept) == len(data), damage)


def _first_lines(data: bytes, count: int) -> bytes:
    at = 0
    for _ in range(count):
        end = data.find(b"\n", at)
        if end < 0:
            return data
        at = end + 1
    return data[:at]


def _lines(found: Explanation, sample: _Sample, feed: str, *, recognised: bool) -> Iterator[str]:
    """Yield the whole report, for people."""
    yield from _wrapped(f"{sample.name}: {_reading(found, sample, recognised=recognised)}")
    printed = [place for place in found.places if place.use == "printed"]
    unprinted = [place for place in found.places if place.use == "unprinted"]
    unknown = [place for place in found.places if place.use == "unknown"]
    yield from _table(f"Printed by {feed}", printed)
    yield from _table(f"Known, but not printed by {feed}", unprinted)
    yield from _table("Not used: no field is known for it", unknown)
    everywhere = found.lacking.everywhere
    yield from _paragraph(
        f"Printed by {feed}, but no record states it (printed instead)",
        [f"{name} ({placeholder(name)})" for name in everywhere],
    )
    yield from _paragraph(
        "Not stated by some records",
        [
            f"{name} ({count:,} of {found.lacking.records:,})"
            for name, count in found.lacking.counts.items()
            if name not in everywhere
        ],
    )
    yield from _bad(found, sample)
    yield ""
    yield from _wrapped(_verdict(found, feed))


def _reading(found: Explanation, sample: _Sample, *, recognised: bool) -> str:
    how_many = "the first " if not sample.is_all else ""
    records = f"{how_many}{_number(found.records, 'record')}"
    if found.input is None:
        return f"{records} in no known format"
    how = "recognised as" if recognised else "read as"
    understood = found.records - len(found.bad)
    return f"{records}, {how} {found.input}; {understood:,} understood"


def _table(title: str, places: Sequence[Place]) -> Iterator[str]:
    if not places:
        return
    rows = [(_cut(place.key, _KEY_WIDTH), _cut(_field(place), _FIELD_WIDTH)) for place in places]
    key_width = max(len("key"), *(len(key) for key, _ in rows))
    field_width = max(len(field) for _, field in rows)
    if field_width:
        field_width = max(field_width, len("field"))
    yield from ("", title)
    yield _row("key", "field" if field_width else "", "records", "example", key_width, field_width)
    for (key, field), place in zip(rows, places, strict=True):
        yield _row(key, field, f"{place.records:,}", place.example, key_width, field_width)


def _row(key: str, field: str, records: str, example: str, key_width: int, field_width: int) -> str:
    middle = f"{field:{field_width}}  " if field_width else ""
    head = f"  {key:{key_width}}  {middle}{records:>{_COUNT_WIDTH}}  "
    return f"{head}{_cut(example, _WIDTH - len(head))}".rstrip()


def _field(place: Place) -> str:
    """Return the fields of a place, and as what the feed prints them if that differs."""
    name = label(place.fields)
    prints = [made for made in place.prints if made not in place.fields]
    if not prints or name == "time" or "time" in prints:
        return name
    return f"{name} as {', '.join(prints)}"


def _cut(text: str, width: int) -> str:
    shown = harmless(text)
    return shown if len(shown) <= width else f"{shown[: width - 3]}..."


def _paragraph(title: str, names: Sequence[str]) -> Iterator[str]:
    if names:
        yield from ("", title)
        yield from _wrapped(", ".join(names), "  ")


def _wrapped(text: str, indent: str = "") -> Iterator[str]:
    """Yield harmless lines of at most 80 columns, broken at blanks where there are any."""
    line = indent
    for word in harmless(text).split(" "):
        if line.strip() and len(line) + 1 + len(word) > _WIDTH:
            yield line
            line = indent
        line += word if line == indent else f" {word}"
    yield line


def _bad(found: Explanation, sample: _Sample) -> Iterator[str]:
    reasons = unread(found.bad)
    if not reasons or found.input is None:
        return
    yield from ("", "Not understood")
    for reason, records in list(reasons.items())[:_SHOWN_REASONS]:
        more = f" (and {len(records) - 1:,} more)" if len(records) > 1 else ""
        yield from _wrapped(f"{sample.place(records[0].offset)}: {reason}{more}", "  ")
    if len(reasons) > _SHOWN_REASONS:
        yield f"  and {len(reasons) - _SHOWN_REASONS:,} more reasons"


def _verdict(found: Explanation, feed: str) -> str:
    if found.input is None:
        return "Not understood: the records are in no known format."
    bad = len(found.bad)
    if bad:
        return f"Not good: {_number(bad, 'record')} of {found.records:,} would be rejected."
    if found.missing:
        needs = listed(found.missing)
        return f"Not good: no record states {needs}; {feed} prints placeholders instead."
    if not found.is_any_printed:
        return f"Not good: nothing that {feed} prints is stated by any record."
    return _praise(found)


def _praise(found: Explanation) -> str:
    if found.empty:
        return f"Good, but every record has a placeholder for {listed(found.empty, 'and')}."
    unknown = sum(place.use == "unknown" for place in found.places)
    if unknown:
        return f"Good: all records are understood; no field is known for {_number(unknown, 'key')}."
    return "Good: all records are understood."


def _next_step(found: Explanation, sample: _Sample, question: Question) -> str:
    own = "a .fof file that describes the records (docs/formats.md), and name it with --from"
    if found.input is None or len(found.bad) == found.records:
        return f"Try: name their format with --from (nss presets lists those known), or write {own}"
    if found.bad:
        return f"Try: another --from, if {found.input} is not their format; or fix the sender"
    if not found.good:
        return f"Try: look for them among the keys that are not used; then write {own}"
    if any(place.use == "unknown" for place in found.places):
        return f"Try: if a key that is not used matters, write {own}"
    if question.feed is not None:
        return f"Feed {question.feed} can use them."
    return f"Try: nss render --to {quote(question.to)} {quote(sample.argument)}"


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _for_programs(
    found: Explanation, sample: _Sample, feed: str, *, recognised: bool
) -> dict[str, object]:
    """Return the report for JSON."""
    return {
        "file": sample.name,
        "input": found.input,
        "recognised": recognised and found.input is not None,
        "feed": feed,
        "good": found.good,
        "records": found.records,
        "whole_file": sample.is_all,
        "rendered": found.rendered,
        "filtered": found.filtered,
        "rejected": len(found.bad),
        "keys": [
            {
                "key": place.key,
                "fields": place.fields,
                "use": place.use,
                "prints": place.prints,
                "records": place.records,
                "example": place.example,
            }
            for place in found.places
        ],
        "missing": [{"kind": each.kind, "fields": each.printed} for each in found.missing],
        "empty": [{"kind": each.kind, "fields": each.printed} for each in found.empty],
        "lacking": [
            {"field": name, "records": count, "printed": placeholder(name)}
            for name, count in found.lacking.counts.items()
        ],
        "rejects": [
            {"place": sample.place(records[0].offset), "reason": reason, "records": len(records)}
            for reason, records in unread(found.bad).items()
        ],
        "verdict": _verdict(found, feed),
    }
