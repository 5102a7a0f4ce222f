"""The process is killed at random moments under load; `NSS_CRASHES=100` asks for so many."""

import asyncio
import os
import random
import sys

import pytest

from tests.crash.conftest import Ground

pytestmark = pytest.mark.long

CRASHES = int(os.environ.get("NSS_CRASHES", "12"))
LIFE_SECS = (0.2, 1.2)
"""The service is up after about 0.4 s: some kills hit its start, and its recovery."""


@pytest.mark.timeout(180 + 10 * CRASHES)
async def test_kills_at_random_moments_lose_nothing(ground: Ground) -> None:
    moments = random.Random(os.environ.get("NSS_CRASH_SEED"))
    ground.start_sending()

    for _ in range(CRASHES):
        running = await ground.spawn()
        await asyncio.sleep(moments.uniform(*LIFE_SECS))
        await running.kill()
        await ground.bury(running)

    await ground.live_on()
    ground.judge_sources()
    sys.stdout.write(f"\n{ground.figures()}\n")  # seen with -s
