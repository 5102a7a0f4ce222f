"""A case through both implementations: what differs, and the smallest case that still does."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import formats
from formats import filters as filters_of_the_product
from formats.errors import FeedFormatError, NotReadable
from tests.formats.second import filters, language, read, render, structure
from tests.formats.second.cases import Case
from tests.formats.second.lines import Reader
from tests.formats.second.values import BadError

Outcome = tuple[list[bytes], list[int], int]  # lines, which records are bad, how many filtered


def expected(case: Case) -> Outcome | None:
    """Return what the page says of a case; None where it refuses the string."""
    try:
        parts = language.parse(case.format)
        structure.check(parts)
    except language.RefusedError:
        return None
    settings = render.Settings(**{k: v for k, v in choices(case).items() if k != "filter"})
    wanted = case.choices.get("filter", {})
    names = read.wanted(parts, filters.fields_of(wanted))
    filtered = 0
    lines, bad = [], []
    reader = Reader(language.parse(case.source), names) if case.source else None
    for number, record in enumerate(case.records):
        if not record.strip(" \t\n\r\v\f"):
            continue  # a line of white space is no record
        try:
            found = reader.read(record) if reader else read.objects(record.encode())
        except BadError:
            bad.append(number)
            continue
        for each in found:
            try:
                make = read.of_fields if reader else read.record_of
                stated = make(each, names)  # type: ignore[arg-type]
                if reader and reader.records == reader.json:
                    read.check_twins(stated, names)
                if filters.passes(stated, wanted, settings.escape_characters):
                    lines.append(render.line(parts, stated, settings))
                else:
                    filtered += 1
            except BadError:
                bad.append(number)
    return lines, bad, filtered


def got(case: Case) -> Outcome | None:
    """Return what the product makes of it."""
    try:
        feed_format = formats.parse(case.format)
    except FeedFormatError:
        return None
    settings = formats.FeedSettings(feed_format, **choices(case))
    source = formats.json_names()
    if case.source:
        try:
            source = formats.input_of(formats.parse(case.source))
        except (NotReadable, FeedFormatError):
            return None
    pipeline = formats.Pipeline(source, settings)
    data = "".join(record + "\n" for record in case.records).encode()
    rendered = pipeline.run(data)
    assert len(rendered.records) == len(rendered.lines)
    return list(rendered.lines), [bad.line for bad in rendered.bad], rendered.filtered


def choices(case: Case) -> dict[str, Any]:
    made = dict(case.choices)
    for name in made.keys() & {"zone", "source_zone"}:
        made[name] = formats.zone(made[name])
    for name in made.keys() & {"protect_for"}:
        made[name] = frozenset(made[name])
    for name in made.keys() & {"filter"}:
        made[name] = filters_of_the_product.parse(made[name])
    return made


def difference(case: Case) -> str | None:
    """Return how the two differ over a case, None where they agree."""
    try:
        theirs: Outcome | str | None = got(case)
    except Exception as error:  # noqa: BLE001 -- whatever it is, a record should not raise it
        theirs = repr(error)
    if theirs is None and case.source:
        return None  # which formats can be read is more than the page says
    ours = expected(case)
    if same(theirs, ours, case):
        return None
    return f"{describe(case)}\nby the page:   {ours}\nby the product: {theirs}"


def same(theirs: Outcome | str | None, ours: Outcome | None, case: Case) -> bool:
    """Whether two outcomes are equal; of free text the page does not say what is encoded."""
    if theirs == ours or not isinstance(theirs, tuple) or ours is None:
        return theirs == ours
    if structure.Places(language.parse(case.format)).is_of_a_kind():
        return False
    if not case.choices.get("protect_separators", True):
        return False
    return [*map(decoded, theirs[0])] == [*map(decoded, ours[0])] and theirs[1:] == ours[1:]


def decoded(line: bytes) -> bytes:
    """Return a line with printable characters for their %HH."""
    return re.sub(
        rb"%(2[0-9A-F]|[3-6][0-9A-F]|7[0-9A-E])", lambda hh: bytes([int(hh[1], 16)]), line
    )


def describe(case: Case) -> str:
    lines = [
        f"format:   {case.format!r}",
        *(f"record:   {each!r}" for each in case.records),
        f"settings: {case.choices}",
    ]
    if case.source:
        lines.insert(0, f"source:   {case.source!r}")
    return "\n".join(lines)


def smallest(case: Case, differs: Callable[[Case], bool]) -> Case:
    """Return a case that still differs, and from which nothing more can be left out."""
    while True:
        for smaller in smaller_cases(case):
            if differs(smaller):
                case = smaller
                break
        else:
            return case


def smaller_cases(case: Case) -> Iterator[Case]:
    for at in range(len(case.records)):
        if len(case.records) > 1:
            yield replace(case, records=case.records[:at] + case.records[at + 1 :])
    for name in case.choices:
        yield replace(case, choices={k: v for k, v in case.choices.items() if k != name})
    for text in shorter(case.format, r"[^%]*%[0-9a-z]+\{\w*\}"):
        yield replace(case, format=text)
    for at, record in enumerate(case.records if not case.source else ()):
        for text in shorter(record, r'"\w+": ?("(\\.|[^"\\])*"|[^",}]*),? ?'):
            yield replace(case, records=(*case.records[:at], text, *case.records[at + 1 :]))


def shorter(text: str, pieces: str) -> Iterator[str]:
    for piece in re.finditer(pieces, text):
        yield text[: piece.start()] + text[piece.end() :]
    size = len(text) // 2
    while size:
        for at in range(0, len(text) - size + 1, size):
            yield text[:at] + text[at + size :]
        size //= 2
