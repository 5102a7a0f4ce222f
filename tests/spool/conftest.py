"""Every async test of the spool runs on asyncio's event loop and on uvloop."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

import pytest
import uvloop

from nss.config.model import DurableSpoolConfig
from nss.spool.durable.spool import DurableSpool
from nss.telemetry import events


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"asyncio": asyncio.SelectorEventLoop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(autouse=True)
def quiet() -> None:
    """Each test reports its events for the first time."""
    events.clear()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the spool is."""
    return tmp_path / "spool.db"


@pytest.fixture
async def open_spool(path: Path) -> AsyncIterator[Callable[..., Awaitable[DurableSpool]]]:
    """Return what opens the spool; it is closed at the end."""
    made: list[DurableSpool] = []

    async def opened(
        *,
        now: Callable[[], float] = time.time,
        at: Callable[[str], None] = lambda _point: None,
        free_bytes: Callable[[Path], int] = lambda _folder: 1 << 40,
        max_bytes: int = 1 << 30,
        min_free_bytes: int = 0,
        drop_oldest: bool = False,
        replay_secs: float = 0.0,
        rejects_max_bytes: int = 1 << 20,
    ) -> DurableSpool:
        settings = DurableSpoolConfig(
            path=path,
            max_bytes=max_bytes,
            min_free_bytes=min_free_bytes,
            when_full="drop_oldest" if drop_oldest else "wait",
            replay_minutes=round(replay_secs / 60),
            rejects_max_bytes=rejects_max_bytes,
        )
        made.append(
            await DurableSpool.open(
                settings, now=now, free_bytes=free_bytes, overhead_bytes=0, at=at, again_secs=0.005
            )
        )
        return made[-1]

    yield opened
    for spool in made:
        await spool.close()
