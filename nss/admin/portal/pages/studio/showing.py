"""What there is to see of a trial, as texts in which every character can be seen.

Made in the thread of the trial: it is much text, and the event loop has a stream to serve.
"""

import unicodedata
from dataclasses import dataclass, replace

from formats import presets
from formats.comparison import Comparison
from formats.errors import FeedFormatError
from formats.language import MOST_FAULTS
from formats.reading.dissection import Entry
from nss.admin.portal.texts import harmless
from nss.setup.studio import SHOWN_CHARS, Compared, Look, Outcome, Rendering, Trial

FIELDS = {
    "format_string": "Feed output format string",
    "samples": "Sample records",
    "input": "Form of the records",
    "zone": "Time zone",
    "source_zone": "Zone of times without one",
    "escape_characters": "Escape characters",
    "filter": "Filter",
}
"""The fields of the form by name, as they are labelled."""

SHOWN_OF_VALUE = 2048
SHOWN_OF_STRETCH = 96
"""Of text that both formats have, the beginning and the end are shown."""

MAX_CHANGES = 400


@dataclass(frozen=True, slots=True)
class Fault:
    """An error of the format string; `caret` stands under `at` in a fixed-width font."""

    sentence: str
    where: str
    tip: str
    before: str
    at: str
    behind: str
    caret: str


@dataclass(frozen=True, slots=True)
class Difference:
    """A comparison: a line of text for each stretch, with `+`, `-` or a blank before it."""

    preset: str
    is_same: bool
    facts: tuple[tuple[str, str], ...]
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """All of it; `trial` is for numbers and conditions, its texts are in the other fields."""

    trial: Trial
    summary: str
    faults: tuple[Fault, ...]
    problems: tuple[tuple[str, str, str], ...]
    """The name of a field, its label, and what is wrong in it."""
    warnings: tuple[str, ...]
    outcomes: tuple[Outcome, ...]
    look: Look | None
    difference: Difference | None
    toml: str


def shown(trial: Trial) -> Shown:
    """Return what there is to see."""
    rendering = trial.rendering
    return Shown(
        trial,
        _summary(trial),
        tuple(map(_fault, trial.errors)),
        tuple((name, FIELDS[name], _seen(text)) for name, text in trial.problems.items()),
        tuple(map(_seen, trial.warnings)),
        tuple(map(_outcome, rendering.outcomes)) if rendering else (),
        _look(rendering.look) if rendering and rendering.look else None,
        _difference(trial.compared),
        trial.toml,
    )


def _seen(text: str) -> str:
    return text if text.isprintable() else harmless(text)


def _summary(trial: Trial) -> str:
    if trial.errors:
        count = len(trial.errors)
        least = "at least " if count == MOST_FAULTS else ""
        return f"{least}{count} error{'s' if count > 1 else ''} in the format string"
    if trial.problems:
        return "Something is wrong in the form"
    if trial.format is None:
        return "There is no format string yet"
    if trial.rendering is None:
        return "The format string is right; there are no sample records yet"
    return _counted(trial.rendering)


def _counted(rendering: Rendering) -> str:
    counts = [f"{rendering.count('line'):,} rendered"]
    others = ((kind, rendering.count(kind)) for kind in ("rejected", "filtered"))
    counts += [f"{count:,} {kind}" for kind, count in others if count]
    if rendering.left_out:
        counts.append(f"{rendering.left_out:,} left out")
    longest = f"; longest line {rendering.longest:,} bytes" if rendering.longest else ""
    return f"{', '.join(counts)}; read as {_form(rendering.input)}{longest}"


def _form(name: str) -> str:
    if name in presets.names():
        return f"preset {name}"
    return {"json": "JSON with NSS field names", "custom": "its own format string"}.get(name, name)


def _fault(error: FeedFormatError) -> Fault:
    piece = error.excerpt
    before, at, behind = _seen(piece.before), _seen(piece.at), _seen(piece.behind)
    caret = " " * _columns(before) + "^" * max(1, _columns(at))
    sentence = _seen(error.reason[:1].upper() + error.reason[1:])
    return Fault(sentence, error.where, _seen(error.tip or ""), before, at, behind, caret)


def _columns(text: str) -> int:
    """Return how wide text is in a fixed-width font."""
    return sum(
        0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in {"W", "F"})
        for c in text
    )


def _outcome(outcome: Outcome) -> Outcome:
    text = _seen(outcome.text)  # several characters for each that can't be seen
    return replace(
        outcome,
        text=text[:SHOWN_CHARS],
        is_cut=outcome.is_cut or len(text) > SHOWN_CHARS,
        record=_seen(outcome.record),
    )


def _look(look: Look) -> Look:
    return Look(
        look.number,
        _seen(look.line),
        tuple(map(_entry, look.entries)),
        _seen(look.unreadable),
        look.reads_back,
        _seen(look.lost),
        tuple(map(_seen, look.doubts)),
    )


def _entry(entry: Entry) -> Entry:
    text = _seen(entry.text[: SHOWN_OF_VALUE + 1])
    if len(text) > SHOWN_OF_VALUE:
        text = f"{text[:SHOWN_OF_VALUE]}..."
    return Entry(_seen(entry.place), text, _seen(entry.spec), entry.fields, entry.in_header)


def _difference(compared: Compared | None) -> Difference | None:
    if compared is None:
        return None
    found = compared.comparison
    if found is None:
        return Difference(compared.preset, is_same=False, facts=(), lines=())
    signs = {"same": "  ", "removed": "- ", "added": "+ "}
    lines = [
        signs[change.kind]
        + _seen(_shortened(change.text) if change.kind == "same" else change.text)
        for change in found.changes[:MAX_CHANGES]
    ]
    return Difference(compared.preset, found.is_same, tuple(_facts(found)), tuple(lines))


def _shortened(text: str) -> str:
    half = SHOWN_OF_STRETCH // 2
    return text if len(text) <= SHOWN_OF_STRETCH else f"{text[:half]} ... {text[-half:]}"


def _facts(found: Comparison) -> list[tuple[str, str]]:
    reworded = ", ".join(f"{old} is {new}" for old, new in found.reworded)
    facts = [
        ("Added", ", ".join(found.added)),
        ("Removed", ", ".join(found.removed)),
        ("Moved", ", ".join(found.moved)),
        ("Printed otherwise", reworded),
        ("Static text", _places(found.texts)),
    ]
    return [(name, text) for name, text in facts if text]


def _places(count: int) -> str:
    return f"differs in {count:,} place{'s' if count > 1 else ''}" if count else ""
