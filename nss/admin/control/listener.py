"""The socket file: for its owner alone at first, then his group; never taken from the living."""

import os
import socket
import stat
from pathlib import Path

from nss.errors import ConfigError, ServiceError
from nss.wording import error_text

PATH_MAX_BYTES = 107
"""What fits into `sun_path` of unix(7), with its NUL."""

_MODE_AT_FIRST, _MODE = 0o600, 0o660
"""The group may ask for the status; `nss.admin.control.server` sees who asks."""

_BACKLOG = 1024
_TIP = "set service.control_socket to another path, or to off"


def check_length(path: Path) -> None:
    """Raise `ConfigError` when a path is too long for a unix socket."""
    length = len(os.fsencode(path))
    if length > PATH_MAX_BYTES:
        raise ConfigError(
            f"control socket: the path has {length} bytes, "
            f"a unix socket's at most {PATH_MAX_BYTES} ({path})",
            tip="set service.control_socket to a shorter path",
        )


class Listener:
    """A listening unix socket at a path; `close` removes the file if it is still its own.

    Raises `ConfigError` when the path can't be used, `ServiceError` when a living process
    listens there.
    """

    def __init__(self, path: Path) -> None:
        check_length(path)
        self._path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            _clear(path)
            # The file gets the mode that the socket has when it is bound, so there is no moment
            # at which others could connect, and the process's umask stays as it is.
            os.fchmod(self.socket.fileno(), _MODE_AT_FIRST)
            self.socket.bind(os.fsencode(path))
            self.socket.listen(_BACKLOG)
            self._file = _identity(path)
            _open_to_group(path)
        except OSError as error:
            self.socket.close()
            reason = error_text(error)
            raise ConfigError(
                f"control socket: can't listen: {reason} ({path})", tip=_TIP
            ) from None
        except BaseException:
            self.socket.close()
            raise

    def close(self) -> None:
        """Close the socket and remove its file."""
        self.socket.close()
        if _identity(self._path) == self._file:
            self._path.unlink(missing_ok=True)


def _clear(path: Path) -> None:
    """Remove the socket file of a process that is gone; nothing else."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ConfigError(f"control socket: another file has its path ({path})", tip=_TIP)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as trial:
        try:
            trial.connect(os.fsencode(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
        except BlockingIOError:
            pass  # its queue is full: it lives
    raise ServiceError(
        f"control socket: a running service listens there already ({path})",
        tip="stop that one, or give this one another service.control_socket",
    )


def _open_to_group(path: Path) -> None:
    """Let the group of a socket connect: the umask has taken that away, if it was bound so."""
    # Where root runs this, the folder may be somebody's who has put another file there by now.
    number = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if stat.S_ISSOCK(os.fstat(number).st_mode):
            os.chmod(f"/proc/self/fd/{number}", _MODE)  # noqa: PTH101 - a descriptor
    finally:
        os.close(number)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
