"""Wheels reach users compiled; where nothing can be compiled, NSS installs and runs in Python."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]  # it compiles, several times

ROOT = Path(__file__).parents[2]
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
CODES = {"compiled": f"cp{sys.version_info.major}{sys.version_info.minor}", "python": "py3"}

RENDER = """
import formats, sys
from formats.compiled import mode
settings = formats.FeedSettings(formats.parse("<%s{login}>"))
pipeline = formats.Pipeline(formats.json_names(), settings)
print(formats.__file__, mode(), list(pipeline.run(b'{"login":"ana"}\\n').lines))
"""


def run(*command: str | Path, cwd: Path = ROOT, **env: str) -> str:
    ran = subprocess.run(  # noqa: S603 - ours
        [str(one) for one in command],
        cwd=cwd,
        env=os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"} | env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def installed(home: Path, what: Path, **env: str) -> Path:
    """Install NSS alone in an environment that borrows all else; returns its Python."""
    run(sys.executable, "-m", "venv", "--without-pip", home)
    pip = (sys.executable, "-m", "pip", "--python", home / "bin/python", "install", "--quiet")
    run(*pip, "--no-deps", "--no-cache-dir", what, cwd=ROOT, **env)
    own = home / "lib" / f"python{VERSION}" / "site-packages"
    # Afterwards, or pip would find an NSS that is installed; and behind what is installed there.
    (own / "borrowed.pth").write_text(borrowed())
    return home / "bin/python"


def borrowed() -> str:
    """Return the folders where this Python finds packages, in lines."""
    return "\n".join(path for path in sys.path if path.endswith("-packages"))


def rendered(python: Path, home: Path) -> list[str]:
    """Return what renders a record there: which NSS, its mode, and the lines."""
    where, mode, lines = run(python, "-c", RENDER, cwd=home, NSS_PURE="").split(maxsplit=2)
    assert Path(where).is_relative_to(home)
    return [mode, lines.strip()]


needs_gcc = pytest.mark.skipif(not shutil.which("gcc"), reason="there is no gcc")


def built(into: Path) -> dict[str, Path]:
    """Build the wheels that this Python takes; returns them by the Python in their names."""
    script = ROOT / "packaging/wheels.py"
    run(sys.executable, script, "--into", into, "--only", VERSION, "--untried", CC="gcc")
    return {path.name.split("-")[2]: path for path in into.iterdir()}


@needs_gcc
def test_wheels_run_hold_nothing_of_this_machine_and_are_the_same_bytes_twice(
    tmp_path: Path,
) -> None:
    """One test, as building them takes half a minute."""
    wheels = built(tmp_path / "once")
    assert set(wheels) == set(CODES.values())
    for mode, code in CODES.items():
        python = installed(tmp_path / mode, wheels[code])
        assert f"({mode})" in run(python.with_name("nss"), "--version", cwd=tmp_path, NSS_PURE="")
        assert rendered(python, tmp_path / mode) == [mode, "[b'<ana>']"]

    compiled = wheels[CODES["compiled"]]
    assert "manylinux" in compiled.name
    with zipfile.ZipFile(compiled) as packed:
        names = packed.namelist()
        binaries = [packed.read(name) for name in names if name.endswith(".so")]
    assert [name for name in names if name.endswith((".pyx", ".pxi", ".c", ".h"))] == []
    paths = [os.fsencode(path) for path in (Path.home(), ROOT, sys.base_prefix)]
    assert [path for path in paths for one in binaries if path in one] == []

    again = built(tmp_path / "again")
    assert {code: path.read_bytes() for code, path in again.items()} == {
        code: path.read_bytes() for code, path in wheels.items()
    }


def test_without_a_compiler_it_installs_and_runs_in_python(tmp_path: Path) -> None:
    source = tmp_path / "source"
    run(sys.executable, "-c", COPY, source)
    python = installed(tmp_path / "home", source, CC="/bin/false")
    assert "(python)" in run(python.with_name("nss"), "--version", cwd=tmp_path)
    assert rendered(python, tmp_path / "home") == ["python", "[b'<ana>']"]


COPY = """
import sys
sys.path.insert(0, "packaging")
from pathlib import Path
import wheels
Path(sys.argv[1]).mkdir()
wheels.copy_sources(Path(sys.argv[1]))
"""
