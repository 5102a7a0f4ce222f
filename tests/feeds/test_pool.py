"""The pool of threads: how many there are, and that none survives it."""

import asyncio
import os
import subprocess
import sys
import threading

import pytest

from nss.feeds.pool import SPARE_THREADS, RenderPool, render_pool


def _threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("render")]


async def test_all_threads_are_started_with_the_pool_and_end_with_it() -> None:
    together = threading.Barrier(3)

    def work() -> str:
        together.wait(5)
        return threading.current_thread().name

    others = threading.active_count()
    pool = RenderPool(3)
    before = _threads()
    names = await asyncio.gather(*(pool.run(work) for _ in range(9)))
    during = _threads()
    pool.close()
    assert set(names) == set(before) == set(during)
    assert len(during) == 3
    assert (_threads(), threading.active_count()) == ([], others)


async def test_what_work_raises_is_raised_to_whoever_waits() -> None:
    def work() -> None:
        raise MemoryError("none left")

    pool = RenderPool(2)
    with pytest.raises(MemoryError, match="none left"):
        await pool.run(work)
    pool.close()


async def test_the_end_waits_for_what_is_being_done_and_for_nothing_else() -> None:
    done: list[int] = []
    began, go_on = threading.Event(), threading.Event()

    def work(number: int) -> None:
        began.set()
        go_on.wait(5)
        done.append(number)

    pool = RenderPool(1)
    first, second = pool.run(lambda: work(1)), pool.run(lambda: work(2))
    began.wait(5)
    threading.Timer(0.05, go_on.set).start()
    pool.close()
    assert (done, _threads()) == ([1], [])
    await first
    with pytest.raises(asyncio.CancelledError):
        await second


def test_one_thread_is_the_event_loop_s() -> None:
    assert render_pool(1) is None


def test_there_are_as_many_threads_as_cores_unless_somebody_says_otherwise() -> None:
    cores = min(len(os.sched_getaffinity(0)), 64)
    pool, other = render_pool(None), render_pool(5)
    assert (1 if pool is None else pool.threads) == cores
    assert other is not None
    assert other.threads == 5
    for each in (pool, other):
        if each is not None:
            each.close()


LIMITED = """
import logging, resource, sys, threading
from pathlib import Path
from nss.feeds.pool import render_pool
from nss.telemetry import logs

logs.configure("text", "info")
threading.stack_size(STACK := 64 << 20)  # what else takes memory matters little
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
room = (int(sys.argv[1]) * STACK + STACK // 2) if int(sys.argv[1]) else 0
resource.setrlimit(resource.RLIMIT_AS, (used + room + (8 << 20),) * 2)
pool = render_pool(4)
print(pool and (pool.threads, sum(t.name.startswith("render") for t in threading.enumerate())))
if pool:
    pool.close()
"""
REFUSED = "The system did not start all threads that were to render records: fewer render, or none."


@pytest.mark.parametrize(
    ("possible", "pool", "reports"),
    [
        (20, "(4, 4)", []),
        (SPARE_THREADS + 2, "(2, 2)", ["wanted=4 started=2"]),
        (SPARE_THREADS, "None", ["wanted=4 started=0"]),
        (0, "None", ["wanted=4 started=0"]),
    ],
)
def test_where_memory_is_limited_there_are_fewer_threads_and_it_is_reported(
    possible: int, pool: str, reports: list[str]
) -> None:
    command = [sys.executable, "-c", LIMITED, str(possible)]
    environ = os.environ | {"MALLOC_ARENA_MAX": "1"}  # no room of its own for each thread
    ran = subprocess.run(  # noqa: S603
        command, capture_output=True, text=True, check=True, timeout=50, env=environ
    )
    assert ran.stdout.strip() == pool
    assert [line.partition(REFUSED)[2].strip() for line in ran.stderr.splitlines()] == reports
