"""Sample records to lines, one by one, within bounds."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from formats import FeedSettings, Input, NotReadable, Pipeline, input_of, recognise
from formats.fields import TIME_FIELDS, catalogue
from formats.lacking import lacking
from formats.language import FeedFormat, Literal, parse
from formats.reading import BadLine
from formats.reading.dissection import entries
from formats.reading.unmapped import add_unmapped
from nss.setup.studio import MAX_RECORD_BYTES, MAX_RECORDS, SHOWN_CHARS, Look, Outcome, Rendering

MAX_LINE_BYTES = 4 << 20
MAX_OUTPUT_BYTES = 16 << 20
"""Of all lines; a format that prints a field a thousand times makes much of little."""

READ_BACK_MAX_SPEC = 16 << 10
READ_BACK_MAX_LINE = 64 << 10
"""Beyond these sizes, of the format as typed and of a line, nothing is read back."""

_HEX_GROWTH = 3
"""A byte becomes three as `%HH`; nothing grows by more."""

_MOMENT = parse("%d{epochtime}")

_SHOWN_OF_RECORD = 200
_SHOWN_AROUND = 20


def rendering(
    settings: FeedSettings, known: Input | None, records: Sequence[bytes], look: int
) -> Rendering:
    """Render records, in a form that is known or is recognised from them.

    `look` is the record whose line is taken apart, 0 for the first. Raises `NotReadable` when the
    records are in no known form.
    """
    tried = records[:MAX_RECORDS]
    sample = b"".join(record + b"\n" for record in tried if len(record) <= MAX_RECORD_BYTES)
    source = known or recognise(sample)
    trial = _Trial(settings, Pipeline(source, settings))
    outcomes = tuple(trial.outcomes(tried))
    missing = lacking(settings.format, source, sample, MAX_RECORD_BYTES)
    numbers = [outcome.number for outcome in outcomes if outcome.kind == "line"]
    number = look if look in numbers else next(iter(numbers), 0)
    looked = trial.look(number, tried[number - 1]) if number else None
    done = max((outcome.number for outcome in outcomes), default=0)
    left_out = len(records) - done
    return Rendering(source.name, outcomes, left_out, missing, looked, trial.unmapped)


@dataclass(frozen=True, slots=True)
class _Trial:
    settings: FeedSettings
    pipeline: Pipeline
    unmapped: dict[str, int] = field(default_factory=dict)

    def outcomes(self, records: Sequence[bytes]) -> Iterator[Outcome]:
        largest = _Largest(self.settings.format)
        output_bytes = 0
        for number, record in enumerate(records, 1):
            reason = largest.reason(record)
            if reason:
                yield _rejected(number, reason, record)
                continue
            rendered = self.pipeline.run(record + b"\n")
            add_unmapped(self.unmapped, rendered.unmapped)
            for line in rendered.lines:
                output_bytes += len(line)
                text = line.decode("utf-8", "replace")
                yield Outcome(
                    number, "line", text[:SHOWN_CHARS], len(line), len(text) > SHOWN_CHARS
                )
            for bad in rendered.bad:
                yield _rejected(number, bad.reason, record)
            if rendered.filtered:
                yield Outcome(number, "filtered")
            if output_bytes > MAX_OUTPUT_BYTES:
                return

    def look(self, number: int, record: bytes) -> Look:
        """Take the line of a record apart."""
        feed_format = self.settings.format
        line = self.pipeline.run(record + b"\n").lines[0]
        text = line.decode("utf-8", "replace")
        look = Look(number, text[:READ_BACK_MAX_LINE])
        spec_size = sum(len(part.spec) for part in feed_format.parts)
        if len(line) > READ_BACK_MAX_LINE or spec_size > READ_BACK_MAX_SPEC:
            return replace(look, unreadable="it is too long to be read back here")
        try:
            found = entries(feed_format, text)
        except (NotReadable, BadLine) as error:
            return replace(look, unreadable=str(error))
        look = replace(look, entries=found)
        try:
            source = input_of(feed_format)
        except NotReadable as error:
            return replace(look, lost=str(error))
        lost = self._lost(line, source)
        return replace(look, reads_back=not lost, lost=lost, doubts=source.doubts)

    def _lost(self, line: bytes, source: Input) -> str:
        """Return what is lost when a line is read back and rendered again, if anything is."""
        settings = replace(self.settings, filter=None, source_zone=self.settings.zone)
        rendered = Pipeline(source, settings).run(line + b"\n")
        if rendered.bad:
            return rendered.bad[0].reason
        if rendered.lines != [line]:
            again = rendered.lines[0].decode() if rendered.lines else ""
            return _difference(line.decode(), again)
        if settings.format.field_names & TIME_FIELDS:
            timed = Pipeline(source, replace(settings, format=_MOMENT)).run(line + b"\n")
            return "the date in it is not whole" if timed.bad else ""
        return ""


class _Largest:
    """How long the lines of a format can get at most."""

    def __init__(self, feed_format: FeedFormat) -> None:
        self._static = sum(
            len(part.text.encode()) if isinstance(part, Literal) else 64
            for part in feed_format.parts
        )
        uses: Counter[str] = Counter()
        for slot in feed_format.slots:
            name = slot.field.name
            uses.update({name, *(way.source for way in catalogue()[name].derivations)})
        self._uses = max(uses.values(), default=0)

    def reason(self, record: bytes) -> str:
        """Return why a record is not rendered at all, if it is not."""
        if len(record) > MAX_RECORD_BYTES:
            return f"longer than {MAX_RECORD_BYTES:,} bytes, too long for a sample"
        if self._static + self._uses * _HEX_GROWTH * len(record) > MAX_LINE_BYTES:
            return f"its line could be longer than {MAX_LINE_BYTES:,} bytes, too long to try here"
        return ""


def _rejected(number: int, reason: str, record: bytes) -> Outcome:
    shown = record[:_SHOWN_OF_RECORD].decode("utf-8", "replace")
    return Outcome(number, "rejected", reason, record=shown, is_cut=len(record) > len(shown))


def _difference(line: str, again: str) -> str:
    at = next(
        (at for at, (a, b) in enumerate(zip(line, again, strict=False)) if a != b),
        min(len(line), len(again)),
    )
    there, here = (text[at : at + _SHOWN_AROUND] for text in (line, again))
    return f"rendered again it has {here!r} instead of {there!r} at character {at + 1}"
