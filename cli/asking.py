"""How commands reach the running service, and how they show its answers."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import orjson
import typer

from nss.admin.control.client import ControlClient
from nss.errors import ConfigError
from nss.setup.sections import read_sections

_KEY = "service.control_socket"

_MINUTE = 60
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR


@contextmanager
def service_of(path: Path) -> Iterator[ControlClient]:
    """Yield a client of the service that runs with a configuration file. Raises `NssError`."""
    client = ControlClient(control_socket(path))
    try:
        yield client
    finally:
        client.close()


def control_socket(path: Path) -> Path:
    """Return the control socket that a configuration file names.

    Raises as `read_sections` does, and `ConfigError` when there is to be none.
    """
    service = read_sections(path, "service.control_socket").service
    if service.control_socket is None:
        raise ConfigError(
            f'the service can\'t be asked: {_KEY} is "off" ({path})',
            tip=f"give {_KEY} a path and restart the service",
        )
    return service.control_socket


def show_json(value: object) -> None:
    """Print a value for programs."""
    typer.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2))


def harmless(text: str) -> str:
    """Return text that fits on a line and that no terminal obeys."""
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


def harmless_bytes(data: bytes) -> str:
    """Return bytes of a record as harmless text; what is not UTF-8 shows as hexadecimal."""
    return harmless(data.decode(errors="backslashreplace"))


def secs_text(secs: float) -> str:
    """Return a duration for people, in its two largest units."""
    whole = max(0, int(secs))
    if whole >= _DAY:
        return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"
    if whole >= _HOUR:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
    if whole >= _MINUTE:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    return f"{whole} s"


def time_text(at: float) -> str:
    """Return a time, seconds since the epoch, in the zone of this machine."""
    try:
        return datetime.fromtimestamp(at).astimezone().isoformat(" ", "seconds")
    except (OverflowError, ValueError, OSError):
        return "at no possible time"


def iso_time(at: float | None) -> str | None:
    """Return a time, seconds since the epoch, for programs; `None` for one that can't be."""
    if at is None:
        return None
    try:
        return datetime.fromtimestamp(at, UTC).isoformat()
    except (OverflowError, ValueError, OSError):
        return None
