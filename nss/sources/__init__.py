"""Where records come from: the contract of a source. Each kind has its own file or folder."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, runtime_checkable

from nss.batch import Batch
from nss.sources.refusals import Refusals

Accept = Callable[[Batch], Awaitable[None]]
"""Hands a batch to the spool; returns once it is accepted (durably, if the spool is durable).

Waits as long as the spool is full: a source that awaits it before reading on has back-pressure.
"""


class Source(Protocol):
    """Finds record boundaries and hands batches on; it does not parse further."""

    name: str
    """The name of the source in the configuration."""

    ready: asyncio.Event
    """Set by `run` once whoever sends to it can connect."""

    async def run(self, accept: Accept) -> None:
        """Read until there is nothing more to come (a whole file, stdin) or until `stop`.

        A batch goes out when it has about 1 MiB, or what has come in 200 ms. Returns after the
        last batch was accepted. Raises `nss.errors.SourceError` for what waiting does not cure;
        everything else is retried inside and reported through telemetry.
        """

    async def stop(self) -> None:
        """Stop reading; `run` returns once the complete records that were read are accepted."""

    @property
    def last_error(self) -> str | None:
        """What is wrong now, as a sentence; `None` while all is well."""

    @property
    def advice(self) -> str | None:
        """What somebody should know though the source works, as a sentence."""


@runtime_checkable
class RefusingSource(Protocol):
    """A source that others send to, some of what they send being refused."""

    refusals: Refusals
