"""`nss demo`: the demonstration as a live table on a terminal, or a summary anywhere else."""

import asyncio
import contextlib
import signal
from pathlib import Path

import typer
from rich.columns import Columns
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from nss.errors import InputMissing
from nss.lab.demo import Demo, Progress
from nss.lab.discovery import Discovery, Traffic
from nss.lab.mcas_demo import McasDemo
from nss.lab.portal_demo import PortalDemo

_TOP = 8
_UNITS = ("B", "KB", "MB", "GB", "TB", "PB", "EB")


def demonstrate(seconds: float, records_per_sec: int, sample: Path | None, seed: int) -> int:
    """Run the demonstration; the exit code is 0 when nothing was lost or malformed."""
    if sample is not None and not sample.is_file():
        raise InputMissing(f"demo: no such file ({sample})")
    demo = Demo(seconds, records_per_sec, seed=seed, sample=sample)
    console = Console(highlight=False)
    progress = asyncio.run(_show(demo, console))
    return 1 if progress.lost or progress.malformed else 0


def demonstrate_mcas(seconds: float, records_per_sec: int, seed: int) -> int:
    """Run the story of MCAS; the exit code is 0 when all records arrived and the app is blocked."""
    demo = McasDemo(seconds, records_per_sec, seed=seed)
    console = Console(highlight=False)

    async def show() -> None:
        async for part in demo.run():
            console.print(Text(part) if isinstance(part, str) else _discovered(part))

    asyncio.run(show())
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
            _end_like_ctrl_c()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await demo.run()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(show())
    return 0


def _end_like_ctrl_c() -> None:
    """Have what ends us end the service of the demonstration too, as Ctrl-C does."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, signal.raise_signal, signal.SIGINT)


async def _show(demo: Demo, console: Console) -> Progress:
    _end_like_ctrl_c()
    if not console.is_terminal:
        async for _ in demo.run():
            pass
    else:
        with Live(console=console, transient=True, auto_refresh=False) as live:
            async for progress in demo.run():
                live.update(_picture(progress, demo.discovery), refresh=True)
    console.print(_picture(demo.progress, demo.discovery))
    for message, reason in demo.malformed_examples:
        console.print(Text(f"malformed: {reason}: {message[:200]!r}"))
    return demo.progress


def _picture(progress: Progress, discovery: Discovery) -> Group:
    head = (
        "generator -> TCP -> nss run (MCAS LEEF) -> UDP -> collector"
        f"    {progress.elapsed_secs:5.1f} s"
    )
    return Group(Text(head, style="bold"), _counts(progress), _discovered(discovery))


def _discovered(discovery: Discovery) -> Columns:
    top_apps = _top("Cloud apps", "users", discovery.top_apps(_TOP))
    return Columns([top_apps, _top("Users", "apps", discovery.top_users(_TOP))])


def _counts(progress: Progress) -> Table:
    table = Table(box=None, pad_edge=False)
    names = ("records/s", "sent", "received", "lost", "rejected", "shortened", "malformed")
    values = (
        progress.records_per_sec,
        progress.sent,
        progress.received,
        # Until all is done, what has not arrived may be on its way.
        progress.lost if progress.finished else None,
        progress.rejected,
        progress.shortened,
        progress.malformed,
    )
    for name in names:
        table.add_column(name, justify="right", min_width=9)
    table.add_row(*("-" if value is None else f"{value:,.0f}" for value in values))
    return table


def _top(title: str, partners: str, rows: list[tuple[str, Traffic]]) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("", max_width=28, no_wrap=True)
    for name in ("transactions", partners, "upload", "download"):
        table.add_column(name, justify="right")
    for name, traffic in rows:
        table.add_row(
            Text(name if name.isprintable() else ascii(name)),
            f"{traffic.transactions:,}",
            f"{len(traffic.partners):,}",
            _size(traffic.upload_bytes),
            _size(traffic.download_bytes),
        )
    return table


def _size(size_bytes: float) -> str:
    for unit in _UNITS:
        if size_bytes < 1000 or unit == _UNITS[-1]:  # noqa: PLR2004 - decimal units
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    raise AssertionError
