"""The `nss` commands that a demonstration runs, as processes of their own."""

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import nss
from nss.errors import ServiceError

COMMAND_SECS = 60.0


def command(name: str, config: Path) -> list[str]:
    """Return the command line of an `nss` command."""
    return [sys.executable, "-P", "-m", "cli.main", *name.split(), "--config", str(config)]


def environ() -> dict[str, str]:
    """Return an environment with the packages that run here, never namesakes in this folder."""
    packages = (str(Path(nss.__file__).parent.parent), os.environ.get("PYTHONPATH"))
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, packages))}


async def run(
    config: Path, name: str, *arguments: str, secrets: Mapping[str, str] | None = None
) -> list[str]:
    """Return what a command prints; `secrets` go into its environment.

    `name` may be of two words. Raises `ServiceError` when it fails.
    """
    process = await asyncio.create_subprocess_exec(
        *command(name, config),
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=environ() | dict(secrets or {}),
    )
    try:
        async with asyncio.timeout(COMMAND_SECS):
            output, _ = await process.communicate()
    except TimeoutError:
        raise ServiceError(f"demo: {name} has not ended within {COMMAND_SECS:.0f} s") from None
    finally:
        await kill(process)
    text = output.decode(errors="replace")
    if process.returncode:
        raise ServiceError(f"demo: {name} ended with exit code {process.returncode}\n{text}")
    return text.splitlines()


async def start_service(config: Path, log: Path) -> asyncio.subprocess.Process:
    """Start `nss run` in a session of its own: Ctrl-C is for the demonstration to handle."""
    with log.open("wb") as stream:
        return await asyncio.create_subprocess_exec(
            *command("run", config), stderr=stream, env=environ(), start_new_session=True
        )


async def kill(process: asyncio.subprocess.Process) -> None:
    """End a process unless it has ended."""
    if process.returncode is None:
        process.kill()
        await process.wait()


def end_of(log: Path) -> str:
    """Return the last lines of a log."""
    return log.read_text(encoding="utf-8", errors="replace")[-2000:]
