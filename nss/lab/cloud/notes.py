"""What the lab's servers saw: every request and every violation of a protocol."""

from dataclasses import dataclass, field
from typing import Literal

ServerName = Literal["entra", "mcas", "blob", "s3", "imds", "zidentity", "zia"]


@dataclass(frozen=True, slots=True)
class Request:
    """One request, without its query. `status` is 0 when it got no answer."""

    at: float
    """Seconds since the epoch."""
    server: ServerName
    method: str
    path: str
    status: int


@dataclass(slots=True)
class Notes:
    """Kept by all servers together, in the order of their answers."""

    requests: list[Request] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    """Each violation of a protocol, as one sentence."""
