"""How commands reach the running service."""

import os
from contextlib import closing, suppress
from pathlib import Path

from nss.admin.control.client import ControlClient
from nss.background.lock import process_facts
from nss.errors import ConfigError, NssError, ServiceError
from nss.files.beneath import ROOT, open_folder
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


def process_of(status: Status, path: Path) -> int:
    """Return the process that a status names. Raises `NssError` if it can't be the service's.

    Root looks into that process, and is told how to end it.
    """
    socket = read_sections(path, _SOCKET).service.control_socket
    if socket is None or os.geteuid() != ROOT:
        return status.pid
    facts = process_facts(status.pid)
    try:
        with open_folder(socket.parent) as folder:
            user = folder.status(socket.name).st_uid
    except OSError:
        user = None
    if facts is None or facts.user != user:
        raise ServiceError(
            f"the service says that it is process {status.pid}, which is not one of its user's",
            tip=f"find out who listens: ss --listening --processes --unix | grep {socket}",
        )
    return status.pid


def status_if_running(path: Path) -> Status | None:
    """Return the status of the service, `None` when it does not answer."""
    with suppress(NssError):
        return status_of(path)
    return None
