"""An image that `make appliance` has built, looked into without booting it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT_OFFSET = 66 << 20
HOME = Path(__file__).parent
FOLDER = Path(os.environ.get("NSS_APPLIANCE", HOME.parents[2] / "build/appliance"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    why_not = next(
        (f"no {tool}" for tool in ("qemu-img", "debugfs", "sfdisk") if not shutil.which(tool)),
        "" if list(FOLDER.glob("*.qcow2")) else "no image was built: make appliance",
    )
    for item in items:
        if HOME in item.path.parents:
            item.add_marker(pytest.mark.timeout(120))
            if why_not:
                item.add_marker(pytest.mark.skip(reason=why_not))


def ran(*command: str | Path) -> str:
    """Run a tool and return its stdout."""
    ran = subprocess.run(  # noqa: S603 - ours
        [str(one) for one in command], capture_output=True, text=True, check=True, timeout=100
    )
    return ran.stdout


def one_of(ending: str) -> Path:
    """Return the file with the ending, or skip."""
    found = list(FOLDER.glob(f"*{ending}"))
    if not found:
        pytest.skip(f"no {ending} was built: make appliance")
    return found[0]


class Root:
    """The root in an image."""

    def __init__(self, raw: Path) -> None:
        self.raw = raw

    def debugfs(self, request: str) -> str:
        return ran("debugfs", "-R", request, f"{self.raw}?offset={ROOT_OFFSET}")

    def text(self, path: str) -> str:
        return self.debugfs(f"cat {path}")

    def names(self, path: str) -> list[str]:
        """Return the names in a folder; none where there is no folder."""
        rows = [row.split("/") for row in self.debugfs(f"ls -p {path}").splitlines()]
        return sorted(row[5] for row in rows if len(row) > 5 and row[5] not in {".", ".."})

    def owned(self, path: str) -> tuple[int, int, int]:
        """Return mode, user and group."""
        folder, name = path.rsplit("/", 1)
        for row in self.debugfs(f"ls -p {folder or '/'}").splitlines():
            fields = row.split("/")
            if len(fields) > 5 and fields[5] == name:
                return int(fields[2], 8) & 0o7777, int(fields[3]), int(fields[4])
        raise FileNotFoundError(path)


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Root:
    raw = tmp_path_factory.mktemp("image") / "disk.raw"
    ran("qemu-img", "convert", "-O", "raw", one_of(".qcow2"), raw)
    return Root(raw)
