"""The operator's end of the control socket."""

import math
import socket
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from nss import foreign
from nss.admin.control import PERSON_HEADER
from nss.admin.control.faults import Fault
from nss.admin.control.listener import check_length
from nss.admin.operations import Reloaded, RetriedRejects, UploadedNow
from nss.errors import NssError, ServiceError, UsageError
from nss.feeds.tap import Seen, TapKind
from nss.files import beneath
from nss.setup.portal_users import Role
from nss.sources.watching import SeenMessage
from nss.spool import KeptReject, ReasonCount
from nss.status.summary import Status
from nss.telemetry.audit import person_at_work
from nss.wording import error_text

ANSWER_SECS = 5.0
"""How long the service may take to answer what it knows without a look at the disk."""

MAX_ANSWER_BYTES = 1 << 30
"""How long an answer may be: as long as the rejects that may be asked for at once."""

MAX_LINE_BYTES = 16 << 20
"""And a line of what is shown as it happens."""

T = TypeVar("T")

_AGAIN_SECS = (0.02, 0.1)
"""How long after an answer that did not come what changes nothing is asked for again."""

_CONNECT_AGAIN_SECS = 0.02

_LOG = "see its log: journalctl -u nss-streamer"
_OTHER_VERSION = "are this nss and the running one of the same version? nss --version"
_NO_LIMIT = httpx.Timeout(ANSWER_SECS, read=None)
"""For what takes as long as it takes: a reload drains feeds, a replay reads the spool."""


class ServiceUnavailable(NssError):  # noqa: N818 - named as the sentence reads
    """The service is not running, or does not answer."""

    exit_code = 69


class NotRunning(ServiceUnavailable):
    """Nobody listens at the control socket."""


class NoAnswer(ServiceUnavailable):
    """The connection ended before the answer, or all of it, had come."""


class ControlClient:
    """Asks the service whose control socket is at `path`.

    Every method raises the `NssError` that the service answers with, or `ServiceUnavailable`.
    """

    def __init__(self, path: Path, *, answer_secs: float = ANSWER_SECS) -> None:
        check_length(path)
        self._path = path
        self._answer_secs = answer_secs
        self._http = httpx.Client(
            transport=httpx.HTTPTransport(uds=str(path)),
            base_url="http://nss",
            timeout=answer_secs,
            trust_env=False,  # a proxy has no say here
            headers={PERSON_HEADER: quote(person_at_work())},
        )

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def status(self) -> Status:
        """Return what the service knows of itself."""
        return _decoded(self._ask("GET", "/status", within_secs=self._answer_secs), Status)

    def reload(self) -> Reloaded:
        """Have the configuration put in force; returns when that is done."""
        return _decoded(self._ask("POST", "/reload", timeout=_NO_LIMIT), Reloaded)

    def replayable(self, feed: str, since: float, until: float) -> int:
        """Return how many records `replay` would deliver again now."""
        asked = _given(feed=feed, since=since, until=until)
        return _decoded(self._ask("GET", "/replay", params=asked, timeout=_NO_LIMIT), int)

    def replay(self, feed: str, since: float, until: float) -> int:
        """Have a feed deliver again; times are seconds since the epoch. Returns how many."""
        asked = _given(feed=feed, since=since, until=until)
        return _decoded(self._ask("POST", "/replay", params=asked, timeout=_NO_LIMIT), int)

    def rejects(self, feed: str | None, limit: int) -> list[KeptReject]:
        """Return the newest rejects, oldest first."""
        asked = _given(feed=feed, limit=limit)
        return _decoded(
            self._ask("GET", "/rejects", params=asked, timeout=_NO_LIMIT), list[KeptReject]
        )

    def reject_reasons(self, feed: str | None) -> list[ReasonCount]:
        """Return the kept rejects by reason, the newest reason first."""
        answer = self._ask("GET", "/rejects/reasons", params=_given(feed=feed), timeout=_NO_LIMIT)
        return _decoded(answer, list[ReasonCount])

    def retry_rejects(self, feed: str | None, within_secs: float = 0.0) -> RetriedRejects:
        """Have rejects go through again; returns what became of them within some seconds."""
        asked = _given(feed=feed, within_secs=within_secs)
        answer = self._ask("POST", "/rejects/retry", params=asked, timeout=_NO_LIMIT)
        return _decoded(answer, RetriedRejects)

    def discard_rejects(self, feed: str | None, reason: str | None, upto: int) -> int:
        """Delete kept rejects up to a number; returns how many records they stood for."""
        asked = _given(feed=feed, reason=reason, upto=upto)
        return _decoded(self._ask("POST", "/rejects/discard", params=asked, timeout=_NO_LIMIT), int)

    def upload_now(self, feeds: Sequence[str]) -> list[UploadedNow]:
        """Have feeds, or all, upload what they have collected; returns when that was tried."""
        for feed in feeds:
            _given(feed=feed)
        asked = {"feed": list(feeds)}
        answer = self._ask("POST", "/uploads/now", params=asked, timeout=_NO_LIMIT)
        return _decoded(answer, list[UploadedNow])

    def resume_uploads(self) -> list[str]:
        """End what holds uploads; returns the names of the feeds that were held."""
        answer = self._ask("POST", "/uploads/resume", within_secs=self._answer_secs)
        return _decoded(answer, list[str])

    def sign_in_link(self, role: Role) -> str:
        """Return a URL that signs in at the portal once, within ten minutes."""
        asked = _given(role=role)
        answer = self._ask("POST", "/portal/link", params=asked, within_secs=self._answer_secs)
        return _decoded(answer, str)

    def tap(
        self, feed: str | None, kind: TapKind, text: str, max_per_sec: int = 100
    ) -> Generator[Seen, None, None]:
        """Yield what feeds read or send, as it happens, until the service stops."""
        asked = _given(feed=feed, kind=kind, text=text, max_per_sec=max_per_sec)
        return self._watch("/tap", asked, Seen)

    def messages(
        self, source: str, text: str, max_per_sec: int = 100
    ) -> Generator[SeenMessage, None, None]:
        """Yield messages that a source reads, as it happens, until the service stops."""
        asked = _given(source=source, text=text, max_per_sec=max_per_sec)
        return self._watch("/messages", asked, SeenMessage)

    def _watch(
        self, path: str, asked: dict[str, str | float], kind: type[T]
    ) -> Generator[T, None, None]:
        with (
            self._reached(),
            self._http.stream("GET", path, params=asked, timeout=_NO_LIMIT) as response,
        ):
            if response.is_error:
                raise _error(path, response.status_code, next(response.iter_bytes(), b""))
            for line in _lines(response.iter_bytes()):
                yield _decoded(line, kind)

    def _ask(
        self,
        method: str,
        path: str,
        *,
        within_secs: float | None = None,
        **options: Any,  # noqa: ANN401 - httpx's own
    ) -> bytes:
        """Return an answer. What changes nothing is asked for again if none comes.

        The service lives while it closes a connection on which nothing has come yet: so somebody
        who connects without end can have it closed just before the request comes.
        """
        for again_secs in _AGAIN_SECS if method == "GET" else ():
            try:
                return self._ask_once(method, path, within_secs=within_secs, **options)
            except NoAnswer:
                time.sleep(again_secs)
        return self._ask_once(method, path, within_secs=within_secs, **options)

    def _ask_once(
        self,
        method: str,
        path: str,
        *,
        within_secs: float | None,
        **options: Any,  # noqa: ANN401 - httpx's own
    ) -> bytes:
        """Return an answer. Its time and size are limited: the service may be anybody's by now."""
        deadline = time.monotonic() + (math.inf if within_secs is None else within_secs)
        answer = bytearray()
        with self._reached(), self._http.stream(method, path, **options) as response:
            for data in response.iter_bytes():
                answer += data
                if time.monotonic() > deadline:
                    raise self._silent()
                if len(answer) > MAX_ANSWER_BYTES:
                    raise ServiceError("the answer is too long", tip=_OTHER_VERSION)
        if response.is_error:
            raise _error(path, response.status_code, bytes(answer))
        return bytes(answer)

    @contextmanager
    def _reached(self) -> Iterator[None]:
        """Turn what stands between the service and us into a sentence."""
        self._check_socket()
        # httpx hides what the system said, and httpcore leaks the socket that did not connect.
        try:
            self._try_to_connect()
        except OSError as error:
            raise self._not_connected(error) from None
        try:
            yield
        except httpx.TimeoutException:
            raise self._silent() from None
        except httpx.TransportError:
            raise NoAnswer(
                f"the service ended the connection before it had answered ({self._path})", tip=_LOG
            ) from None

    def _try_to_connect(self) -> None:
        """Connect, and wait while more want to than the system keeps in mind. Raises `OSError`."""
        until = time.monotonic() + self._answer_secs
        while True:
            with socket.socket(socket.AF_UNIX) as trial:
                trial.settimeout(self._answer_secs)
                try:
                    trial.connect(str(self._path))
                except BlockingIOError:  # a unix socket says so at once, whatever the time limit
                    if time.monotonic() > until:
                        raise
                else:
                    return
            time.sleep(_CONNECT_AGAIN_SECS)

    def _check_socket(self) -> None:
        """Refuse a link: to ask the service, root must not talk to whatever it leads to."""
        try:
            with beneath.open_folder(self._path.parent) as folder:
                folder.link(self._path.name)
        except OSError as error:
            raise self._not_connected(error) from None

    def _silent(self) -> ServiceUnavailable:
        return ServiceUnavailable(f"the service does not answer ({self._path})", tip=_LOG)

    def _not_connected(self, error: OSError) -> ServiceUnavailable:
        match error:
            case TimeoutError() | BlockingIOError():
                return self._silent()
            case PermissionError():
                return ServiceUnavailable(
                    f"the service may not be asked by this user ({self._path})",
                    tip="ask as root, as the user it runs as or as one of its group: sudo nss ...",
                )
            case ConnectionRefusedError():
                reason = "nobody listens"
            case FileNotFoundError():
                reason = "no such socket"
            case _:
                reason = error_text(error)
        return NotRunning(
            f"the service is not running: {reason} ({self._path})",
            tip="sudo nss start, or name its configuration file with --config",
        )


def _given(**values: str | float | None) -> dict[str, str | float]:
    """Return the parameters that are given. Raises `UsageError` for what is not Unicode."""
    given = {name: value for name, value in values.items() if value is not None}
    for name, value in given.items():
        if isinstance(value, str) and value.encode(errors="replace").decode() != value:
            raise UsageError(f"{name} is not UTF-8: {value!a}")
    return given


def _decoded(data: bytes, kind: type[T]) -> T:
    try:
        return foreign.decode(data, kind)
    except msgspec.DecodeError as error:
        raise ServiceError(f"the answer makes no sense: {error}", tip=_OTHER_VERSION) from None


def _lines(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines of an answer that does not end. Raises `ServiceError` for an endless one."""
    held = b""
    for part in parts:
        *lines, held = (held + part).split(b"\n")
        yield from lines
        if len(held) > MAX_LINE_BYTES:
            raise ServiceError("the answer is too long", tip=_OTHER_VERSION)
    if held:
        yield held


def _error(path: str, status: int, answer: bytes) -> NssError:
    try:
        return foreign.decode(answer, Fault).error
    except msgspec.DecodeError:
        return ServiceError(f"the service answered {path} with {status}", tip=_OTHER_VERSION)
