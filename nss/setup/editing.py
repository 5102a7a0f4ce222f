"""A configuration file while somebody edits it: everything that is wrong, and the difference."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from formats.errors import Problem
from nss.config import load
from nss.config.load import ConfigProblems
from nss.config.machine import check_environment
from nss.config.model import Config
from nss.config.restart import settings_needing_restart
from nss.config.secrecy import shown_value
from nss.config.toml import printable
from nss.errors import InputMissing
from nss.files.private import FileFault, read_bounded
from nss.setup.difference import Difference, difference, lines_of
from nss.setup.hiding import Clean, Hidden, cleaned_lines, hidden
from nss.setup.places import Places
from nss.setup.redaction import Redactor, redactor_of
from nss.setup.versions import digest_of

MAX_TEXT_BYTES = 256 << 10
"""Of a file that can be edited here; a configuration of a hundred feeds has a fifth of that."""

MAX_PROBLEMS = 100
"""That are shown; there may be more of them."""

_MAX_VALUE = 120
_MAX_REASON = 2000
_BOM = b"\xef\xbb\xbf"
_AT = re.compile(r"line ([0-9]+), column [0-9]+")

_STARRED = (
    "*** stands for a value that is not shown here: leave that line as it was, or write the "
    "value again"
)


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with a configuration, without what is secret."""

    key: str
    """The key path; for a text that is no TOML the line and column, for a file the byte."""
    line: int | None
    """Where it is in the text, from 1; `None` if nowhere."""
    value: str
    """The value as TOML, shortened; empty if it says nothing."""
    reason: str


class Document:
    """A configuration file as it is on the disk, for somebody who edits it."""

    def __init__(self, path: Path, data: bytes, redactor: Redactor) -> None:
        self.path = path
        self.data = data
        self.digest = digest_of(data)
        self.redactor = redactor
        text = data.decode("utf-8-sig")
        self._ends_cr_lf = 0 < text.count("\n") == text.count("\r\n")
        self.text = text.replace("\r\n", "\n")

    @cached_property
    def hidden(self) -> Hidden:
        """What of it may be shown."""
        return hidden(self.text, self.redactor.clean)

    def encoded(self, text: str) -> bytes:
        """Return an edited text as a file that begins and ends its lines as this one does."""
        text = f"{text}\n" if text and not text.endswith("\n") else text
        data = (text.replace("\n", "\r\n") if self._ends_cr_lf else text).encode(errors="replace")
        return _BOM + data if self.data.startswith(_BOM) else data


def read_document(path: Path) -> Document:
    """Return a configuration file. Raises `ConfigError` and `InputMissing` if it can't be edited.

    It need not be a valid configuration.
    """
    load.read_text(path)  # raises what is wrong
    try:
        data = read_bounded(path, MAX_TEXT_BYTES)
        return Document(path, data, redactor_of(path))
    except (OSError, FileFault, UnicodeDecodeError) as fault:
        reason = f"it {fault}" if isinstance(fault, FileFault) else "it was changed meanwhile"
        raise InputMissing(
            f"configuration: can't be edited here: {reason} ({path})",
            tip="edit the file itself, and run nss check",
        ) from None


@dataclass(frozen=True, slots=True)
class Examined:
    """A proposed text for a configuration file, and everything that is to be said of it."""

    document: Document
    """The file that it was compared with."""
    data: bytes
    """The file as it would be, secrets included."""
    faults: tuple[Fault, ...]
    """Everything wrong; at most `MAX_PROBLEMS`."""
    further_faults: int
    """How many more there are."""
    difference: Difference
    needing_restart: tuple[str, ...] = ()
    """The changed settings that the service takes over only when it starts."""

    @property
    def changed_lines(self) -> int:
        """How many lines are added and removed."""
        return self.difference.added + self.difference.removed

    @property
    def is_changed(self) -> bool:
        """Whether the file would become another."""
        return self.data != self.document.data

    @property
    def digest(self) -> str:
        """What the proposed file is recognised by."""
        return digest_of(self.data)


def examined(document: Document, edited: str, in_force: Config | None = None) -> Examined:
    """Return everything about a text that somebody made of a document, as it was shown to him.

    `in_force` is what the service runs with. Reads the files that the text names. Raises
    `DeviceFailed`.
    """
    if len(edited.encode(errors="replace")) > MAX_TEXT_BYTES:
        fault = Fault("", None, "", f"the text has more than {MAX_TEXT_BYTES:,} bytes")
        data = edited.encode(errors="replace")
        return Examined(document, data, (fault,), 0, Difference((), 0, 0))
    text, starred = document.hidden.restored(edited)
    faults = [Fault("", line, "", _STARRED) for line in starred]
    return _examined(document, document.encoded(text), faults, in_force)


def examined_version(document: Document, data: bytes, in_force: Config | None = None) -> Examined:
    """Return everything about an earlier content of the file, byte for byte; see `examined`."""
    return _examined(document, data, [], in_force)


def _examined(
    document: Document, data: bytes, faults: list[Fault], in_force: Config | None
) -> Examined:
    clean = document.redactor.clean
    text = data.decode("utf-8-sig", errors="replace").replace("\r\n", "\n")
    problems, config = _problems(document.path, text)
    places = _places(text, problems)
    found = [*faults, *(_fault(problem, places, clean) for problem in problems[:MAX_PROBLEMS])]
    found.sort(key=lambda fault: fault.line or 0)
    restart = settings_needing_restart(in_force, config) if in_force and config else []
    shown = compared(document.text, text, clean)
    further = max(0, len(problems) - MAX_PROBLEMS)
    return Examined(document, data, tuple(found), further, shown, tuple(restart))


def compared(old: str, new: str, clean: Clean) -> Difference:
    """Return the difference of two texts, without what is secret in them."""
    before, after = lines_of(old), lines_of(new)
    return difference(before, after, cleaned_lines(before, clean), cleaned_lines(after, clean))


def _problems(path: Path, text: str) -> tuple[list[Problem], Config | None]:
    try:
        config = load.parse(text, path.absolute().parent)
    except ConfigProblems as found:
        return list(found.problems), None
    return check_environment(config), config


def _places(text: str, problems: list[Problem]) -> Places | None:
    """Return where the keys of a text are, if it is TOML."""
    is_toml = not any(p.key == "TOML" or _AT.fullmatch(p.key) for p in problems)
    return Places(text) if problems and is_toml else None


def _fault(problem: Problem, places: Places | None, clean: Clean) -> Fault:
    at = _AT.fullmatch(problem.key)
    line = int(at[1]) if at else None
    if places is not None:
        line = places.line(problem.key)
    value = shown_value(problem) or ""
    last = problem.key.rpartition(".")[2]
    if value:  # which key it is of may be what gives a secret away
        shown = _cleaned(f"{last} = {value}", clean)
        value = shown.removeprefix(f"{last} = ") if shown.startswith(f"{last} = ") else "***"
    reason = _cleaned(printable(problem.reason), clean)
    key = _cleaned(printable(problem.key), clean)
    return Fault(key, line, _shortened(value, _MAX_VALUE), _shortened(reason, _MAX_REASON))


def _cleaned(text: str, clean: Clean) -> str:
    return clean(text.encode(errors="replace")).decode(errors="replace")


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 3]}..."
