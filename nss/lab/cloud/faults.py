"""Faults of servers and of the way to them, to be switched on for the requests they concern."""

import threading
from dataclasses import dataclass
from typing import Literal

from nss.lab.cloud.notes import ServerName

Kind = Literal["status", "latency", "reset", "truncated", "html", "hang", "after", "replaced"]

KIND_MEANINGS: dict[Kind, str] = {
    "status": "answers with that status, and does nothing else",
    "latency": "answers some seconds later",
    "reset": "resets the connection, and does nothing else",
    "truncated": "carries the request out, and breaks off in the middle of the answer",
    "html": "answers 200 with a web page, as a sign-in page on the way does",
    "hang": "does not answer, and resets the connection after some seconds unless these are 0",
    "replaced": "carries the request out, and answers with that status and body instead",
    "after": "carries the request out, and resets the connection instead of answering",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault (see `KIND_MEANINGS`), and the requests of a server that it concerns.

    Those are concerned that have `path` in `METHOD PATH?QUERY`, in any case: `upload_url`, `put`,
    `comp=blocklist`, or nothing for all. The first `skip` of them pass, then `times` of them fail
    (`None`: all).
    """

    server: ServerName
    path: str = ""
    kind: Kind = "status"
    status: int = 503
    retry_after: str | None = None
    body: bytes | None = None
    """Of the answer with `status`, also of kind `replaced`; `None` is what such a server writes."""
    secs: float = 0.0
    times: int | None = 1
    skip: int = 0


FinalizeAnswer = Literal["unsuccessful", "without success", "empty object", "nothing"]

FINALIZE_ANSWERS: dict[FinalizeAnswer, bytes] = {
    "unsuccessful": b'{"success": false, "errorMessageCode": "LAB_REFUSES_THIS"}',
    "without success": b'{"inputStreamId": "0123456789abcdef01234567"}',
    "empty object": b"{}",
    "nothing": b"",
}
"""What a finalize might be answered besides `"success": true`, with the status 200."""


def finalize_fault(
    answer: FinalizeAnswer, *, is_done: bool, times: int | None = 1, skip: int = 0
) -> Fault:
    """Return the fault that a finalize is answered so, whether it is carried out or not."""
    body = FINALIZE_ANSWERS[answer]
    kind: Kind = "replaced" if is_done else "status"
    return Fault("mcas", "done_upload", kind, 200, body=body, times=times, skip=skip)


class Faults:
    """The faults that are switched on; safe to be changed from any thread.

    Of those that concern a request, the first one happens.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[_Waiting] = []

    def add(self, *faults: Fault) -> None:
        """Switch faults on, after those that are on already."""
        with self._lock:
            self._waiting += (_Waiting(fault, fault.skip, fault.times) for fault in faults)

    def clear(self) -> None:
        """Switch all of them off."""
        with self._lock:
            self._waiting.clear()

    @property
    def active(self) -> list[Fault]:
        """The faults that are still to happen."""
        with self._lock:
            return [waiting.fault for waiting in self._waiting]

    def take(self, server: ServerName, request: str) -> Fault | None:
        """Return the fault that happens to a request, `METHOD PATH?QUERY`."""
        request = request.lower()
        with self._lock:
            for waiting in self._waiting:
                if waiting.fault.server != server or waiting.fault.path.lower() not in request:
                    continue
                if waiting.skip:
                    waiting.skip -= 1
                    continue
                if waiting.times is not None:
                    waiting.times -= 1
                    if waiting.times <= 0:
                        self._waiting.remove(waiting)
                return waiting.fault
        return None


@dataclass(slots=True)
class _Waiting:
    fault: Fault
    skip: int
    times: int | None
