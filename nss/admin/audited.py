"""Changes that leave an entry in the audit log, whatever comes of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from nss.errors import NssError, unplanned
from nss.telemetry.audit import AuditLog, Fact


@asynccontextmanager
async def audited(audit: AuditLog, action: str, **facts: Fact) -> AsyncIterator[dict[str, Fact]]:
    """Write an entry once it is known what came of the block.

    Yields the facts of the entry, for what the result adds. `failed` among them is the reason of
    a change that was tried and did not succeed.
    """
    found: dict[str, Fact] = dict(facts)
    outcome, reason = "ok", ""
    try:
        yield found
    except NssError as error:
        outcome, reason = "failed", str(error.args[0]).partition("\n")[0]
        raise
    except Exception as error:
        outcome, reason = "failed", unplanned(error)
        raise
    except asyncio.CancelledError:
        outcome, reason = "failed", "it was not waited for"
        raise
    finally:
        failed = found.pop("failed", None)
        if failed is not None:
            outcome, reason = "failed", str(failed)
        write = partial(audit.write, action, outcome, reason, **found)
        await asyncio.shield(asyncio.to_thread(write))
