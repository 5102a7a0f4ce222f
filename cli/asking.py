"""How commands reach the running service, and how they show its answers."""

from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

import orjson
import typer

from nss.admin.control.client import ControlClient
from nss.errors import ConfigError, NssError
from nss.setup.sections import read_sections
from nss.status.summary import Status

_SOCKET = "service.control_socket"
_TWO_UNITS = (("d", 86_400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1))


def service_of(path: Path) -> closing[ControlClient]:
    """Return a client of the service that runs with a configuration file, for `with`.

    Raises as `read_sections` does, and `ConfigError` when there is to be no control socket.
    """
    socket = read_sections(path, _SOCKET).service.control_socket
    if socket is None:
        raise ConfigError(
            f'the service can\'t be asked: {_SOCKET} is "off" ({path})',
            tip=f"give {_SOCKET} a path and restart the service",
        )
    return closing(ControlClient(socket))


def status_of(path: Path) -> Status:
    """Return the status of the service that runs with a configuration file. Raises `NssError`."""
    with service_of(path) as service:
        return service.status()


def status_if_running(path: Path) -> Status | None:
    """Return the status of the service, `None` when it does not answer."""
    with suppress(NssError):
        return status_of(path)
    return None


def show_json(value: object) -> None:
    """Print a value for programs."""
    typer.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2))


def harmless(text: str) -> str:
    """Return text that fits on a line and that no terminal obeys."""
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
    for unit, unit_secs, smaller, smaller_secs in _TWO_UNITS:
        if whole >= unit_secs:
            return f"{whole // unit_secs} {unit} {whole % unit_secs // smaller_secs} {smaller}"
    return f"{whole} s"


def time_text(at: float) -> str:
    """Return a time, seconds since the epoch, in the zone of this machine."""
    try:
        return datetime.fromtimestamp(at).astimezone().isoformat(" ", "seconds")
    except (OverflowError, ValueError, OSError):
        return "at no possible time"


def iso_time(at: float | None) -> str | None:
    """Return a time, seconds since the epoch, for programs; `None` for an impossible time."""
    with suppress(OverflowError, ValueError, OSError):
        return None if at is None else datetime.fromtimestamp(at, UTC).isoformat()
    return None
