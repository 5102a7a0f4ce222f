"""Whether this machine reaches what it should: names, ports, certificates, proxies and the clock.

    nss.connectivity.dialing    names, connections and proxies, each as a step that went well or not
    nss.connectivity.secured    TLS, certificates, and the clock of an HTTP server
    nss.connectivity.plan       which places a configuration talks to, and how
    nss.connectivity.firewall   all of them tried at once, and the ports to open
    nss.connectivity.listening  whether a port for sources can be had
    nss.connectivity.binding    whether the service could listen where its configuration says
    nss.connectivity.sockets    the sockets of a process, from /proc
    nss.connectivity.owners     which source or feed a socket belongs to

Nothing here sends a record, and nothing that is received is believed.
"""

from dataclasses import dataclass, field
from typing import Literal

StepName = Literal["dns", "tcp", "udp", "proxy", "tls", "clock", "listen", "setup"]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was tried, described by a sentence without a full stop."""

    name: StepName
    ok: bool = field(default=True, kw_only=True)
    sentence: str
    tip: str | None = None
    warns: bool = field(default=False, kw_only=True)
    """Whether it succeeded and still deserves a look."""
    took_ms: float | None = field(default=None, kw_only=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The result for one place, step by step; the steps end at the first failure."""

    component: str
    """`feed siem`, `source web`, `MCAS sign-in`."""
    place: str
    """`HOST:PORT`."""
    steps: tuple[Step, ...]

    @property
    def ok(self) -> bool:
        """Whether every step went well."""
        return all(step.ok for step in self.steps)


class StepFailed(Exception):  # noqa: N818 - named as the sentence reads
    """A step failed; those after it are not tried."""

    def __init__(self, name: StepName, sentence: str, tip: str | None = None) -> None:
        super().__init__(sentence)
        self.step = Step(name, sentence, tip, ok=False)
