"""How commands reach the running service."""

import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from cli.supervision.ending import ending_of
from nss.admin.control.client import ControlClient, NotRunning
from nss.background.lock import process_facts
from nss.config import DEFAULT_CONFIG
from nss.config.load import ConfigProblems
from nss.config.model import ServiceConfig
from nss.errors import ConfigError, NssError, ServiceError
from nss.files.beneath import ROOT, open_folder
from nss.setup.sections import read_sections
from nss.status.summary import Status
from nss.wording import harmless

_SOCKET = "service.control_socket"


@contextmanager
def service_of(path: Path) -> Iterator[ControlClient]:
    """Yield a client of the service that runs with a configuration file.

    Raises as `read_sections` does, `ConfigError` when there is to be no control socket, and
    `NotRunning` with all that is known of the service's end.
    """
    with closing(_client(path)) as client:
        try:
            yield client
        except NotRunning as error:
            ending = ending_of(path)
            if ending is None:
                raise
            now = time.time()
            lines = [f"the service is not running: {harmless(ending.cause)}", *ending.lines(now)]
            raise NotRunning("\n  ".join(lines), tip=ending.remedy) from error


def _client(path: Path) -> ControlClient:
    return ControlClient(_socket_of(path))


def _socket_of(path: Path) -> Path:
    """Return where the service listens. A usual file that is no TOML has the usual socket."""
    try:
        socket = read_sections(path, _SOCKET).service.control_socket
    except ConfigProblems:
        if path.absolute() != DEFAULT_CONFIG:
            raise
        socket = ServiceConfig().control_socket
    if socket is None:
        raise ConfigError(
            f'the service can\'t be asked: {_SOCKET} is "off" ({path})',
            tip=f"give {_SOCKET} a path and restart the service",
        )
    return socket


def status_of(path: Path) -> Status:
    """Return the status of the service that runs with a configuration file. Raises `NssError`."""
    with service_of(path) as service:
        return service.status()


def process_of(status: Status, path: Path) -> int:
    """Return the process that a status names. Raises `NssError` if it can't be the service's.

    Root looks into that process, and is told how to end it.
    """
    if os.geteuid() != ROOT:
        return status.pid
    socket = _socket_of(path)
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
    with suppress(NssError), closing(_client(path)) as service:
        return service.status()
    return None
