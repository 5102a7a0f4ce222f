"""What can go wrong, as one tree; each leaf has an exit code of sysexits.h.

    NssError
    ├── UsageError         64  the command line makes no sense
    ├── DataError          65  the records or lines given are bad
    ├── InputMissing       66  a file that should be read is not there
    ├── SourceError        74  a source can't continue
    ├── SinkError          74  a sink can't continue
    ├── SpoolError         74  the spool can't be used (in nss.spool)
    ├── ServiceUnavailable 69  the service does not answer (in nss.admin.control.client)
    ├── ServiceError       70  a part of the service ended that should not have
    └── ConfigError        78  the configuration is wrong

An error's text is `<what failed>: <reason> (<where>)`, and `tip` is what the person can do.
"""

import errno
import traceback
from pathlib import Path
from typing import ClassVar


class NssError(Exception):
    """Every error that NSS raises on purpose."""

    exit_code: ClassVar[int] = 70

    def __init__(self, message: str, *, tip: str | None = None) -> None:
        super().__init__(message)
        self.tip = tip

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message}\nTry: {self.tip}" if self.tip else message


class UsageError(NssError):
    """The command line makes no sense."""

    exit_code = 64


class DataError(NssError):
    """The records or lines given are bad."""

    exit_code = 65


class InputMissing(NssError):  # noqa: N818 - named as the sentence reads
    """A file that should be read is not there, or can't be read."""

    exit_code = 66


class ServiceError(NssError):
    """A part of the service ended that should not have."""

    exit_code = 70


class SourceError(NssError):
    """A source can't continue."""

    exit_code = 74


class SinkError(NssError):
    """A sink can't continue."""

    exit_code = 74


class DeviceFailed(NssError):  # noqa: N818 - named as the sentence reads
    """A disk, or the system, did not give what was asked for; another try may get it."""

    exit_code = 74


ERRORS_OF_DEVICES = frozenset(
    {errno.EIO, errno.EDQUOT, errno.ENOSPC, errno.ESTALE, errno.ENFILE, errno.EMFILE}
)
"""System errors that say nothing of what was asked for."""


class NotAllowed(NssError):  # noqa: N818 - named as the sentence reads
    """This user may not ask for it."""

    exit_code = 77


class ConfigError(NssError):
    """The configuration is wrong."""

    exit_code = 78


def unplanned(error: BaseException) -> str:
    """Return what happened and where, without the error's own text: it may quote a record."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    where = ", ".join(f"{Path(at.filename).name}:{at.lineno} {at.name}" for at in frames)
    return f"unplanned {type(error).__name__} ({where})"
