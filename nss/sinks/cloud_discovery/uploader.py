"""Files on their way to MCAS: how far each has come, and what may be done again.

An upload has three steps: initiate, put, finalize (see `nss.mcas.api`). A step that failed is
repeated at the same upload URL as long as that is valid, also by the next process (see
`nss.sinks.cloud_discovery.journal`). A finalize that was answered with neither a yes nor a no is
repeated a few times, since a repeat may double the file; then only the data source is looked at.
"""

import asyncio
from collections.abc import Callable
from functools import partial

from nss.config.model import McasConfig
from nss.mcas import (
    McasError,
    RequestRefused,
    Throttled,
    Unconfirmed,
    Unreachable,
    UploadExpired,
    api_errors,
)
from nss.mcas.api import McasApi
from nss.mcas.uploaded import UploadedFiles, file_name
from nss.secret import Secret
from nss.sinks.cloud_discovery import events
from nss.sinks.cloud_discovery.collection import Collection
from nss.sinks.cloud_discovery.journal import UploadJournal
from nss.sinks.cloud_discovery.upload_file import UploadFile
from nss.wording import error_text

REPEAT_SECS = (5.0, 60.0, 900.0, 3600.0, 21_600.0)
"""The pauses before an unconfirmed finalize is repeated, once each."""

LOOK_SECS = 900.0
"""How often the data source is looked at when the finalize is not repeated any more."""

_MAX_URLS = 3
"""How many upload URLs may expire in one upload."""

_GONE = {400, 404, 409, 410, 422}
"""Answers to a finalize that has been carried out before, or whose URL is no longer known."""

_MULTIPLE_CHOICES = 300
_MAX_TIME_CHARACTERS = 40


class Uploader:
    """Uploads the files of one feed, one after the other.

    `clock` returns monotonic seconds, `now` seconds since the epoch.
    """

    def __init__(
        self,
        name: str,
        mcas: McasConfig,
        journal: UploadJournal,
        names: UploadedFiles,
        *,
        gzip: bool,
        clock: Callable[[], float],
        now: Callable[[], float],
    ) -> None:
        self.outgoing: Collection | None = None
        self.confirmed_at: float | None = None
        """When MCAS confirmed an upload last, seconds since the epoch."""
        self.unconfirmed = 0
        """Files that counted as delivered though they were not confirmed."""
        self.is_last_unconfirmed = False
        """Whether the last of all files was such a one."""
        self._name = name
        self._mcas = mcas
        self._journal = journal
        self._names = names
        self._gzip = gzip
        self._clock = clock
        self._now = now
        self._api: McasApi | None = None
        self._url: Secret | None = None
        self._is_put = False
        self._was_finalized = False
        """Whether a finalize at this URL may have been carried out without an answer."""
        self._open_answers = 0
        """How often the finalize at hand was answered with neither a yes nor a no."""
        self._is_gone = False
        """Whether MCAS refuses to finalize it once more."""
        self._may_double = False
        self._received_first: str | None = None
        self._stream_id: str | None = None
        """Of the data source, as the last answer named it."""
        self._refused_url: Secret | None = None
        """Where every finalize so far was answered with a no."""
        self._last_url: Secret | None = None
        """Where the last file was put that counts as delivered."""

    async def settle(self, api: McasApi) -> None:
        """Come to an end with what was begun before. Raises `McasError` and `OSError`."""
        if api is not self._api:
            self._api, self._url = api, None
            self._open_answers = 0
        if self._may_double:
            await self._begin_anew()
        await self._settle(api)

    def repeat(self, *, again: bool) -> None:
        """Allow the repeats of an unconfirmed finalize anew.

        With `again`, a file that MCAS refuses to finalize once more is uploaded a second time.
        """
        self._may_double = again and self._is_gone
        if not self._is_gone:
            self._open_answers = 0

    @property
    def pause_secs(self) -> float:
        """How long to wait after an unconfirmed answer."""
        if self._is_gone or not 0 < self._open_answers <= len(REPEAT_SECS):
            return LOOK_SECS
        return REPEAT_SECS[self._open_answers - 1]

    # An upload.

    async def upload(self, api: McasApi, outgoing: Collection) -> None:
        """Upload the first file of what is on its way. Raises `McasError` and `OSError`."""
        began_at = self._clock()
        upload = outgoing.files[0]
        file, size_bytes = await asyncio.to_thread(outgoing.packed, gzipped=self._gzip)
        for attempt in range(_MAX_URLS):
            try:
                url = self._url
                if url is None:
                    url = self._url = await self._initiate(api, upload)
                    self._is_put = self._was_finalized = False
                if not self._is_put:
                    try:
                        await api.put(url, file, size_bytes)
                    except RequestRefused:
                        self._url = None  # another URL may do better
                        raise
                    self._is_put = True
                    await asyncio.to_thread(self._journal.begin, url, upload.batches, upload.pieces)
                await self._finalize(api, url)
                break
            except (UploadExpired, _NoMore):
                self._url = None
                if attempt == _MAX_URLS - 1:
                    raise
        self._last_url = url
        self._url = None
        self._drop_first(outgoing)
        await self._note_delivered()
        secs = round(self._clock() - began_at, 3)
        events.uploaded(self._name, upload.records, size_bytes, secs)

    def _drop_first(self, outgoing: Collection) -> None:
        outgoing.drop_first()
        if not outgoing.files:
            outgoing.close()
            self.outgoing = None

    async def _initiate(self, api: McasApi, upload: UploadFile) -> Secret:
        """Return a URL for a file; its name is its own, by the batch and line it begins with."""
        first = upload.pieces[0]
        place = f"{first.sequence}-{first.line}" if first.line else first.sequence
        name = file_name(self._name, self._now(), place, gzip=self._gzip)
        url = await api.initiate(name, self._mcas.source_type)
        if url == self._last_url:  # a cache on the way: a PUT there would replace the last file
            raise Unreachable("MCAS gave the upload URL of the file before")
        try:
            await asyncio.to_thread(self._names.begin, name, self._now())
        except OSError as error:
            events.names_unwritable(self._name, error_text(error))
        return url

    async def _finalize(self, api: McasApi, url: Secret) -> None:
        """Finalize. Raises `_NoMore` when it can't be done, and may have been done before."""
        was_finalized, self._was_finalized = self._was_finalized, True
        try:
            await self._ask_to_finalize(api, url)
        except RequestRefused as error:
            self._was_finalized = was_finalized
            if was_finalized and _is_gone(error):
                events.upload_repeated(self._name, error.status)
                raise _NoMore(error.sentence) from None
            if _is_gone(error):
                self._url = None  # the next attempt asks here once more, and then gets another
                self._refused_url = url
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
        refused_url, self._refused_url = self._refused_url, None
        try:
            await self._ask_to_finalize(api, unfinished.url)
        except RequestRefused as error:
            if not _is_gone(error):
                raise
            if unfinished.url != refused_url:
                events.upload_repeated(self._name, error.status)
            await asyncio.to_thread(self._journal.give_up)
            return
        events.upload_finished_late(self._name, unfinished.batches)
        outgoing = self.outgoing
        if outgoing is not None and tuple(outgoing.files[0].pieces) == unfinished.pieces:
            self._drop_first(outgoing)
        await self._note_delivered()

    async def _note_delivered(self) -> None:
        # In one thread: who is cancelled meanwhile has noted both.
        finish_name = partial(self._names.finish, self._now(), self._stream_id)
        in_journal, in_names = await asyncio.to_thread(_tried, self._journal.finish, finish_name)
        if in_journal is not None:  # the next process may upload it again
            events.journal_unwritable(self._name, error_text(in_journal))
        if in_names is not None:
            events.names_unwritable(self._name, error_text(in_names))

    # A finalize, and answers that leave open what became of it.

    async def _ask_to_finalize(self, api: McasApi, url: Secret) -> None:
        """Return when a file counts as delivered. Raises `Unconfirmed` when that is open."""
        unfinished = self._journal.unfinished
        was_open = unfinished is not None and unfinished.unconfirmed
        if was_open and self._mcas.unconfirmed_counts_as_delivered:
            self._count_unconfirmed("an earlier answer was neither a yes nor a no")
            return
        if self._is_gone or self._open_answers > len(REPEAT_SECS):
            raise await self._still_open(api, "MCAS has neither confirmed nor refused the file")
        try:
            self._stream_id = await api.finalize(url, self._mcas.data_source)
        except Unconfirmed as error:
            if self._mcas.unconfirmed_counts_as_delivered:
                self._count_unconfirmed(error.sentence)
                return
            events.upload_unconfirmed(self._name, error.sentence, counts=False)
            self._open_answers += 1
            await asyncio.to_thread(self._journal.leave_open)
            raise await self._still_open(api, error.sentence) from None
        except RequestRefused as error:
            if not was_open or not _is_gone(error):
                raise
            self._is_gone = True
            sentence = f"MCAS left a finalize open, and now refuses it: {error.sentence}"
            events.upload_unconfirmed(self._name, sentence, counts=False)
            raise await self._still_open(api, sentence) from None
        self._forget_open_answers()
        self.confirmed_at = self._now()
        self.is_last_unconfirmed = False

    def _count_unconfirmed(self, sentence: str) -> None:
        events.upload_unconfirmed(self._name, sentence, counts=True)
        self._forget_open_answers()
        self.unconfirmed += 1
        self.is_last_unconfirmed = True

    async def _still_open(self, api: McasApi, sentence: str) -> Unconfirmed:
        """Return the error, with what the data source has received before and after."""
        source = self._mcas.data_source
        try:
            found = {stream.name: stream for stream in await api.streams()}
        except McasError:
            seen = f'what data source "{source}" has received is not known'
        else:
            at = _shown(found[source].last_received if source in found else None)
            before = self._received_first
            self._received_first = before or at
            seen = f'data source "{source}" received data last: {at}'
            if before is not None:
                seen += ", as before" if before == at else f", before that: {before}"
        return Unconfirmed(
            f"{sentence}; {seen}",
            tip="see in the portal whether the file has arrived; if it has, set "
            "unconfirmed_counts_as_delivered in [mcas], if not: sudo nss upload-now",
        )

    async def _begin_anew(self) -> None:
        """Forget an upload whose end nobody will know, because somebody wants it made again."""
        events.upload_repeated(self._name, 0)
        self._url = None
        self._forget_open_answers()
        await asyncio.to_thread(self._journal.give_up)

    def _forget_open_answers(self) -> None:
        self._open_answers = 0
        self._is_gone = self._may_double = False
        self._received_first = None


def _tried(*steps: Callable[[], None]) -> list[OSError | None]:
    """Take all steps; return what was wrong with each."""
    errors: list[OSError | None] = []
    for step in steps:
        try:
            step()
        except OSError as error:
            errors.append(error)
        else:
            errors.append(None)
    return errors


class _NoMore(Unreachable):
    """A file that was put can no longer be finalized."""


def _shown(received: str | None) -> str:
    """Return when a data source received data, as the service writes it if that can be shown."""
    if received is None:
        return "never"
    return received[:_MAX_TIME_CHARACTERS] if received.isprintable() else "at no possible time"


def _is_gone(error: RequestRefused) -> bool:
    """Return whether a finalize was refused because of the URL, not because of us.

    A refusal with a good status says no to this file.
    """
    is_about_file = error.status in _GONE or error.status < _MULTIPLE_CHOICES
    return is_about_file and error.code != api_errors.NO_DATA_SOURCE
