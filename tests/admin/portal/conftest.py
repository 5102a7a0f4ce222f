"""A browser for tests that look at pages."""

from collections.abc import AsyncIterator

import pytest

from tests.admin.portal.browser import Chromium, chromium


@pytest.fixture
async def browser() -> AsyncIterator[Chromium]:
    async with chromium() as running:
        yield running
