"""Lines into files that are uploaded to Cloud Discovery, which analyses them some hours later.

`send` only collects; lines count as delivered when `flush` says so. An upload has three steps:
initiate, put, finalize (see `nss.mcas.api`). A step that failed is retried, with the same upload
URL as long as that is valid, also by the next process (see `nss.sinks.cloud_discovery.journal`).
"""

import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from nss.config.model import McasConfig
from nss.config.sinks import CloudDiscoverySinkConfig
from nss.errors import NssError
from nss.files.private import FileFault
from nss.mcas import McasError, RequestRefused, Throttled, Unreachable, UploadExpired, api_errors
from nss.mcas.access import audit_log, uploads_folder
from nss.mcas.api import McasApi
from nss.mcas.session import McasSession
from nss.secret import Secret
from nss.sinks import Delivered, Outcome, Rejected, RetryAfter
from nss.sinks.backoff import Backoff
from nss.sinks.cloud_discovery import events
from nss.sinks.cloud_discovery.age import MAX_AGE_DAYS, AgeLimit
from nss.sinks.cloud_discovery.collection import Collection
from nss.sinks.cloud_discovery.journal import UploadJournal
from nss.wording import error_text

THROTTLED_SECS = 5.0
"""How long to wait when MCAS asks for fewer requests and names no time."""

LOOK_SECS = 1.0
"""While an upload is stopped, how often to check whether the credentials have changed."""

RECHECK_SECS = 900.0
"""And how often to retry although they have not: the cause may be fixed in a portal."""

_READ_PAUSES_SECS = (0.1, 0.5, 0.0)
"""After each attempt to read the journal; the last is final."""

_MAX_URLS = 3
"""How many upload URLs may expire in one upload."""

_GONE = {400, 404, 409, 410, 422}
"""Answers to a finalize that has been carried out before, or whose URL is no longer known."""

_CONVERT = (
    "uploads use a legacy token, which goes with its owner's account; "
    "sudo nss configure-mcas2 takes its place"
)


class CloudDiscoverySink:
    """Collects lines for one data source, and uploads them as files.

    Files being collected, the journal and the audit log are in the state directory. Transactions
    older than 90 days are rejected. What only a person can fix stops the upload until the
    credentials change; the audit log records both.

    `clock` returns monotonic seconds, `now` seconds since the epoch.
    """

    wants_keys = False
    max_line_bytes = sys.maxsize

    def __init__(
        self,
        name: str,
        settings: CloudDiscoverySinkConfig,
        mcas: McasConfig,
        session: McasSession,
        state_directory: Path,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        backoff: Backoff | None = None,
    ) -> None:
        self.name = name
        self.last_error: str | None = None
        self.max_secs = settings.max_secs
        self.destination = f"Cloud Discovery, data source {mcas.data_source}"
        self._session = session
        self._audit = audit_log(state_directory)
        self._mcas = mcas
        self._gzip = settings.gzip
        self._clock = clock
        self._now = now
        self._backoff = backoff or Backoff()
        self._age = AgeLimit(now)
        folder = uploads_folder(state_directory)
        self._journal = UploadJournal(folder / f"{name}.json")
        self._new_collection = partial(Collection, folder, settings, clock=clock)
        self._collection = self._new_collection()
        self._outgoing: Collection | None = None
        self._is_repeat = False
        self._api: McasApi | None = None
        self._url: Secret | None = None
        self._is_put = False
        self._was_finalized = False
        """Whether a finalize at this URL may have been carried out without an answer."""
        self._stopped: tuple[object, float] | None = None
        """The stamp of the credentials that were refused, and when to retry them anyway."""

    async def open(self) -> None:
        """Load what an earlier process uploaded, or began to upload.

        A disk that fails to read is asked again before uploads may be repeated for it.
        """
        for pause_secs in _READ_PAUSES_SECS:
            try:
                await asyncio.to_thread(self._journal.load)
            except (OSError, FileFault) as error:
                reason = error_text(error) if isinstance(error, OSError) else str(error)
                await asyncio.sleep(pause_secs)
            except ValueError as error:
                reason = str(error)
                break
            else:
                return
        events.journal_unreadable(self.name, reason)

    async def send(self, lines: Sequence[bytes], keys: Sequence[str] | None = None) -> Outcome:  # noqa: ARG002 - the contract's
        """Collect lines; see `Sink.send` and `CollectingSink`."""
        fresh = self._age.within(lines)
        if fresh and not self._is_repeat:
            try:
                self._collection.add(lines if fresh == len(lines) else lines[:fresh])
            except OSError as error:
                return self._later(f"lines can't be collected: {error_text(error)}")
        if fresh < len(lines):
            return Rejected(fresh, f"older than {MAX_AGE_DAYS} days, which MCAS refuses")
        return Delivered()

    async def close(self) -> None:
        """Discard what was collected: the spool has it."""
        self._collection.close()
        if self._outgoing is not None:
            self._outgoing.close()

    @property
    def advice(self) -> str | None:
        """See `CollectingSink.advice`."""
        return _CONVERT if self._session.uses_token else None

    @property
    def collected(self) -> int:
        """See `CollectingSink.collected`."""
        return self._collection.records

    def begin(self, sequence: int, accepted_at: float) -> None:
        """See `CollectingSink.begin`."""
        self._is_repeat = (sequence, accepted_at) in self._journal.delivered
        if not self._is_repeat:
            self._collection.begin((sequence, accepted_at))

    def due_secs(self) -> float | None:
        """See `CollectingSink.due_secs`."""
        return self._collection.due_secs()

    async def flush(self) -> Delivered | RetryAfter:
        """Upload what was collected, after what an earlier process began to upload."""
        # Before anything is awaited: later, half a batch might have been collected.
        if self._outgoing is None and self._collection.records:
            self._outgoing = self._collection
            self._collection = self._new_collection(largest_batch=self._outgoing.largest_batch)
        tried = self._session.stamp()
        if self._stopped is not None:
            stamp, until = self._stopped
            if tried == stamp and self._clock() < until:
                return RetryAfter(0, LOOK_SECS, self.last_error or "")
        try:
            api = await self._session.api()
            if api is not self._api:
                self._api, self._url = api, None
            await self._settle(api)
            if self._outgoing is not None:
                await self._upload(api, self._outgoing)
        except Throttled as error:
            secs = error.retry_after_secs or THROTTLED_SECS
            self._session.limiter.hold(secs)
            return self._later(error.sentence, secs)
        except (Unreachable, UploadExpired) as error:
            return self._later(error.sentence)
        except OSError as error:
            return self._later(error_text(error))
        except NssError as error:
            return self._stop(error, tried)
        self._went_well()
        return Delivered()

    # An upload.

    async def _upload(self, api: McasApi, outgoing: Collection) -> None:
        began_at = self._clock()
        pack = outgoing.gzipped if self._gzip else outgoing.plain
        file, size_bytes = await asyncio.to_thread(pack)
        for attempt in range(_MAX_URLS):
            try:
                url = self._url
                if url is None:
                    filename = self._filename(outgoing)
                    url = self._url = await api.initiate(filename, self._mcas.source_type)
                    self._is_put = self._was_finalized = False
                if not self._is_put:
                    await api.put(url, file, size_bytes)
                    self._is_put = True
                    await asyncio.to_thread(self._journal.begin, url, outgoing.batches)
                await self._finalize(api, url)
                break
            except (UploadExpired, _NoMore):
                self._url = None
                if attempt == _MAX_URLS - 1:
                    raise
        self._url = self._outgoing = None
        await self._note_delivered()
        secs = round(self._clock() - began_at, 3)
        events.uploaded(self.name, outgoing.records, size_bytes, secs)
        outgoing.close()

    async def _finalize(self, api: McasApi, url: Secret) -> None:
        """Finalize. Raises `_NoMore` when it can't be done, and may have been done before."""
        was_finalized, self._was_finalized = self._was_finalized, True
        try:
            await api.finalize(url, self._mcas.data_source)
        except RequestRefused as error:
            self._was_finalized = was_finalized
            if was_finalized and _is_gone(error):
                events.upload_repeated(self.name, error.status)
                raise _NoMore(error.sentence) from None
            if _is_gone(error):
                self._url = None  # the next attempt gets another
            raise
        except Throttled:
            self._was_finalized = was_finalized
            raise

    async def _settle(self, api: McasApi) -> None:
        """Finalize what was put at an earlier URL, or find that it has to be uploaded again.

        It was put by an earlier process, or by this process with other credentials.
        """
        unfinished = self._journal.unfinished
        if unfinished is None or self._url is not None:
            return
        try:
            await api.finalize(unfinished.url, self._mcas.data_source)
        except RequestRefused as error:
            if not _is_gone(error):
                raise
            events.upload_repeated(self.name, error.status)
            await asyncio.to_thread(self._journal.give_up)
            return
        events.upload_finished_late(self.name, len(unfinished.batches))
        await self._note_delivered()
        outgoing = self._outgoing
        if outgoing is not None and self._journal.delivered.issuperset(outgoing.batches):
            outgoing.close()
            self._outgoing = None

    async def _note_delivered(self) -> None:
        try:
            await asyncio.to_thread(self._journal.finish)
        except OSError as error:  # the next process may upload it again
            events.journal_unwritable(self.name, error_text(error))

    def _filename(self, outgoing: Collection) -> str:
        at = datetime.fromtimestamp(self._now(), UTC)
        sequence = outgoing.batches[0][0]
        end = "log.gz" if self._gzip else "log"
        return f"{self.name}-{at:%Y%m%dT%H%M%S}-{sequence}.{end}"

    # Outcomes.

    def _later(self, reason: str, secs: float = 0.0) -> RetryAfter:
        self.last_error = f"upload failed: {reason}"
        events.upload_failed(self.name, reason)
        return RetryAfter(0, max(secs, self._backoff.next_secs()), self.last_error)

    def _stop(self, error: NssError, tried: object) -> RetryAfter:
        reason = f"upload stopped: {error}".replace("\nTry: ", ". Try: ")
        if reason != self.last_error:
            code = error.code if isinstance(error, McasError) else None
            self._audit.write("upload", "stopped", reason, feed=self.name, code=code)
            events.upload_stopped(self.name, reason)
        self.last_error = reason
        self._stopped = (tried, self._clock() + RECHECK_SECS)
        return RetryAfter(0, LOOK_SECS, reason)

    def _went_well(self) -> None:
        if self._stopped is not None:
            self._audit.write("upload", "resumed", feed=self.name)
            self._stopped = None
        if self.last_error is not None:
            events.upload_recovered(self.name)
        self.last_error = None
        self._backoff.reset()


class _NoMore(Unreachable):
    """A file that was put can no longer be finalized."""


def _is_gone(error: RequestRefused) -> bool:
    """Return whether a finalize was refused because of the URL, not because of us."""
    return error.status in _GONE and error.code != api_errors.NO_DATA_SOURCE
