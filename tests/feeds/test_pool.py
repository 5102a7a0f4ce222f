"""The pool of threads: how many there are, and that none survives it."""

import asyncio
import os
import threading
import time

import pytest

from nss.feeds.pool import RenderPool, render_pool


def _threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("render")]


async def test_threads_are_started_for_work_and_end_with_the_pool() -> None:
    def work() -> str:
        time.sleep(0.01)
        return threading.current_thread().name

    pool = RenderPool(3)
    before = _threads()
    names = await asyncio.gather(*(pool.run(work) for _ in range(9)))
    during = _threads()
    pool.close()
    assert before == _threads() == []
    assert set(names) == set(during)
    assert len(during) <= 3


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
