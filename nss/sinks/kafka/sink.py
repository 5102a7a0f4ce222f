"""Lines into a topic of Kafka, delivered once the cluster has confirmed them.

A call of `send` puts its lines on their way and waits until all are confirmed. What fails is sent
again, in its order, and nothing else is. What is not confirmed in time stays on its way, and the
next call waits for it: the producer is idempotent, so what the cluster had written all the same is
not written twice. The producer's work is in `nss.sinks.kafka.producing`.
"""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from formats.lines import Lines
from nss.causes import TEST, Cause
from nss.config.sinks import KafkaSinkConfig
from nss.errors import NssError
from nss.kafka.errors import Cluster
from nss.kafka.settings import ClientSettings
from nss.sinks import Delivered, Outcome, Rejected, RetryAfter, events
from nss.sinks.backoff import Backoff
from nss.sinks.kafka.messages import OVERHEAD_BYTES, Messages
from nss.sinks.kafka.producing import Producing

AGAIN_SECS = 1.0
"""How long a call waits for what an earlier one has waited for already."""

MAX_PATIENCE_SECS = 3600.0

_SMALLER_BATCHES = (
    "the cluster refused a batch of messages as too large, and took them one by one, which is "
    'slow. Try: set "batch.size" in the table kafka of [{section}] below max.message.bytes of the '
    "topic"
)


class KafkaSink:
    """Sends the lines of a feed to a topic.

    `client` is what `nss.kafka.settings` makes of the section. `clock` returns monotonic seconds,
    `jitter` a number in [0, 1).
    """

    def __init__(
        self,
        name: str,
        settings: KafkaSinkConfig,
        client: ClientSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.name = name
        self.wants_keys = settings.key == "user"
        self.max_line_bytes = settings.max_message_bytes - OVERHEAD_BYTES
        self._settings = settings
        self._section = f"feeds.{name}.sink"
        cluster = Cluster(settings.brokers, self._section, settings.topic)
        self.destination = f"topic {settings.topic} at {cluster.place}"
        limits = {
            "message.max.bytes": max(1000, settings.max_message_bytes),
            "compression.type": settings.compression,
        }
        self._producing = Producing(f"feed {name}", cluster, {**client, **limits}, clock)
        self._backoff = Backoff(jitter)
        self._messages: Messages | None = None
        """What is not confirmed yet of the lines of the last call."""
        self._is_waiting = False
        """Whether some of that is on its way."""
        self._clock = clock
        self._late_since: float | None = None
        """Since when nothing is confirmed of what is on its way."""
        self._patience_secs = 2 * settings.confirm_secs
        """After this long the session is ended of which a cluster that answers confirms nothing."""
        self._trouble: Cause | None = None
        self._takes_no_batches = False
        self._is_closed = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"sink-{name}")

    @property
    def last_error(self) -> str | None:
        """See `Sink.last_error`."""
        return None if self._trouble is None else self._trouble.sentence

    @property
    def remedy(self) -> str:
        """See `Sink.remedy`."""
        return "" if self._trouble is None else self._trouble.remedy

    @property
    def advice(self) -> str | None:
        """See `Sink.advice`."""
        wanted = self._takes_no_batches and self._trouble is None
        return _SMALLER_BATCHES.format(section=self._section) if wanted else None

    async def open(self) -> None:
        """Make the producer, which connects when it has something to send. Raises `NssError`."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._producing.begin)

    async def send(self, lines: Lines, keys: Sequence[int] | None = None) -> Outcome:
        """Send lines and wait for their confirmation; see `Sink.send`."""
        if not lines:
            return Delivered()
        self._producing.given_up.clear()
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, self._send, lines, keys)
        except asyncio.CancelledError:
            self._producing.given_up.set()
            raise

    async def close(self) -> None:
        """End the producer: what it has not confirmed is in the spool."""
        if self._is_closed:
            return
        self._is_closed = True
        self._producing.given_up.set()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._producing.end)
        self._thread.shutdown(wait=False)

    def _send(self, lines: Lines, keys: Sequence[int] | None) -> Outcome:
        messages = self._messages
        if messages is None or not messages.is_rest(lines):
            if self._is_waiting:  # for lines that nobody waits for any more
                self._producing.end()
                self._is_waiting, self._late_since = False, None
            pack_bytes = self._settings.pack_bytes
            self._messages = messages = Messages(lines, keys, pack_bytes)
        try:
            self._producing.begin()
        except NssError as error:
            return self._later(messages, Cause(str(error.args[0]), error.tip or ""))
        return self._deliver(messages)

    def _deliver(self, messages: Messages) -> Outcome:
        """Send what is left until all is confirmed, or something stands in the way."""
        while (stretch := messages.next) is not None:
            secs = min(AGAIN_SECS, self._settings.confirm_secs)
            if not self._is_waiting:
                self._producing.produce(messages.payloads(stretch))
                self._is_waiting = True
                secs = self._settings.confirm_secs
            report = self._producing.wait(secs)
            if report is None:
                cause = self._late()
                self._renew_if_forgotten()
                return self._later(messages, cause)
            self._is_waiting, self._late_since = False, None
            if report.is_good:
                self._takes_no_batches = self._takes_no_batches or stretch.is_alone
                messages.confirm(stretch)
            elif report.refused and stretch.is_alone:
                reason = f"refused by Kafka: {report.refusal}"
                return Rejected(messages.reject(), reason)
            else:
                messages.keep(stretch, report.failed, report.refused)
                if report.cause is not None:
                    return self._later(messages, report.cause)
        self._messages = None
        self._went_well()
        return Delivered()

    def _renew_if_forgotten(self) -> None:
        """End a session that the cluster seems to have forgotten, so that another one begins.

        What it had written all the same comes twice then. A cluster that does not answer keeps its
        session: it confirms once it is back. Each further attempt waits twice as long.
        """
        now = self._clock()
        if self._late_since is None:
            self._late_since = now
        if now - self._late_since >= self._patience_secs and self._producing.answers():
            self._producing.end()
            self._is_waiting, self._late_since = False, None
            self._patience_secs = min(2 * self._patience_secs, MAX_PATIENCE_SECS)

    def _late(self) -> Cause:
        """Return why there is no confirmation."""
        known = self._producing.troubles.recent()
        if known is not None:
            return known
        secs = self._settings.confirm_secs
        return Cause(
            f"the cluster has not confirmed lines for {secs:g} s",
            f"see the brokers of [{self._section}]: they hang, are overloaded, or have a full "
            f"disk; the way to all of them: {TEST}",
        )

    def _later(self, messages: Messages, cause: Cause) -> RetryAfter:
        self._trouble = cause
        events.destination_failed(self.name, self.destination, cause.sentence)
        return RetryAfter(messages.hand_over(), self._backoff.next_secs(), cause.sentence)

    def _went_well(self) -> None:
        if self._trouble is not None:
            events.destination_recovered(self.name, self.destination)
        self._trouble = None
        self._patience_secs = 2 * self._settings.confirm_secs
        self._backoff.reset()
