"""The governance log: an entry for each upload, pending first, then with what became of it.

As seen on a live tenant (2026): of the filters only `{"timestamp": {"gte": MILLISECONDS}}` works;
with any other the answer is empty, without an error. An entry is made when an upload is finalized,
and gets its `status` later. What nobody has documented can be switched both ways.
"""

import hashlib
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from nss.lab.cloud import reading
from nss.lab.cloud.uploads import Parsed, Upload

TASK = "DiscoveryParseLogTask"

_CODE = "REPOOPER_COMPLETION_STATUS_BASELOGPARSER_"
PARSED = f"{_CODE}PARSED_LOG_FILE_ALL_RELEVANT"
UNEXPECTED_FORMAT = f"{_CODE}UNEXPECTED_FORMAT"

Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Noted:
    upload: Upload
    at: float
    """When it was finalized, by the servers' clock."""
    wall_at: float
    """And by that of the machine."""


class GovernanceLog:
    """The log of one tenant. `clock` is the servers' time."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.names_files = True
        """Whether an entry has the name that its file was uploaded with."""
        self.shows_pending = True
        """Whether an upload has an entry before it was parsed."""
        self.sorts = True
        """Whether `sortDirection` counts; otherwise the latest come first."""
        self.form: Literal["template", "message"] = "template"
        """Where the reason is: a template and its parameters, or a text of its own."""
        self.others: list[Entry] = []
        """Entries of others on the same tenant, shown among those of uploads."""
        self._clock = clock
        self._noted: list[_Noted] = []

    def note(self, upload: Upload) -> None:
        """Make the entry of an upload that was finalized."""
        self._noted.append(_Noted(upload, self._clock(), time.time()))

    def entries(self, shown: Collection[Parsed]) -> list[Entry]:
        """Return all entries, oldest first; `shown` are the results that can be seen by now."""
        results = {id(result.upload): result for result in shown}
        found = [
            self._entry(noted, result)
            for noted in list(self._noted)
            if (result := results.get(id(noted.upload))) is not None or self.shows_pending
        ]
        return sorted([*found, *self.others], key=lambda entry: entry["timestamp"])

    def matching(self, entries: Collection[Entry], question: Mapping[str, Any]) -> list[Entry]:
        """Return the entries that a question's filters let through, in its order."""
        filters = question.get("filters")
        found = list(entries)
        if isinstance(filters, dict) and filters:
            since = _only_since(filters)
            found = [entry for entry in found if since is not None and entry["timestamp"] >= since]
        if not self.sorts or question.get("sortDirection", "desc") == "desc":
            found.reverse()
        return found

    def _entry(self, noted: _Noted, result: Parsed | None) -> Entry:
        upload, lasted = noted.upload, 0.0 if result is None else result.at - noted.wall_at
        entry: Entry = {
            "_id": hashlib.sha256(upload.path.name.encode()).hexdigest()[:24],
            "taskName": TASK,
            "timestamp": int(noted.at * 1000),
            "updateTimestamp": int((noted.at + lasted) * 1000),
            "inputStreamId": stream_id(upload.data_source),
        }
        if self.names_files:
            entry["targetObject"] = {"name": upload.name}
        if result is not None:
            entry["status"] = self._status(result)
        return entry

    def _status(self, result: Parsed) -> Entry:
        failure = result.failure
        if self.form == "message":
            reason = {} if failure is None else {"errorMessage": failure}
            return {"isSuccess": failure is None, **reason}
        template = failure or PARSED
        parameters: Entry = {}
        if failure is None:
            parameters = {"transactionsCount": result.records, "cloudServicesCount": 1}
        elif failure == reading.NO_MATCH:
            template = UNEXPECTED_FORMAT
            parameters = {"dataSource": result.upload.source_type}
        message = {"template": template, "parameters": parameters}
        return {"isSuccess": failure is None, "templateMessage": message}


def stream_id(name: str) -> str:
    """Return the id of a data source."""
    return hashlib.sha256(name.encode()).hexdigest()[:24]


def _only_since(filters: Mapping[str, Any]) -> float | None:
    """Return the time of the one filter that works, if there is no other."""
    match filters:
        case {"timestamp": {"gte": int() | float() as since, **more}, **others} if not (
            more or others
        ):
            return since
    return None
