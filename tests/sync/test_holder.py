"""Who syncs at the moment, as somebody who only watches finds out."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nss.sync import SyncUnderway
from nss.sync.state import SyncStore

HOLD = """
import sys
from pathlib import Path
from nss.sync.state import SyncStore
with SyncStore(Path(sys.argv[1])).lock():
    print("held", flush=True)
    sys.stdin.readline()
print("free", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def store(tmp_path: Path) -> SyncStore:
    found = SyncStore(tmp_path)
    found.prepare()
    return found


@contextmanager
def another_process(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """Have another process hold the lock; a line to it releases that, another ends it."""
    with subprocess.Popen(  # noqa: S603 - ours
        [sys.executable, "-c", HOLD, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process


def tell(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def test_nobody_does_before_the_first_run_and_after_it(tmp_path: Path, store: SyncStore) -> None:
    assert SyncStore(tmp_path / "nowhere").holder() is None
    assert store.holder() is None
    with store.lock():
        assert store.holder() is None  # this process knows it by itself
    assert store.holder() is None


def test_another_process_does_until_it_has_ended(tmp_path: Path, store: SyncStore) -> None:
    with another_process(tmp_path) as process:
        assert store.holder() == process.pid
        with pytest.raises(SyncUnderway, match=f"process {process.pid} syncs"), store.lock():
            pass
        tell(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "free\n"
        assert store.holder() is None  # it is still there, and holds nothing
        with store.lock():
            pass
        tell(process)


@pytest.mark.parametrize("content", [b"", b"x", b"99999999999999999999", b"\xff\xff", b"-1"])
def test_a_lock_with_nonsense_in_it_is_nobodys(
    tmp_path: Path, store: SyncStore, content: bytes
) -> None:
    path = tmp_path / "sync" / "lock"
    path.write_bytes(content)
    assert store.holder() is None
    path.unlink()
    path.symlink_to("/etc/passwd")
    assert store.holder() is None
