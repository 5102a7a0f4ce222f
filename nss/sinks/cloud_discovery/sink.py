"""Lines into files that are uploaded to Cloud Discovery, which analyses them some hours later.

`send` only collects; lines count as delivered when `flush` says so. How a file is uploaded is in
`nss.sinks.cloud_discovery.uploader`, when that is tried again in `nss.sinks.cloud_discovery.holds`.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from formats.lines import Lines
from nss.causes import Cause
from nss.config.model import McasConfig
from nss.config.sinks import CloudDiscoverySinkConfig
from nss.errors import NssError
from nss.expiry import Expiry
from nss.files.private import FileFault
from nss.mcas import McasError, Throttled, Unconfirmed, Unreachable, UploadExpired
from nss.mcas.access import audit_log, uploads_folder
from nss.mcas.api import McasApi
from nss.mcas.session import McasSession
from nss.mcas.uploaded import UploadedFiles
from nss.sinks import Delivered, Outcome, Rejected, RetryAfter
from nss.sinks.backoff import Backoff
from nss.sinks.cloud_discovery import events
from nss.sinks.cloud_discovery.age import MAX_AGE_DAYS, AgeLimit
from nss.sinks.cloud_discovery.collection import Collection
from nss.sinks.cloud_discovery.holds import Holds
from nss.sinks.cloud_discovery.incoming import Incoming
from nss.sinks.cloud_discovery.journal import UploadJournal
from nss.sinks.cloud_discovery.uploader import Uploader
from nss.status.readings import UploadReading, UploadState
from nss.wording import error_text

THROTTLED_SECS = 5.0
"""How long to wait when a service asks for fewer requests and names no time."""

LOOK_SECS = 1.0
"""While an upload is held, how often to check whether the credentials have changed."""

_READ_PAUSES_SECS = (0.1, 0.5, 0.0)
"""After each attempt to read the journal; the last is final."""

_CONVERT = (
    "uploads use a legacy token, which goes with its owner's account; "
    "sudo nss configure-mcas2 takes its place"
)
_NO_NEED = "nothing needs to be done, unless it lasts: see requests_per_minute in [mcas]"
_UNCONFIRMED = (
    "MCAS did not confirm the last file, which counts as delivered "
    "(unconfirmed_counts_as_delivered in [mcas])"
)


class CloudDiscoverySink:
    """Collects lines for one data source, and uploads them as files.

    Files being collected, the journal and the audit log are in the state directory. Transactions
    older than 90 days are rejected. The audit log records when uploads stopped because of the same
    refusal again and again, and when they resumed.

    `clock` returns monotonic seconds, `now` seconds since the epoch.
    """

    wants_keys = False

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
        self.remedy = ""
        self._said = ""
        """The last error, and what to try."""
        self.max_secs = settings.max_secs
        self.max_line_bytes = settings.max_bytes - 1
        self.destination = f"Cloud Discovery, data source {mcas.data_source}"
        self._session = session
        self._audit = audit_log(state_directory)
        self._stop_reason: str | None = None
        """Why uploads stopped, as it is in the audit log."""
        self._max_hold_secs = mcas.max_retry_after_secs
        self._clock = clock
        self._now = now
        self._backoff = backoff or Backoff()
        self._holds = Holds(clock)
        self._age = AgeLimit(now)
        self._folder = folder = uploads_folder(state_directory)
        self._journal = UploadJournal(folder / f"{name}.json")
        self._names = UploadedFiles(folder, name)
        self._uploader = Uploader(
            name, mcas, self._journal, self._names, gzip=settings.gzip, clock=clock, now=now
        )
        new_collection = partial(Collection, folder, settings, clock=clock)
        self._incoming = Incoming(self._journal, new_collection, settings.max_secs, clock)

    async def open(self) -> None:
        """Load what an earlier process uploaded, or began to upload.

        A disk that fails to read is asked again before uploads may be repeated for it.
        """
        await self._load_names()
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

    async def _load_names(self) -> None:
        try:
            await asyncio.to_thread(self._names.load)
        except (OSError, FileFault, ValueError) as error:
            reason = error_text(error) if isinstance(error, OSError) else str(error)
            events.names_unreadable(self.name, reason)

    async def send(self, lines: Lines, keys: Sequence[int] | None = None) -> Outcome:  # noqa: ARG002 - the contract's
        """Collect lines; see `Sink.send` and `CollectingSink`."""
        taken = 0
        try:
            self._incoming.collect()  # what a full disk left; before that, nothing more is taken
            fresh = self._age.within(lines)
            self._incoming.take(lines if fresh == len(lines) else lines[:fresh])
            taken = fresh
            self._incoming.collect()
        except OSError as error:
            return replace(
                self._later(self._of_disk(error, "lines can't be collected: ")), sent=taken
            )
        if fresh < len(lines):
            self._incoming.skip()
            return Rejected(fresh, f"older than {MAX_AGE_DAYS} days, which MCAS refuses")
        return Delivered()

    async def close(self) -> None:
        """Discard what was collected: the spool has it."""
        self._incoming.close()
        if self._uploader.outgoing is not None:
            self._uploader.outgoing.close()

    @property
    def advice(self) -> str | None:
        """See `Sink.advice`."""
        if self._uploader.is_last_unconfirmed:
            return _UNCONFIRMED
        return _CONVERT if self._session.uses_token else None

    async def expiries(self) -> Sequence[Expiry]:
        """See `ExpiringSink.expiries`."""
        return await asyncio.to_thread(self._session.expiries)

    @property
    def upload(self) -> UploadReading:
        """See `CollectingSink.upload`."""
        now, due_secs = self._now(), self.due_secs()
        held_secs = max(self._holds.left_secs, self._session.limiter.held_secs)
        return UploadReading(
            state=self._state(held_secs),
            last_confirmed_at=self._uploader.confirmed_at,
            next_due_at=None if due_secs is None else now + due_secs,
            held_until=now + held_secs if held_secs else None,
            unconfirmed=self._uploader.unconfirmed,
        )

    def _state(self, held_secs: float) -> UploadState:
        match self._holds.kind:
            case "stopped" | "unconfirmed" as kind:
                return kind
            case "refused":
                return "failing"
        if held_secs:
            return "held"
        if self.last_error is not None:
            return "failing"
        return "collecting" if self._uploader.outgoing is None else "uploading"

    @property
    def collected(self) -> int:
        """See `CollectingSink.collected`."""
        return self._incoming.records

    @property
    def needs_room(self) -> bool:
        """See `CollectingSink.needs_room`."""
        return self._uploader.outgoing is None and self._incoming.needs_room

    def begin(self, sequence: int, accepted_at: float) -> None:
        """See `CollectingSink.begin`."""
        self._incoming.begin((sequence, accepted_at))

    def due_secs(self) -> float | None:
        """See `CollectingSink.due_secs`."""
        return self._incoming.due_secs()

    def retry(self, *, again: bool = False) -> None:
        """See `CollectingSink.retry`."""
        self._holds.end()
        self._session.limiter.release()
        self._backoff.reset()
        self._uploader.repeat(again=again)

    async def flush(self) -> Delivered | RetryAfter:
        """Upload what was collected, after what an earlier process began to upload."""
        tried = self._session.stamp()
        try:
            # Before anything is awaited: later, lines of the next batches might be with them.
            self._uploader.outgoing = self._uploader.outgoing or self._incoming.hand_over()
            if held_secs := self._holds.look(tried):
                return RetryAfter(0, min(held_secs, LOOK_SECS), self._said)
            api = await self._session.api()
        except NssError as error:  # nobody was asked: the next one would say the same
            self._holds.refuse(error, tried, at_once=True)
            return self._stop(error)
        except OSError as error:
            return self._later(self._of_disk(error))
        return await self._upload(api, tried)

    async def _upload(self, api: McasApi, tried: object) -> Delivered | RetryAfter:
        if held_secs := self._session.limiter.held_secs:
            return self._wait_for_others(held_secs)
        try:
            await self._uploader.settle(api)
            while (outgoing := self._outgoing()) is not None:
                await self._uploader.upload(api, outgoing)
                self._went_well()
        except (McasError, OSError) as error:
            return self._failed(error, tried)
        except NssError as error:
            return self._refused(error, tried)
        self._went_well()
        return Delivered()

    def _outgoing(self) -> Collection | None:
        """Return what is on its way, and after it what a full disk left behind."""
        if self._uploader.outgoing is None and self._incoming.left_behind:
            self._uploader.outgoing = self._incoming.hand_over()
        return self._uploader.outgoing

    # Outcomes.

    def _failed(self, error: McasError | OSError, tried: object) -> RetryAfter:
        match error:
            case Throttled():
                return self._throttled(error, tried)
            case Unconfirmed():
                self._holds.hold("unconfirmed", self._uploader.pause_secs, tried)
                return self._wait(LOOK_SECS, "upload unconfirmed", error)
            case Unreachable() | UploadExpired():
                return self._later(Cause(error.sentence, error.tip or ""))
            case OSError():
                return self._later(self._of_disk(error))
            case _:
                return self._refused(error, tried)

    def _throttled(self, error: Throttled, tried: object) -> RetryAfter:
        """Wait as long as a service asks for; the pause of one does not hold the others."""
        asked_secs = error.retry_after_secs
        if asked_secs is None:
            asked_secs = THROTTLED_SECS
        secs = max(min(asked_secs, self._max_hold_secs), self._backoff.next_secs())
        self._holds.hold("held", secs, tried)
        if error.by == "MCAS":
            self._session.limiter.hold(secs)
        self.last_error = self._said = f"upload held: {error.sentence}"
        self.remedy = _NO_NEED
        events.upload_failed(self.name, error.sentence)
        return RetryAfter(0, min(secs, LOOK_SECS), self.last_error)

    def _wait_for_others(self, held_secs: float) -> RetryAfter:
        """Wait because another feed was asked to send fewer requests."""
        if self.last_error is None:
            reason = "MCAS asks for fewer requests"
            self.last_error = self._said = f"upload held: {reason}"
            self.remedy = _NO_NEED
            events.upload_failed(self.name, reason)
        return RetryAfter(0, min(held_secs, LOOK_SECS), self.last_error)

    def _later(self, cause: Cause) -> RetryAfter:
        self.last_error = self._said = f"upload failed: {cause.sentence}"
        self.remedy = cause.remedy
        events.upload_failed(self.name, cause.sentence)
        return RetryAfter(0, self._backoff.next_secs(), self.last_error)

    def _of_disk(self, error: OSError, what: str = "") -> Cause:
        remedy = f"see space and rights of {self._folder}: df {self._folder}; ls -ld {self._folder}"
        return Cause(f"{what}{error_text(error)}", remedy)

    def _wait(self, secs: float, what: str, error: NssError) -> RetryAfter:
        """Note what is wrong; whoever asked for the upload gets it with its remedy."""
        self.last_error, self.remedy = f"{what}: {error.args[0]}", error.tip or ""
        self._said = _sentence(what, error)
        return RetryAfter(0, secs, self._said)

    def _refused(self, error: NssError, tried: object) -> RetryAfter:
        if self._holds.refuse(error, tried):
            return self._stop(error)
        outcome = self._wait(LOOK_SECS, "upload failed", error)
        events.upload_failed(self.name, outcome.reason.removeprefix("upload failed: "))
        return outcome

    def _stop(self, error: NssError) -> RetryAfter:
        outcome = self._wait(LOOK_SECS, "upload stopped", error)
        reason = outcome.reason
        if reason != self._stop_reason:
            self._stop_reason = reason
            code = error.code if isinstance(error, McasError) else None
            self._audit.write("upload", "stopped", reason, feed=self.name, code=code)
            events.upload_stopped(self.name, reason)
        return outcome

    def _went_well(self) -> None:
        if self._stop_reason is not None:
            self._audit.write("upload", "resumed", feed=self.name)
            self._stop_reason = None
        if self.last_error is not None:
            events.upload_recovered(self.name)
        self.last_error, self.remedy = None, ""
        self._holds.end()
        self._backoff.reset()


def _sentence(what: str, error: NssError) -> str:
    """Return what happened and what to try, in one line."""
    return f"{what}: {error}".replace("\nTry: ", ". Try: ")
