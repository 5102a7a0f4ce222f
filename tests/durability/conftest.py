"""What processes do to files, in order, as a library sees it that is loaded before all others."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

Step = tuple[str, ...]
"""A call and its paths: `("write", "web.log")`, or what was said: `("said", "delivered")`."""

Observe = Callable[..., list[Step]]

PRELUDE = """
import asyncio, os, sys
from pathlib import Path
folder = Path(sys.argv[1])
def said(what):
    with open(os.environ["NSS_OBSERVED"], "a") as log:
        log.write(f"said\\t{what}\\n")
"""


@pytest.fixture(scope="session")
def observer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that observes; skips where none can be made."""
    compiler = shutil.which("cc")
    if sys.platform != "linux" or compiler is None:
        pytest.skip("no C compiler: what is written and synced can't be observed")
    library = tmp_path_factory.mktemp("observer") / "observer.so"
    source = Path(__file__).with_name("observer.c")
    options = ("-shared", "-fPIC", "-Wall", "-Werror", "-o")
    subprocess.run(  # noqa: S603 - ours
        [compiler, *options, str(library), str(source), "-ldl"], check=True
    )
    return library


def environment(observer: Path, log: Path) -> dict[str, str]:
    """Return what a process is observed with."""
    found = {"LD_PRELOAD": str(observer), "NSS_OBSERVED": str(log)}
    return os.environ | found | {"PYTHONPATH": str(ROOT)}


def steps(log: Path, folder: Path) -> list[Step]:
    """Return what was done in a folder, with paths in it; a file without a name is `unnamed`."""
    found: list[Step] = []
    for line in log.read_text().splitlines():
        call, *paths = line.split("\t")
        inside = [path for path in paths if path == str(folder) or path.startswith(f"{folder}/")]
        if inside:
            names = [re.sub(r"#\d+ \(deleted\)$", "unnamed", path) for path in inside]
            found.append((call, *(os.path.relpath(name, folder) for name in names)))
        elif call in {"said", "send"}:
            found.append((call, *paths))
    return found


def without_repeats(found: Sequence[Step]) -> list[Step]:
    """Return steps, each that follows itself only once."""
    return [step for number, step in enumerate(found) if not number or found[number - 1] != step]


@pytest.fixture
def observe(observer: Path, tmp_path: Path) -> Observe:
    """Run a script in a folder of its own; returns what it did there."""
    folder = tmp_path / "folder"
    folder.mkdir()

    def run(script: str) -> list[Step]:
        log = tmp_path / "observed"
        program = tmp_path / "script.py"
        program.write_text(PRELUDE + script)
        ran = subprocess.run(  # noqa: S603 - ours
            [sys.executable, str(program), str(folder)],
            env=environment(observer, log),
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        return without_repeats(steps(log, folder))

    return run
