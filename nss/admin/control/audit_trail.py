"""Who asks for something at the control socket, and the audit log of what came of it."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import unquote

from starlette.requests import Request

from nss.admin.audited import audited
from nss.admin.control import PERSON_HEADER
from nss.admin.local_connection import PEER_USER
from nss.telemetry.audit import AuditLog, Fact, acting_as, user_name

_MAX_PERSON_CHARS = 100


class AuditTrail:
    """Writes down what people ask for. Without a folder for the audit log, nothing is written.

    Only commands and sinks that connect to MCAS need that folder; others run without it, and
    should not find a complaint in their log for each reload.
    """

    def __init__(self, audit: AuditLog | None) -> None:
        self._audit = audit

    @asynccontextmanager
    async def asked(
        self, request: Request, action: str, **facts: Fact
    ) -> AsyncIterator[dict[str, Fact]]:
        """Have the block done in the name of whoever asks, and write down what came of it.

        The block may add facts to the dict that it is given.
        """
        own: dict[str, Fact] = {"peer_uid": request.scope["state"].get(PEER_USER), **facts}
        with acting_as(_person(request)):
            if self._audit is None or not await asyncio.to_thread(self._audit.path.parent.is_dir):
                yield own
                return
            async with audited(self._audit, action, **own) as found:
                yield found


def _person(request: Request) -> str:
    """Return whom the client names; otherwise the user at the other end of the socket.

    Whoever may open the socket is believed: he might write to the audit log as well.
    """
    named = unquote(request.headers.get(PERSON_HEADER, ""))[:_MAX_PERSON_CHARS].strip()
    if named and named.isprintable():
        return named
    peer = request.scope["state"].get(PEER_USER)
    return user_name(os.getuid() if peer is None else peer)
