"""The governance log of MCAS: what became of uploaded files, minutes to hours later.

    POST /api/v1/governance/
    {"skip": 0, "limit": 100, "sortField": "timestamp", "sortDirection": "asc",
     "filters": {"timestamp": {"gte": MILLISECONDS}}}

    {"data": [{"_id": "..", "taskName": "DiscoveryParseLogTask", "timestamp": MILLISECONDS,
               "updateTimestamp": MILLISECONDS, "inputStreamId": "..",
               "status": {"isSuccess": false, "templateMessage": {"template": "..",
                                                                  "parameters": {..}}}}, ..],
     "total": 1, "hasNext": false}

It is not documented. Seen on a live tenant (2026): of the filters only that one works, and with any
other the answer is empty without an error; an entry is made when its upload is finalized, has no
`status` while it is pending, and gets it later under the same id. Older clients saw the reason
elsewhere, so that is looked for too. What has another shape is counted as such, or is an
`UnreadableLog`: it is never "no failures".
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from nss.mcas import McasError
from nss.mcas.parse_reasons import reason_of
from nss.mcas.uploaded import FILE_NAME

TASK = "DiscoveryParseLogTask"

PAGE_ENTRIES = 100
"""The most that the service gives at once."""

MAX_TEXT_CHARS = 300
NO_TEXT = "it says no more"

ParseState = Literal["pending", "parsed", "failed"]

_MAX_MILLIS = 1e14
"""A time after the year 5000 is no time."""

_MAX_DEPTH = 6
_MAX_TEXTS = 200
_PLACEHOLDER = re.compile(r"\$?\{\{?\s*([\w.]{1,64})\s*\}?\}|%\((\w{1,64})\)s", re.ASCII)


class UnreadableLog(McasError):  # noqa: N818 - named as the sentence reads
    """The governance log has another shape than is known."""


class _OddEntry(Exception):  # noqa: N818 - named as what it is
    """An entry has an unknown shape."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One upload in the log. Times are seconds since the epoch, by the service's clock."""

    id: str
    at: float
    """When it was made: the upload was finalized then."""
    state: ParseState
    text: str
    """The reason of a failure, harmless and short; otherwise empty."""
    stream_id: str | None
    """The id of its data source."""
    file_names: tuple[str, ...]
    """The names in it that are like those of NSS."""


@dataclass(frozen=True, slots=True)
class Page:
    """A part of the log, with the entries of uploads."""

    entries: tuple[LogEntry, ...]
    size: int
    """How many entries it has, also of other tasks."""
    odd: int
    """How many of them have an unknown shape."""
    last_at: float | None
    """The time of its last entry when the entries are in ascending order; else `None`."""
    has_more: bool


def question(since: float, skip: int) -> dict[str, object]:
    """Return what to ask for entries from a time on, seconds since the epoch, oldest first."""
    return {
        "skip": skip,
        "limit": PAGE_ENTRIES,
        "sortField": "timestamp",
        "sortDirection": "asc",
        "filters": {"timestamp": {"gte": int(since * 1000)}},
    }


def page(answer: object, skip: int, place: str) -> Page:
    """Return what an answer says. Raises `UnreadableLog`."""
    found = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(answer, dict) or not isinstance(found, list):
        raise UnreadableLog(f"the governance log has an unknown shape ({place})")
    entries, odd = [], 0
    for task in found:
        try:
            entry = _entry(task)
        except _OddEntry:
            odd += 1
        else:
            entries += [] if entry is None else [entry]
    if found and odd == len(found):
        raise UnreadableLog(f"the governance log has only entries of an unknown shape ({place})")
    times = [_secs(task.get("timestamp")) if isinstance(task, dict) else None for task in found]
    known = [at for at in times if at is not None]
    ascends = len(known) == len(times) and known == sorted(known)
    has_more = bool(found) and _has_more(answer, skip, len(found))
    last_at = known[-1] if known and ascends else None
    return Page(tuple(entries), len(found), odd, last_at, has_more)


def _has_more(answer: Mapping[str, Any], skip: int, size: int) -> bool:
    has_next, total = answer.get("hasNext"), answer.get("total")
    if isinstance(has_next, bool):
        return has_next
    if isinstance(total, int):
        return skip + size < total
    return size >= PAGE_ENTRIES


def _entry(found: object) -> LogEntry | None:
    """Return the entry of an upload, `None` for that of another task. Raises `_OddEntry`."""
    if not isinstance(found, dict) or not _text(found.get("taskName")):
        raise _OddEntry
    if found["taskName"] != TASK:
        return None
    at, entry_id, status = _secs(found.get("timestamp")), found.get("_id"), found.get("status")
    success = status.get("isSuccess") if isinstance(status, dict) else status
    if at is None or not _text(entry_id) or not (success is None or isinstance(success, bool)):
        raise _OddEntry
    text = "" if success is None else _reason(found, success=success)
    state: ParseState = "parsed"
    if success is None:
        state = "pending"
    elif not success or reason_of(text) is not None:  # a reason to fail is no success
        state = "failed"
    return LogEntry(
        id=harmless(str(entry_id)),
        at=at,
        state=state,
        text=text if state == "failed" else "",
        stream_id=_text(found.get("inputStreamId")),
        file_names=tuple(_names(found)),
    )


def _reason(found: Mapping[str, Any], *, success: bool) -> str:
    status = found.get("status")
    status = status if isinstance(status, dict) else {}
    message = status.get("templateMessage")
    message = message if isinstance(message, dict) else {}
    template = _text(message.get("template"))
    if template is not None:
        return harmless(filled(template, message.get("parameters"), append=not success))
    texts = (
        *(status.get("errorMessage"), status.get("message")),
        *(found.get("errorMessage"), found.get("description")),
    )
    return harmless(next(filter(None, map(_text, texts)), "" if success else NO_TEXT))


def filled(template: str, parameters: object, *, append: bool = True) -> str:
    """Return a template with its parameters in their places; `append` puts the others behind it."""
    values = parameters
    if isinstance(parameters, list):
        values = {str(number): value for number, value in enumerate(parameters)}
    if not isinstance(values, dict):
        return template
    texts = {
        str(name): str(value)[:MAX_TEXT_CHARS]
        for name, value in values.items()
        if isinstance(value, str | int | float) and value != ""
    }
    used: set[str] = set()

    def fill(place: re.Match[str]) -> str:
        name = place[1] or place[2]
        used.add(name)
        return texts.get(name, place[0])

    text = _PLACEHOLDER.sub(fill, template[: MAX_TEXT_CHARS * 4])
    rest = [f"{name}: {value}" for name, value in texts.items() if name not in used]
    return f"{text} ({', '.join(rest)})" if rest and append else text


def harmless(text: str) -> str:
    """Return a text of the service on one line, short, and such that no terminal obeys it."""
    words = " ".join(text[: MAX_TEXT_CHARS * 4].split())
    shown = "".join(letter if letter.isprintable() else "?" for letter in words)
    return shown if len(shown) <= MAX_TEXT_CHARS else f"{shown[: MAX_TEXT_CHARS - 3]}..."


def _names(found: object, depth: int = 0) -> Iterator[str]:
    """Yield the names of files in any text of an entry: where they are is not documented."""
    if isinstance(found, str):
        yield from (name[0] for name in FILE_NAME.finditer(found[: MAX_TEXT_CHARS * 4]))
    elif depth < _MAX_DEPTH and isinstance(found, dict | list):
        inner = found.values() if isinstance(found, dict) else found
        for value in list(inner)[:_MAX_TEXTS]:
            yield from _names(value, depth + 1)


def _secs(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value / 1000 if 0 < value < _MAX_MILLIS else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
