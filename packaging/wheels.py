"""Build the wheels of NSS: a compiled one for each Python that is found, and one for all others.

    python packaging/wheels.py --into build/wheels

A compiled wheel is for one version of Python and for each Linux whose C library has the functions
that it calls: `auditwheel` finds out which and writes it into the name. The other wheel
(`py3-none-any`) runs in Python. pip takes a compiled one where it fits. Each is built from a copy
of the sources with the tools of tools.lock, twice the same bytes, checked, and tried in an
environment of its own with what NSS needs from the package index.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parent.parent

PYTHONS = ("3.11", "3.12")
"""The versions that wheels are compiled for."""

_LOCK = PROJECT / "tests" / "requirements.lock"
_TOOLS = Path(__file__).with_name("tools.lock")
_CC = os.environ.get("CC", "gcc")
_SOURCES = (".pyx", ".pxi", ".c", ".h")
_QUIET = ("--quiet", "--disable-pip-version-check")

_ABOUT = "import sys, sysconfig as s; print('%d.%d' % sys.version_info[:2], s.get_path('include'))"


class Failed(Exception):  # noqa: N818 - the text is all that is shown
    """A step failed or a wheel is not what it has to be."""


@dataclass(frozen=True, slots=True)
class Wheels:
    """What was built: a wheel for each version of Python that was found, and the one for all."""

    compiled: Mapping[str, Path]
    pure: Path

    def best_for(self, version: str) -> Path:
        """Return the wheel that pip would take for a version of Python."""
        return self.compiled.get(version, self.pure)

    def with_pythons(self, found: Mapping[str, Path]) -> Iterator[tuple[Path, Path]]:
        """Yield each wheel and a Python that takes it."""
        for version, wheel in self.compiled.items():
            yield wheel, found[version]
        yield self.pure, _any_of(found)


def main() -> None:
    """Read the arguments, build, check and try."""
    parser = argparse.ArgumentParser(description="Build the wheels.")
    parser.add_argument("--into", type=Path, default=PROJECT / "build/wheels", metavar="FOLDER")
    parser.add_argument("--only", choices=PYTHONS, action="append", help="this version of Python")
    parser.add_argument("--untried", action="store_true", help="install none of them to try it")
    chosen = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as folder:
            work = Path(folder)
            versions = tuple(chosen.only or PYTHONS)
            found = interpreters(versions)
            wheels = build(found, work, chosen.into)
            for version in versions:
                if version not in found:
                    _say(f"nothing compiled for Python {version}: {why_not()}")
            for wheel, python in wheels.with_pythons(found):
                result = "not tried" if chosen.untried else tried(wheel, python, work)
                _say(f"{wheel}: {result}")
    except Failed as error:
        sys.exit(str(error))


def interpreters(versions: Sequence[str]) -> dict[str, Path]:
    """Return a Python for each of the versions that is here with its headers.

    There is none without a compiler. Looked at are the running one, those of the path, and those
    of pyenv.
    """
    if not shutil.which(_CC):
        return {}
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    named = [shutil.which(f"python{version}") for version in versions]
    candidates = [Path(sys.executable), *(Path(one) for one in named if one)]
    candidates += sorted(pyenv.glob("*/bin/python3"))
    found: dict[str, Path] = {}
    for python in candidates:
        version, _, headers = _told(python).partition(" ")
        if version in versions and Path(headers, "Python.h").exists():
            found.setdefault(version, python)
    return {version: found[version] for version in versions if version in found}


def why_not() -> str:
    """Return why `interpreters` has not found a version."""
    found = shutil.which(_CC) is not None
    return "it is not here with its headers" if found else f"there is no compiler ({_CC})"


def build(found: Mapping[str, Path], work: Path, into: Path) -> Wheels:
    """Build the wheels with these interpreters in the folder `work`. Raises `Failed`."""
    into.mkdir(parents=True, exist_ok=True)
    compiled = {version: _compiled(python, work, into) for version, python in found.items()}
    pure = _built(_tools(_any_of(found), work), work, {"NSS_BUILD_PURE": "1"})
    return Wheels(compiled, Path(shutil.copy(pure, into)))


def _any_of(found: Mapping[str, Path]) -> Path:
    return next(iter(found.values()), Path(sys.executable))


def _compiled(python: Path, work: Path, into: Path) -> Path:
    tools = _tools(python, work)
    wheel = _built(tools, work, _compiler(tools, work))
    check_complete(wheel)
    repaired = wheel.parent / "repaired"
    _run(tools, "-m", "auditwheel", "repair", "--wheel-dir", repaired, wheel, env=_path_of(tools))
    (wheel,) = repaired.iterdir()
    check(wheel, [str(work), str(Path.home()), *_told(tools, _PREFIXES).split()])
    return Path(shutil.copy(wheel, into))


_CFLAGS = "import sysconfig; print(sysconfig.get_config_var('CFLAGS'))"
_PREFIXES = "import sys; print(sys.prefix, sys.base_prefix)"


def _built(tools: Path, work: Path, env: Mapping[str, str]) -> Path:
    """Return what pip builds of a copy of the sources."""
    source = Path(tempfile.mkdtemp(dir=work))
    copy_sources(source)
    built = source / "built"
    options = ("--no-deps", "--no-build-isolation", "--wheel-dir", built)
    _run(tools, "-m", "pip", "wheel", *_QUIET, *options, source, env=env)
    return next(built.iterdir())


def copy_sources(folder: Path) -> None:
    """Copy what a wheel is built of, and nothing that was built before."""
    left = shutil.ignore_patterns("__pycache__", "*.so", "*.c")
    for name in ("cli", "formats", "nss"):
        shutil.copytree(PROJECT / name, folder / name, ignore=left)
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(PROJECT / name, folder)


def _compiler(python: Path, work: Path) -> dict[str, str]:
    """Return what keeps paths of this machine, and all that a debugger reads, out of the results.

    `CFLAGS` takes the place of Python's own, which say how integers overflow, so these stand in it.
    """
    return {
        "CC": _CC,
        "CFLAGS": f"{_told(python, _CFLAGS)} -g0 -ffile-prefix-map={work}=.",
        "LDSHARED": f"{_CC} -shared",  # without the RUNPATH that Pythons of pyenv ask for
        "LDFLAGS": "-Wl,-s",
    }


def check_complete(wheel: Path) -> None:
    """Check that a wheel has all that is compiled: setup.py does not insist. Raises `Failed`."""
    with zipfile.ZipFile(wheel) as packed:
        binaries = {name.partition(".")[0] for name in packed.namelist() if name.endswith(".so")}
    missing = sorted({*extensions()} - binaries)
    if missing:
        raise Failed(f"{wheel.name}: not compiled: {', '.join(missing)}")


def check(wheel: Path, paths: Sequence[str]) -> None:
    """Check that a wheel fits other machines, and has no sources and none of these paths.

    Raises `Failed`.
    """
    if "manylinux" not in wheel.name:
        raise Failed(f"{wheel.name}: fits no other machine")
    with zipfile.ZipFile(wheel) as packed:
        for name in packed.namelist():
            if name.endswith(_SOURCES):
                raise Failed(f"{wheel.name}: has a source: {name}")
            if name.endswith(".so"):
                data = packed.read(name)
                known = [path for path in paths if path.encode() in data]
                if known:
                    raise Failed(f"{wheel.name}: {name} has paths of this machine: {known}")


def extensions() -> Iterator[str]:
    """Yield what is to be compiled, as paths without their suffix."""
    for package in ("formats", "nss"):
        for source in sorted((PROJECT / package).rglob("*.pyx")):
            yield str(source.relative_to(PROJECT).with_suffix(""))


def tried(wheel: Path, python: Path, work: Path) -> str:
    """Return what `nss --version` says where the wheel is installed alone. Raises `Failed`."""
    home = Path(tempfile.mkdtemp(dir=work))
    _run(python, "-m", "venv", home)
    own = home / "bin/python"
    _run(own, "-m", "pip", "install", *_QUIET, f"--constraint={_LOCK}", wheel)
    told = _run(home / "bin/nss", "--version", cwd=home).strip()
    mode = "python" if "py3-none-any" in wheel.name else "compiled"
    if f"({mode})" not in told:
        raise Failed(f"{wheel.name}: nss --version says {told!r}, not {mode}")
    return told


def _tools(python: Path, work: Path) -> Path:
    """Return the Python of an environment with the tools, made once for each Python."""
    home = work / f"tools-{_told(python).partition(' ')[0]}"
    own = home / "bin/python"
    if not own.exists():
        _run(python, "-m", "venv", home)
        _run(own, "-m", "pip", "install", *_QUIET, "--requirement", _TOOLS)
    return own


def _path_of(python: Path) -> dict[str, str]:
    return {"PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}"}


def _told(python: Path, code: str = _ABOUT) -> str:
    """Return what a Python prints, nothing if it does not work."""
    ran = subprocess.run(  # noqa: S603 - a Python that was found
        [python, "-I", "-c", code], capture_output=True, text=True, check=False
    )
    return ran.stdout.strip() if ran.returncode == 0 else ""


def _run(
    program: Path,
    *arguments: str | Path,
    env: Mapping[str, str] | None = None,
    cwd: Path = PROJECT,
) -> str:
    """Run a program and return its output. Raises `Failed` with what it wrote."""
    given = os.environ | {"SOURCE_DATE_EPOCH": os.environ.get("SOURCE_DATE_EPOCH", "315532800")}
    ran = subprocess.run(  # noqa: S603 - ours
        [program, *arguments],
        cwd=cwd,
        env=given | (env or {}),
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        words = " ".join(str(one) for one in [program, *arguments][:4])
        raise Failed(f"{words} ... ended with {ran.returncode}:\n{ran.stdout}{ran.stderr}")
    return ran.stdout


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - its result


if __name__ == "__main__":
    main()
