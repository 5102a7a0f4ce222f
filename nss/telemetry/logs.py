"""The service's own log on stderr, as text for people or JSON for machines."""

import logging
import sys
import time
from typing import Literal, TextIO

import orjson


class _TextFormatter(logging.Formatter):
    """`2026-01-02T03:04:05Z warning mcas: sentence key=value ...`, always on one line."""

    def format(self, record: logging.LogRecord) -> str:
        facts = getattr(record, "facts", {})
        component = getattr(record, "component", record.name)
        fields = "".join(f" {key}={_plain(value)}" for key, value in facts.items())
        head = f"{_stamp(record)} {record.levelname.lower()} {component}:"
        line = f"{head} {record.getMessage()}{fields}"
        return (
            line if record.exc_info is None else f"{line}\n{self.formatException(record.exc_info)}"
        )


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
    text = str(value)
    return text if text.isprintable() else ascii(text)


def _plain(value: object) -> str:
    """Return a field's text, in which hostile input can't break the line or steer a terminal."""
    text = str(value)
    return text if text.isprintable() and text and " " not in text else ascii(text)


def configure(
    log_format: Literal["text", "json"], level: str, stream: TextIO | None = None
) -> None:
    """Send the `nss` log to stderr (or `stream`). Calling again replaces what was set."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_JsonFormatter() if log_format == "json" else _TextFormatter())
    log = logging.getLogger("nss")
    log.handlers[:] = [handler]
    log.setLevel(level.upper())
    log.propagate = False
