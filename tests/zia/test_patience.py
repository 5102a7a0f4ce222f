"""What is tried again, and when."""

import time

import pytest

from nss.zia import Busy, RequestRefused, Unreachable, ZiaError
from nss.zia.patience import FIRST_SECS, LONGEST_SECS, Patience
from tests.zia.stand_in import Clock

LOCKED = Busy("somebody else is saving")


class Attempts:
    """Fails as told, then succeeds."""

    def __init__(self, *errors: ZiaError) -> None:
        self.errors = list(errors)

    async def __call__(self) -> str:
        if self.errors:
            raise self.errors.pop(0)
        return "done"


async def test_an_edit_lock_is_tried_again_after_growing_pauses() -> None:
    clock = Clock()
    attempts = Attempts(*[LOCKED] * 6)
    done = await clock.patience().repeat(attempts, 2000.0, is_harmless=False)
    assert done == "done"
    assert clock.slept == [5, 10, 20, 40, 60, 60]
    assert (FIRST_SECS, LONGEST_SECS) == (5, 60)


async def test_what_zia_asks_for_is_the_least_that_is_waited() -> None:
    clock = Clock()
    attempts = Attempts(Busy("later", retry_after_secs=1.0), Busy("later", retry_after_secs=90.0))
    await clock.patience().repeat(attempts, 2000.0, is_harmless=False)
    assert clock.slept == [1, 90]
    spread = Patience(clock=clock, sleep=clock.sleep, chance=lambda: 1.0)
    await spread.repeat(Attempts(Busy("later", retry_after_secs=4.0)), 2000.0, is_harmless=False)
    assert clock.slept[-1] == 5


async def test_no_pause_goes_beyond_the_deadline() -> None:
    clock = Clock()
    with pytest.raises(Busy) as caught:
        await clock.patience().repeat(Attempts(*[LOCKED] * 9), 1020.0, is_harmless=True)
    assert caught.value is LOCKED
    assert clock.slept == [5, 10]


async def test_what_may_have_been_carried_out_is_repeated_only_if_that_is_harmless() -> None:
    clock = Clock()
    lost = Unreachable("no answer in time")
    with pytest.raises(Unreachable):
        await clock.patience().repeat(Attempts(lost), 2000.0, is_harmless=False)
    assert clock.slept == []
    assert await clock.patience().repeat(Attempts(lost), 2000.0, is_harmless=True) == "done"
    assert clock.slept == [5]


async def test_a_refusal_is_final() -> None:
    clock = Clock()
    with pytest.raises(RequestRefused):
        await clock.patience().repeat(Attempts(RequestRefused("no")), 2000.0, is_harmless=True)
    assert clock.slept == []


async def test_the_real_clock_and_chance() -> None:
    began = time.monotonic()
    patience = Patience()
    later = Busy("later", retry_after_secs=0.02)
    assert await patience.repeat(Attempts(later), began + 60, is_harmless=False) == "done"
    assert time.monotonic() - began >= 0.02
    with pytest.raises(Busy):
        await patience.repeat(Attempts(later), began, is_harmless=False)
