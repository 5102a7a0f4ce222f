"""A browser for tests that look at pages."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest
import uvloop

from tests.admin.portal.browser import Chromium, chromium


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run tests on both loops; those that take long on the one that the service runs on."""
    loops: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
        "asyncio": asyncio.SelectorEventLoop,
        "uvloop": uvloop.new_event_loop,
    }
    once = any(item.get_closest_marker(name) is not None for name in ("browser", "long"))
    return {"uvloop": loops["uvloop"]} if once else loops


@pytest.fixture
async def browser() -> AsyncIterator[Chromium]:
    async with chromium() as running:
        yield running
