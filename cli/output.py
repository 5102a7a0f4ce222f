"""How commands print what they found: JSON, steps of tests, stored facts, times."""

import json
import os
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import orjson
import typer

from nss.checks import Check
from nss.errors import SinkError
from nss.wording import error_text, harmless

_PRINTERS = frozenset({"typer", "click", "rich"})
"""The packages through which commands print."""


def show_json(value: object, *, on_one_line: bool = False) -> None:
    """Print a value for programs; what no terminal should get is escaped."""
    text = orjson.dumps(value, option=0 if on_one_line else orjson.OPT_INDENT_2).decode()
    if not text.replace("\n", "").isprintable():
        text = "".join(
            letter if letter.isprintable() or letter == "\n" else json.dumps(letter)[1:-1]
            for letter in text
        )
    typer.echo(text)


@dataclass(frozen=True, slots=True)
class Configured:
    """What became of credentials: whether they are stored now, and the test that they took."""

    stored: bool
    checks: Sequence[Check] | None = None
    """`None`: they were not tested."""

    def plain(self) -> dict[str, object]:
        """Return the same for JSON."""
        steps = [asdict(check) for check in self.checks or ()]
        return {"stored": self.stored, "tested": self.checks is not None, "steps": steps}


def show_checks(checks: Iterable[Check], indent: str = "") -> None:
    """Print the steps of a test, a line each, with what to do where something is to be done."""
    for check in checks:
        mark = "wrong" if not check.ok else "warn " if check.warns else "ok   "
        typer.echo(f"{indent}{mark} {check.name}: {harmless(check.sentence)}")
        if check.tip and (check.warns or not check.ok):
            typer.echo(f"{indent}      Try: {harmless(check.tip)}")


def fact_lines(
    method: str, labels: Mapping[str, str], stored: object, tested_at: float | None
) -> Iterator[str]:
    """Yield what is stored, a line for each field that has a value; secrets show as ***."""
    facts = [("Signs in by", method)]
    for name, label in labels.items():
        value = getattr(stored, name)
        if value:
            facts.append((label, str(value)))
    facts.append(("Tested", "never" if tested_at is None else time_text(tested_at)))
    for label, value in facts:
        yield f"{label + ':':20}{harmless(value)}"


def is_of_output(error: OSError) -> bool:
    """Whether an error was raised where commands print: any other is not standard output's."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return frame.f_globals.get("__name__", "").partition(".")[0] in _PRINTERS


def unwritable(error: OSError, command: str = "") -> SinkError:
    """Return the error of standard output that takes no more; what is left is not written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # for what Python flushes at its exit
    said = f"can't write: {error_text(error)} (standard output)"
    return SinkError(f"{command}: {said}" if command else said)


def plain(value: object) -> object:
    """Return a value of stored credentials for JSON; secrets show as ***."""
    return value if value is None or isinstance(value, bool | int | float) else str(value)


def error_lines(error: Exception) -> str:
    """Return what an error says, line by line harmless: it may come from the service."""
    return "\n".join(map(harmless, str(error).splitlines()))


def harmless_bytes(data: bytes) -> str:
    """Return bytes of a record as harmless text; what is not UTF-8 shows as hexadecimal."""
    return harmless(data.decode(errors="backslashreplace"))


def time_text(at: float) -> str:
    """Return a time, seconds since the epoch, in the zone of this machine."""
    try:
        return datetime.fromtimestamp(at).astimezone().isoformat(" ", "seconds")
    except (OverflowError, ValueError, OSError):
        return "at no possible time"


def iso_time(at: float | None) -> str | None:
    """Return a time, seconds since the epoch, for programs; `None` for an impossible time."""
    with suppress(OverflowError, ValueError, OSError):
        return None if at is None else datetime.fromtimestamp(at, UTC).isoformat()
    return None
