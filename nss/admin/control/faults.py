"""Errors on their way through the control socket: raised in the service, raised at the client."""

from dataclasses import dataclass

from nss.errors import (
    ConfigError,
    DataError,
    InputMissing,
    NotAllowed,
    NssError,
    ServiceError,
    SinkError,
    SourceError,
    UsageError,
)
from nss.spool import SpoolError

_KINDS: dict[str, type[NssError]] = {
    kind.__name__: kind
    for kind in (
        UsageError,
        DataError,
        InputMissing,
        SourceError,
        SinkError,
        SpoolError,
        ServiceError,
        ConfigError,
        NotAllowed,
    )
}

_STATUS = {
    UsageError: 400,
    DataError: 400,
    NotAllowed: 403,
    ConfigError: 409,
    InputMissing: 409,
    SpoolError: 503,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """An error as JSON. `kind` is the name of a class of `nss.errors`, or `SpoolError`."""

    kind: str
    message: str
    tip: str | None = None

    @classmethod
    def of(cls, error: NssError) -> "Fault":
        """Return the fault that stands for an error."""
        kinds = (base.__name__ for base in type(error).__mro__ if base.__name__ in _KINDS)
        return cls(next(kinds, ServiceError.__name__), str(error.args[0]), error.tip)

    @property
    def error(self) -> NssError:
        """The error it stands for."""
        return _KINDS.get(self.kind, ServiceError)(self.message, tip=self.tip)

    @property
    def http_status(self) -> int:
        """The HTTP status it travels with."""
        return _STATUS.get(_KINDS.get(self.kind, ServiceError), 500)
