"""The process is killed at the points where a crash would be worst; nothing accepted is lost."""

import asyncio
import signal

import pytest

from tests.crash.conftest import Ground

pytestmark = pytest.mark.long


@pytest.mark.parametrize(
    "fate",
    [
        pytest.param(("before commit", 25), id="before a commit"),
        pytest.param(("after commit", 25), id="after a commit and before anybody is told"),
        pytest.param(("mid-send", 40), id="between a send and the move of its cursor"),
        pytest.param(("before checkpoint", 2), id="before a checkpoint"),
        pytest.param(("before checkpoint", 2, 0), id="as a checkpoint begins"),
        pytest.param(("before checkpoint", 3, 1), id="within a checkpoint"),
        pytest.param(("after checkpoint", 2), id="after a checkpoint"),
    ],
)
async def test_a_kill_under_load_loses_nothing(ground: Ground, fate: tuple[object, ...]) -> None:
    ground.start_sending()

    await ground.bury(await ground.spawn(*fate))

    await ground.live_on()
    ground.judge_sources()


@pytest.mark.parametrize("point", ["before migration", "mid-migration", "after migration"])
async def test_a_kill_while_the_file_is_made_leaves_one_that_can_be_used(
    ground: Ground, point: str
) -> None:
    ground.start_sending()

    await ground.bury(await ground.spawn(point, 1))

    await ground.live_on()
    ground.judge_sources()


async def test_kills_while_the_service_recovers_from_a_kill_lose_nothing(ground: Ground) -> None:
    ground.start_sending()

    for fate in (("mid-send", 30), ("before commit", 1), ("after commit", 2), ("mid-send", 1)):
        await ground.bury(await ground.spawn(*fate))

    await ground.live_on()
    ground.judge_sources()


@pytest.mark.parametrize("moment", ["service_stopping", "feed_totals", "service_stopped"])
async def test_a_kill_during_an_orderly_stop_loses_nothing(ground: Ground, moment: str) -> None:
    ground.start_sending()
    running = await ground.spawn()
    await running.reported("service_started")
    await asyncio.sleep(0.3)

    running.send_signal(signal.SIGTERM)
    await running.reported(moment)
    await running.kill()
    await ground.judge()

    await ground.live_on()
    ground.judge_sources()


async def test_kills_around_a_salvage_lose_nothing(ground: Ground) -> None:
    ground.start_sending()
    await ground.bury(await ground.spawn("mid-send", 40))

    for millis in range(240, 480, 30):
        # A whole file under suspicion: all of it must come through.
        (ground.folder / "spool.db.suspect").touch()
        running = await ground.spawn()
        await asyncio.sleep(millis / 1000)
        await running.kill()
        await ground.bury(running)

    await ground.live_on()
    ground.judge_sources()
