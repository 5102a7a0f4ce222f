"""The command line as people and scripts run it: a process, its output and its exit code."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import cli

COMMAND = (sys.executable, "-P", "-m", "cli.main")
ENV = os.environ | {"PYTHONPATH": str(Path(cli.__file__).parent.parent), "COLUMNS": "100"}

Nss = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def nss(tmp_path: Path) -> Nss:
    """Run `nss` with arguments, input and more of an environment, in an empty folder."""

    def run(
        *arguments: str | Path, data: bytes = b"", **environ: str
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(  # noqa: S603 - ours
            [*COMMAND, *map(str, arguments)],
            input=data,
            capture_output=True,
            cwd=tmp_path,
            env=ENV | environ,
            timeout=100,
            check=False,
        )

    return run
