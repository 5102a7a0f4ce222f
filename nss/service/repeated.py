"""Work that is repeated as long as the service runs, whatever happens in it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NoReturn

from nss.errors import unplanned
from nss.service import events


async def repeated(what: str, work: Callable[[], Awaitable[object]], secs: float) -> NoReturn:
    """Work every `secs` seconds. An error that nobody planned is reported, and ends nothing."""
    while True:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - one look that fails must not be the last
            events.look_failed(what, unplanned(error))
        await asyncio.sleep(secs)
