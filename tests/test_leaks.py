"""What watches every test, on tests that leave something behind and on some that do not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

TESTS = {
    "a_task": """
async def test():
    asyncio.get_running_loop().kept = asyncio.ensure_future(asyncio.Event().wait())
""",
    "a_task_of_a_fixture": """
@pytest.fixture
async def left():
    yield asyncio.ensure_future(asyncio.Event().wait())
def test(left): pass
""",
    "a_thread": """
def test():
    threading.Thread(target=threading.Event().wait, daemon=True).start()
""",
    "a_process": """
def test():
    kept.append(subprocess.Popen(["cat"], stdin=subprocess.PIPE))
""",
    "a_process_that_nobody_waited_for": """
def test():
    kept.append(subprocess.Popen(["true"]))
""",
    "a_descriptor": """
def test():
    os.open("/", os.O_RDONLY)
""",
    "a_socket": """
def test():
    kept.append(socket.socket())
""",
    "no_reason": """
@pytest.mark.leaves("threads")
def test(): pass
""",
    "no_kind": """
@pytest.mark.leaves("thread", reason="a kind that there is not")
def test(): pass
""",
}

CLEAN = """
import asyncio, os, threading
import pytest
@pytest.fixture(scope="module")
def shared():
    number = os.open("/", os.O_RDONLY)
    yield number
    os.close(number)
async def test_a_cancelled_task_may_have_its_last_turns():
    task = asyncio.ensure_future(asyncio.Event().wait())
    await asyncio.sleep(0)
    task.cancel()
async def test_a_thread_of_the_loop_ends_with_it():
    await asyncio.to_thread(int)
def test_a_thread_may_be_about_to_end():
    threading.Timer(0.1, int).start()
def test_what_others_share_is_not_of_this_test(shared): pass
@pytest.mark.leaves("threads", "descriptors", reason="as a library does")
def test_what_is_allowed():
    os.open("/", os.O_RDONLY)
    threading.Thread(target=threading.Event().wait, daemon=True).start()
"""

IMPORTS = "import asyncio, os, socket, subprocess, threading\nimport pytest\nkept = []\n"


def ran(folder: Path, *options: str) -> str:
    """Return what pytest says of the tests in a folder, with the watch and without ours."""
    plugins = ("-p", "tests.leaks", "-p", "no:cacheprovider", "-p", "no:randomly")
    found = subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-m", "pytest", "-q", *plugins, *options, "--asyncio-mode=auto", folder],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "300", "NSS_LEAKS_END_SECS": "0.5"},
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout + found.stderr


def test_what_a_test_leaves_behind_fails_it(tmp_path: Path) -> None:
    for name, text in TESTS.items():
        (tmp_path / f"test_{name}.py").write_text(IMPORTS + text)
    expected = {
        "a_task": "tasks: <Task pending",
        "a_task_of_a_fixture": "tasks: <Task pending",
        "a_thread": "threads: Thread-",
        "a_process": "(cat)",
        "a_process_that_nobody_waited_for": "(waits to be waited for)",
        "a_descriptor": "descriptors: ",
        "a_socket": "(socket:[",
        "no_reason": "leaves() takes",
        "no_kind": "leaves() takes",
    }
    assert expected.keys() == TESTS.keys()

    text = ran(tmp_path)

    for name, words in expected.items():
        assert f"ERROR test_{name}.py::test" in text, text
        _, _, report = text.partition(f"of test_{name}")
        assert words in text, report
    assert f"{len(TESTS) - 2} passed, {len(TESTS)} errors" in text


def test_a_clean_end_and_what_is_allowed_pass(tmp_path: Path) -> None:
    (tmp_path / "test_clean.py").write_text(CLEAN)

    text = ran(tmp_path)

    assert "5 passed" in text, text
    assert "error" not in text, text
    assert "left behind in 1 tests: threads, descriptors: as a library does" in text


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_both_event_loops_are_watched(tmp_path: Path, kind: str) -> None:
    new = {"asyncio": "asyncio.SelectorEventLoop", "uvloop": "uvloop.new_event_loop"}[kind]
    (tmp_path / "conftest.py").write_text(
        "import asyncio, uvloop\n"
        f"def pytest_asyncio_loop_factories():\n    return {{'{kind}': {new}}}\n"
    )
    (tmp_path / "test_task.py").write_text(IMPORTS + TESTS["a_task"])

    assert "ERROR test_task.py::test" in ran(tmp_path)
