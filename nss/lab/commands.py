"""The `nss` commands that a demonstration runs, as processes of their own."""

import os
import sys
from pathlib import Path

import nss


def command(name: str, config: Path) -> list[str]:
    """Return the command line of an `nss` command."""
    return [sys.executable, "-P", "-m", "cli.main", name, "--config", str(config)]


def environ() -> dict[str, str]:
    """Return an environment with the packages that run here, never namesakes in this folder."""
    packages = (str(Path(nss.__file__).parent.parent), os.environ.get("PYTHONPATH"))
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, packages))}
