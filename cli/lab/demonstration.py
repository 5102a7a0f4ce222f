"""`nss demo`: the demonstration, live on a terminal, as lines of progress anywhere else."""

import asyncio
import contextlib
import sys
import textwrap
from pathlib import Path

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from cli.lab.interrupting import run_until_ended
from cli.screen import demo as screen
from cli.screen.cells import columns_of, wrapped
from nss.errors import DataError, InputMissing
from nss.lab.demo import Demo
from nss.lab.discovery import Discovery
from nss.lab.mcas_demo import McasDemo
from nss.lab.portal_demo import PortalDemo
from nss.wording import harmless

_TOP = 8
_LINE_SECS = 1.0
_SHOWN_BYTES = 200


def demonstrate(seconds: float, records_per_sec: int, sample: Path | None, seed: int) -> int:
    """Run the demonstration; the exit code is 0 when all arrived, well-formed.

    But for records that were made to be rejected, and those of a sample that can't be delivered;
    it is 65 when a sample has no others.
    """
    if sample is not None and not sample.is_file():
        raise InputMissing(f"demo: no such file ({sample})")
    demo = Demo(seconds, records_per_sec, seed=seed, sample=sample)
    console = Console(highlight=False)
    run_until_ended(_show(demo, console))
    if demo.is_useless:
        return DataError.exit_code
    return 0 if demo.is_good else 1


def demonstrate_mcas(seconds: float, records_per_sec: int, seed: int) -> int:
    """Run the story of MCAS; the exit code is 0 when all records arrived and the app is blocked."""
    demo = McasDemo(seconds, records_per_sec, seed=seed)
    console = Console(highlight=False)
    width = columns_of(sys.stdout.fileno() if console.is_terminal else None)

    async def show() -> None:
        async for part in demo.run():
            text = _said(part, width) if isinstance(part, str) else _discovered(part, width)
            console.print(text, soft_wrap=True)

    run_until_ended(show())
    for complaint in demo.complaints:
        console.print(Text(f"against the protocol: {complaint}"))
    is_good = demo.arrived == demo.sent and demo.is_blocked and not demo.complaints
    return 0 if is_good else 1


def demonstrate_portal(seconds: float | None, records_per_sec: int, seed: int) -> int:
    """Show the portal on the lab's data until Ctrl-C, or for so long; the exit code is 0."""

    async def show() -> None:
        async with PortalDemo(records_per_sec, seed=seed) as demo:
            typer.echo(f"The portal:    {demo.address}")
            typer.echo(f"Sign in once:  {demo.link}")
            typer.echo("Records come in; uploads and the sync go to stand-ins for Microsoft's and")
            typer.echo("Zscaler's services. The feed branch has a collector that is down, to see")
            typer.echo("what that looks like. Ctrl-C ends it.")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await demo.run()

    with contextlib.suppress(KeyboardInterrupt):
        run_until_ended(show())
    return 0


async def _show(demo: Demo, console: Console) -> None:
    descriptor = sys.stdout.fileno() if console.is_terminal else None
    if console.is_terminal and not console.is_dumb_terminal:
        with Live(console=console, transient=True, auto_refresh=False) as live:
            async for _ in demo.run():
                live.update(screen.live(demo, columns_of(descriptor)), refresh=True)
    else:
        shown = 0.0
        async for progress in demo.run():
            if progress.elapsed_secs - shown >= _LINE_SECS and not progress.finished:
                shown = progress.elapsed_secs
                typer.echo(screen.progress_line(progress))
        typer.echo()
    width = columns_of(descriptor)
    console.print(screen.ended(demo, width), soft_wrap=True)
    for message, reason in demo.malformed_examples:
        text = f"malformed: {reason}: {message[:_SHOWN_BYTES]!r}"
        console.print(Text("\n".join(wrapped(harmless(text), width, "", "  "))), soft_wrap=True)


def _said(line: str, width: int) -> Text:
    """Return a line of the story; its words are wrapped below where they begin."""
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    lines = textwrap.wrap(
        line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return Text("\n".join(lines))


def _discovered(discovery: Discovery, width: int) -> Text:
    apps = screen.traffic("cloud app", "users", discovery.top_apps(_TOP), width)
    users = screen.traffic("user", "apps", discovery.top_users(_TOP), width)
    return Text("\n").join([*apps, Text(), *users])
