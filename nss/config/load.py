"""The configuration: TOML to frozen types, with all problems reported at once.

`parse` and `validate` are pure. What needs a look at the machine (files, certificates) is
checked by `nss.config.machine`; the sections themselves are in `nss.config.model`,
`nss.config.sources` and `nss.config.sinks`.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from formats.errors import Problem
from nss.config.model import Config
from nss.config.reading import Reading
from nss.config.secrecy import shown_value
from nss.config.syntax import syntax_problem
from nss.config.toml import printable
from nss.errors import ERRORS_OF_DEVICES, ConfigError, DeviceFailed, InputMissing
from nss.files.private import FileFault, read_bounded
from nss.wording import error_text, page

MAX_DEPTH = 16
"""Tables and lists nested deeper than this are refused; no valid configuration comes near."""

MAX_INT_BITS = 63
"""TOML promises whole numbers of 64 bits with sign, and no more."""

MAX_BYTES = 4 << 20
"""Of a configuration file."""

_MANUAL = Path("/usr/share/man/man5/nss.toml.5.gz")
"""The manual page of the package."""

_SAMPLES = (
    Path("/usr/share/doc/nss-streamer/examples/nss.toml"),
    Path(__file__).parents[2] / "packaging" / "nss.toml",
)
"""The commented sample: of the package, or of a checkout."""

_MAX_SHOWN = len(" = ") + 60

_LONG_KEY = re.compile(
    r"""(?<![\w-])(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')"""
    r"""(?:[ \t]*+\.[ \t]*+(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')){64}"""
)
"""More parts than any dotted key has: the time that `tomllib` needs grows with their square."""


class ConfigProblems(ConfigError):  # noqa: N818 - it carries them all
    """The configuration is wrong; `problems` has everything that is, by key path."""

    def __init__(self, problems: Sequence[Problem], origin: str) -> None:
        self.problems = tuple(problems)
        self.origin = origin
        count = sum(problem.stands_for for problem in self.problems)
        number = f"{count} problem{'' if count == 1 else 's'}"
        lines = "".join(f"\n  {_line(problem)}" for problem in self.problems)
        super().__init__(
            f"configuration: {number} ({origin}){lines}",
            tip=how_to_correct(),
        )


def how_to_correct() -> str:
    """Return what to do about a wrong configuration, as half a sentence."""
    reference = "man nss.toml" if _MANUAL.is_file() else page("configuration.md")
    looks_again = "correct the file; nss check looks again"
    return looks_again if reference is None else f"{looks_again}; {reference} describes every key"


def how_to_begin() -> str:
    """Return what to do where there is no configuration, as half a sentence."""
    sample = next((path for path in _SAMPLES if path.is_file()), None)
    where = "" if sample is None else f", start from the sample {sample}"
    return f"sudo nss configure writes one{where}, or name your file with --config FILE"


def _line(problem: Problem) -> str:
    shown = shown_value(problem)
    value = "" if shown is None else f" = {shown}"
    if len(value) > _MAX_SHOWN:
        value = f"{value[: _MAX_SHOWN - 3]}..."
    reason = printable(problem.reason).replace("\n", "\n    ")
    return f"{problem.key}{value}: {reason}"


def load(path: Path) -> Config:
    """Read and parse a configuration file. Raises `InputMissing` and `ConfigProblems`."""
    return parse(read_text(path), path.absolute().parent, origin=str(path))


def read_text(path: Path) -> str:
    """Return what a configuration file holds.

    Raises `InputMissing`, `ConfigProblems`, and `DeviceFailed` when the disk gives nothing.
    """
    try:
        return read_bounded(path, MAX_BYTES).decode("utf-8-sig")
    except OSError as error:
        if error.errno in ERRORS_OF_DEVICES:
            reason = f"configuration: {error_text(error)} ({path})"
            raise DeviceFailed(reason, tip="check the disk") from None
        tip = how_to_begin()
        if isinstance(error, PermissionError):
            tip = "run it with sudo, or as the user nss"
        raise InputMissing(f"configuration: {error_text(error)} ({path})", tip=tip) from error
    except FileFault as fault:
        raise InputMissing(
            f"configuration: it {fault} ({path})", tip="name an ordinary file with --config FILE"
        ) from None
    except UnicodeDecodeError as error:
        problem = Problem(f"byte {error.start + 1}", None, "is not UTF-8")
        raise ConfigProblems([problem], str(path)) from None


def parse(text: str, base: Path, *, origin: str = "TOML text") -> Config:
    """Return the configuration that `text` states; relative paths start at `base`.

    `origin` names the text in the message. Raises `ConfigProblems` with everything wrong.
    """
    return validate(tables_of(text, origin=origin), base, origin=origin)


def tables_of(text: str, *, origin: str = "TOML text") -> dict[str, object]:
    """Return what TOML says. Raises `ConfigProblems` with the place where it is none."""
    if _LONG_KEY.search(text):
        raise ConfigProblems([_syntax_problem(text, RecursionError())], origin)
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigProblems([_syntax_problem(text, error)], origin) from None


def _syntax_problem(text: str, error: Exception) -> Problem:
    if isinstance(error, RecursionError):
        return Problem("TOML", None, f"is nested deeper than {MAX_DEPTH} levels")
    if not isinstance(error, tomllib.TOMLDecodeError):  # Python's limit for converting digits
        return Problem("TOML", None, "has a number with too many digits")
    return syntax_problem(text, error)


def validate(tables: Mapping[str, object], base: Path, *, origin: str = "TOML tables") -> Config:
    """Return the configuration that decoded TOML states; see `parse`."""
    excess = _excess(tables)
    if excess:
        raise ConfigProblems([Problem("TOML", None, excess)], origin)
    reading = Reading(base)
    config = reading.config(tables)
    if config is None:
        raise ConfigProblems(reading.problems, origin)
    return config


def _excess(tables: Mapping[str, object]) -> str | None:
    """Return what is larger than any configuration needs or TOML promises, if anything is."""
    inside: list[tuple[object, int]] = [(tables, 1)]
    while inside:
        value, depth = inside.pop()
        if isinstance(value, Mapping | list):
            if depth > MAX_DEPTH:
                return f"is nested deeper than {MAX_DEPTH} levels"
            items = value if isinstance(value, list) else value.values()
            inside += ((item, depth + 1) for item in items)
        elif isinstance(value, int) and value.bit_length() > MAX_INT_BITS:
            return f"has a whole number of more than {MAX_INT_BITS + 1} bits"
    return None
