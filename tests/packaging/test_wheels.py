"""Wheels reach users compiled; where nothing can be compiled, NSS installs and runs in Python."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

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


@pytest.mark.skipif(not shutil.which("gcc"), reason="there is no gcc")
def test_a_wheel_for_this_python_is_compiled_and_has_nothing_of_this_machine(
    tmp_path: Path,
) -> None:
    wheels = ROOT / "packaging/wheels.py"
    into = tmp_path / "wheels"
    run(sys.executable, wheels, "--into", into, "--only", VERSION, "--untried", CC="gcc")
    built = {path.name.split("-")[2]: path for path in into.iterdir()}
    assert set(built) == set(CODES.values())
    for mode, code in CODES.items():
        python = installed(tmp_path / mode, built[code])
        assert f"({mode})" in run(python.with_name("nss"), "--version", cwd=tmp_path, NSS_PURE="")
        assert rendered(python, tmp_path / mode) == [mode, "[b'<ana>']"]
    with zipfile.ZipFile(built[CODES["compiled"]]) as packed:
        binaries = [packed.read(name) for name in packed.namelist() if name.endswith(".so")]
        assert [name for name in packed.namelist() if name.endswith((".pyx", ".pxi", ".h"))] == []
    assert "manylinux" in built[CODES["compiled"]].name
    assert [one for one in binaries if os.fsencode(Path.home()) in one] == []


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
