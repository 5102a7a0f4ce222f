"""The service's own log: on stderr as text for people or JSON for machines, or in the journal."""

import logging
import sys
import time
from typing import Literal, TextIO

import orjson

from nss.telemetry.journal import JournalHandler, is_read_by_journal
from nss.telemetry.values import quoted


class _MessageFormatter(logging.Formatter):
    """`mcas: sentence key=value ...`, on one line; a traceback follows on further ones."""

    def format(self, record: logging.LogRecord) -> str:
        facts = getattr(record, "facts", {})
        component = getattr(record, "component", record.name)
        fields = "".join(f" {key}={quoted(value)}" for key, value in facts.items())
        line = f"{component}: {record.getMessage()}{fields}"
        return (
            line if record.exc_info is None else f"{line}\n{self.formatException(record.exc_info)}"
        )


class _TextFormatter(_MessageFormatter):
    """`2026-01-02T03:04:05Z warning mcas: sentence key=value ...`."""

    def format(self, record: logging.LogRecord) -> str:
        return f"{_stamp(record)} {record.levelname.lower()} {super().format(record)}"


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "time": _stamp(record),
            "level": record.levelname.lower(),
            "event": getattr(record, "event", "log"),
            "component": getattr(record, "component", record.name),
            "message": record.getMessage(),
            **getattr(record, "facts", {}),
        }
        if record.exc_info is not None:
            entry["exception"] = self.formatException(record.exc_info)
        try:
            return orjson.dumps(entry, default=str).decode()
        except TypeError:  # a path that is not UTF-8, a number beyond 64 bits
            return orjson.dumps({key: _printed(value) for key, value in entry.items()}).decode()


def _stamp(record: logging.LogRecord) -> str:
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return f"{seconds}.{int(record.msecs):03d}Z"


def _printed(value: object) -> str:
    return str(value).encode(errors="backslashreplace").decode()


def configure(
    log_format: Literal["text", "json"], level: str, stream: TextIO | None = None
) -> None:
    """Send the `nss` log to stderr (or `stream`). Calling again replaces what was set.

    If it is the journal that reads stderr, records go to it with their fields, and it adds the
    time and the level.
    """
    in_journal = stream is None and is_read_by_journal()
    handler = JournalHandler() if in_journal else logging.StreamHandler(stream or sys.stderr)
    text = _MessageFormatter() if in_journal else _TextFormatter()
    handler.setFormatter(_JsonFormatter() if log_format == "json" else text)
    log = logging.getLogger("nss")
    before, log.handlers[:] = log.handlers[:], [handler]
    for old in before:
        old.close()  # a stream stays open
    log.setLevel(level.upper())
    log.propagate = False
