"""In which order and under which headings commands are listed: in `--help`, manual and page."""

from collections.abc import Iterable, Iterator
from typing import Any

from typer.core import TyperGroup

GROUPS = {
    "Run": "run start stop restart reload enable-autostart disable-autostart",
    "Look": "status top tap troubleshoot portal checkversion",
    "Set up": "configure check dump-config install-cert configure-mcas2 verify-mcas2 show-mcas2 "
    "clear-mcas2 configure-mcas configure-zia show-zia clear-zia verify-blocking "
    "configure-network confirm-network reset-network",
    "Repair": "rejects replay upload-now sync-unsanctioned test-firewall collect-diagnostics",
    "Try": "demo lab render explain presets fields",
}
"""The commands below each heading."""

OTHERS = "Commands"
"""The heading of those that no group has: all that stand below another command."""


def grouped(names: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield each heading with those of the commands that stand below it."""
    left = list(names)
    for heading, listed in GROUPS.items():
        found = [name for name in listed.split() if name in left]
        left = [name for name in left if name not in found]
        if found:
            yield heading, found
    if left:
        yield OTHERS, left


class CommandGroup(TyperGroup):
    """Commands whose help lists them below headings, with a whole sentence for each."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401, ARG002 - click's
        """Write the commands; sentences that are too long for the line are wrapped, not cut."""
        shown = [name for name, command in self.commands.items() if not command.hidden]
        widest = max(map(len, shown))
        for heading, names in grouped(shown):
            with formatter.section(heading):
                # As wide as the widest of all groups, so that the sentences stand in one column.
                rows = [(f"{name:<{widest}}", sentence_of(self.commands[name])) for name in names]
                formatter.write_dl(rows)


def sentence_of(command: Any) -> str:  # noqa: ANN401 - click's, vendored by typer
    """Return the first sentence of a command's help."""
    first = " ".join((command.help or "").partition("\n\n")[0].split())
    sentence, ended, _ = first.partition(". ")
    return f"{sentence}." if ended else first
