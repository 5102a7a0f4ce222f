"""How commands reach the running service."""

from contextlib import closing, suppress
from pathlib import Path

from nss.admin.control.client import ControlClient
from nss.errors import ConfigError, NssError
from nss.setup.sections import read_sections
from nss.status.summary import Status

_SOCKET = "service.control_socket"


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
