"""A test that leaves something behind fails: tasks, threads, child processes, descriptors.

The event loop of a test cancels what is left on it, and the end of the run closes the rest, so
nobody else would see it. A test that must leave something says so, and the run repeats it:

    @pytest.mark.leaves("threads", reason="the library keeps its pool for the process")
"""

import asyncio
import gc
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

import pytest
import uvloop

Kind = Literal["tasks", "threads", "processes", "descriptors"]

TURNS = 100
"""How many turns of its loop a task gets that was cancelled, and not waited for."""

END_SECS = float(os.environ.get("NSS_LEAKS_END_SECS", "5"))
"""How long to wait for what is about to end; nothing waits where nothing is left."""

_STANDARD = {0, 1, 2}
"""The runner exchanges them as it captures what is written."""

_RUNNER = "_function_scoped_runner"  # pytest-asyncio's: it has the loop of a test
_OWN = Path("/proc/self")


Found = dict[object, str]
"""What there is: what makes it the same one later, and how it is named in a failure."""


def _threads() -> Found:
    names = [f"{thread.name} ({thread.ident})" for thread in threading.enumerate()]
    return dict(zip(names, names, strict=True))  # the number of one that ended is used again


def _processes() -> Found:
    """Return the children of this process, those that nobody has waited for among them.

    One that has just been started may get its command line only afterwards.
    """
    found: Found = {}
    for task in (_OWN / "task").glob("*/children"):
        try:
            numbers = task.read_text().split()
        except OSError:  # the thread has ended
            continue
        found |= {number: f"{number} ({_command(number)})" for number in numbers}
    return found


def _command(number: str) -> str:
    try:
        words = Path("/proc", number, "cmdline").read_bytes().split(b"\0")
    except OSError:
        return "gone"
    return b" ".join(words[:6]).decode(errors="replace").strip() or "waits to be waited for"


def _descriptors() -> Found:
    found: Found = {}
    for link in (_OWN / "fd").iterdir():
        if int(link.name) in _STANDARD:
            continue
        with suppress(FileNotFoundError):  # the listing's own
            name = f"{link.name} ({link.readlink()})"
            found[name] = name  # the number alone may be another file's by now
    return found


_LOOKS: dict[Kind, Callable[[], Found]] = {"threads": _threads}
if _OWN.exists():
    _LOOKS |= {"processes": _processes, "descriptors": _descriptors}


@dataclass
class _Watch:
    """What a test may leave, and what there was before it."""

    allowed: set[str]
    before: dict[Kind, Found]
    tasks: list[str] = field(default_factory=list)

    def left(self) -> dict[Kind, list[str]]:
        """Return what is there now and was not before, for what may still end after a while."""
        deadline = time.monotonic() + END_SECS
        found = self._now()
        if any(found.values()):
            gc.collect()  # what this closes was not closed by its owner, and warns about that
        while any(found.values()) and time.monotonic() < deadline:
            time.sleep(0.01)
            found = self._now()
        found["tasks"] = [] if "tasks" in self.allowed else self.tasks
        return {kind: names for kind, names in found.items() if names}

    def _now(self) -> dict[Kind, list[str]]:
        return {
            kind: sorted(name for key, name in look().items() if key not in self.before[kind])
            for kind, look in _LOOKS.items()
            if kind not in self.allowed
        }


_WATCH = pytest.StashKey[_Watch]()
_ALLOWED = pytest.StashKey[Counter[tuple[str, str]]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_ALLOWED] = Counter()
    uvloop.new_event_loop().close()  # the first of a process makes a pipe that all others use
    config.addinivalue_line(
        "markers", "leaves(*kinds, reason): the test may leave tasks, threads, ... behind"
    )


@pytest.fixture(autouse=True)
def _nothing_left(request: pytest.FixtureRequest) -> None:
    """Note what there is, before any other fixture of the test."""
    item = request.node
    before = {kind: look() for kind, look in _LOOKS.items()}
    item.stash[_WATCH] = _Watch(_allowed(item), before)


def _allowed(item: pytest.Item) -> set[str]:
    allowed = set[str]()
    for mark in item.iter_markers("leaves"):
        reason = str(mark.kwargs.get("reason", "")).strip()
        if not reason or not mark.args or not set(mark.args) <= set(get_args(Kind)):
            pytest.fail("leaves() takes kinds of what may be left, and the reason")
        allowed |= set(mark.args)
        item.config.stash[_ALLOWED][", ".join(mark.args), reason] += 1
    return allowed


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """Note the tasks on the loop of a test, after all fixtures on it and before its end."""
    value = yield
    watch = request.node.stash.get(_WATCH, None)
    if fixturedef.argname == _RUNNER and isinstance(value, asyncio.Runner) and watch is not None:
        fixturedef.addfinalizer(lambda: watch.tasks.extend(value.run(_tasks())))
    return value


async def _tasks() -> list[str]:
    """Return the other tasks of this loop, once those that were cancelled have ended."""
    for _ in range(TURNS):
        await asyncio.sleep(0)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if not others:
            break
    return [repr(task) for task in others]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    """Compare with what there was, once every fixture of the test has ended, and its loop."""
    yield
    watch = item.stash.get(_WATCH, None)
    if watch is None:
        return
    del item.stash[_WATCH]
    if left := watch.left():
        lines = [f"{kind}: {name}" for kind, names in left.items() for name in names]
        pytest.fail("\n    ".join(["the test leaves behind", *lines]), pytrace=False)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Repeat which tests may leave something, and why."""
    for (kinds, reason), times in sorted(config.stash[_ALLOWED].items()):
        terminalreporter.write_line(f"left behind in {times} tests: {kinds}: {reason}")
