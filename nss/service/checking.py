"""What `nss check` finds: what the start checks, and the addresses, as this process sees them.

    python -m nss.service.checking CONFIG INODES...

prints the result as JSON. So commands of root have it from a process with the user and the limits
of the service: root itself may read and write everything, and finds nothing wrong.
"""

import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Annotated

import msgspec

from nss import foreign
from nss.config import load as configuration
from nss.config import portal, updates
from nss.config.files import format_warnings, source_warnings
from nss.config.machine import check_environment
from nss.config.model import Config
from nss.config.secrecy import shown_value
from nss.connectivity.binding import address_problems
from nss.errors import NssError, ServiceError
from nss.service.imports import import_parts
from nss.setup.uploads import upload_warnings

_UNSEEN = "who has the addresses that are in use: other users' sockets can't be seen"
_NOT_SEEN = "?"
"""The argument that stands for sockets that can't be seen."""


class ShownProblem(msgspec.Struct, frozen=True):
    """One problem: the key path, its value as TOML (`null`: none), and what is wrong with it.

    Stars stand for a value that may be a secret.
    """

    key: str
    value: str | None
    reason: str


class CheckResult(msgspec.Struct, frozen=True):
    """What a check has found."""

    config: str
    """The path of the configuration."""
    exit_code: Annotated[int, msgspec.Meta(ge=0, le=255)]
    """0 when nothing is wrong; otherwise that of a start."""
    message: str = ""
    """What is wrong, in full."""
    tip: str | None = None
    problems: tuple[ShownProblem, ...] = ()
    """The same one by one, where the configuration is wrong or the machine does not fit it."""
    sources: tuple[str, ...] = ()
    feeds: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    """What works, and somebody should look at."""
    checked_as: str | None = None
    """Whose rights and limits the check had, in words; `null`: those of whoever asked."""
    unchecked: tuple[str, ...] = ()
    """What this check could not see and the start depends on."""

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return self.exit_code == 0


def check(path: Path, own: frozenset[str] | None, *, is_service: bool = True) -> CheckResult:
    """Check a configuration and what it needs of the machine with the rights of this process.

    `own` are the inodes of the sockets that the running service has, `None` when they can't be
    seen: addresses that are in use are then not judged. `is_service`: this process has the rights
    of the service.
    """
    try:
        config = configuration.load(path)
        problems = [
            *check_environment(config),
            *address_problems(config, own, is_service=is_service),
        ]
        if problems:
            raise configuration.ConfigProblems(problems, str(path))
        import_parts(config, later=True)
        return CheckResult(
            str(path),
            0,
            sources=tuple(source.name for source in config.sources),
            feeds=tuple(feed.name for feed in config.feeds),
            warnings=tuple(_warnings(config)),
            unchecked=(_UNSEEN,) if own is None else (),
        )
    except NssError as error:
        shown = _shown(error) if isinstance(error, configuration.ConfigProblems) else ()
        return CheckResult(str(path), error.exit_code, str(error.args[0]), error.tip, tuple(shown))


def _shown(found: configuration.ConfigProblems) -> Iterator[ShownProblem]:
    for each in found.problems:
        yield ShownProblem(each.key, shown_value(each), each.reason)


def _warnings(config: Config) -> Iterator[str]:
    readings = (source_warnings(source.name, source.format) for source in config.sources)
    renderings = format_warnings((feed.name, feed.format) for feed in config.feeds)
    doubts = ((feed.name, doubt) for feed in config.feeds for doubt in feed.filter.doubts)
    filters = (f"feed {name}: {doubt}" for name, doubt in doubts)
    own = chain(
        portal.warnings(config.portal),
        updates.warnings(config.updates),
        upload_warnings(config),
    )
    return chain(own, *readings, renderings, filters)


def arguments(path: Path, own: frozenset[str] | None) -> list[str]:
    """Return what makes Python print, as JSON, what `check` finds."""
    return ["-m", __name__, str(path), *([_NOT_SEEN] if own is None else sorted(own))]


def printed_result(printed: bytes) -> CheckResult:
    """Return what such a process has printed. Raises `ServiceError` when it makes no sense."""
    try:
        return foreign.decode(printed, CheckResult)
    except msgspec.DecodeError as error:
        raise ServiceError(f"check: its result makes no sense: {error}") from None


def main(path: str, *own: str) -> None:
    """Print what is found."""
    seen = None if _NOT_SEEN in own else frozenset(own)
    sys.stdout.buffer.write(msgspec.json.encode(check(Path(path), seen)))


if __name__ == "__main__":
    main(*sys.argv[1:])
