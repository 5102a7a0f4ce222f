"""The section of the portal: where it listens, and how long people stay signed in."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from formats.dataclass import dataclass
from formats.errors import Problem
from nss.addresses import host_port
from nss.config.kinds import list_of, whole_number
from nss.config.setting import Example, Role, needs
from nss.config.values import (
    Address,
    host_name,
    is_every_interface,
    is_loopback,
    listen_address,
)

LOOPBACK = Address("127.0.0.1", 9633)
"""Where a new configuration has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalConfig:
    """The portal: pages to set NSS up, watch it and change it in a browser.

    Nobody can sign in before `nss portal set-password` has stored a password. An address that is
    not on loopback needs TLS; listening on every interface needs `hosts`.
    """

    listen: Annotated[
        Address | None, listen_address(off=True), Role.LISTENER, Example('"127.0.0.1:9633"')
    ] = None
    """Where the portal is served. On loopback it is reached from elsewhere by `ssh -L`. Another
    address is allowed with TLS; restrict access with a firewall."""
    hosts: Annotated[
        tuple[str, ...],
        list_of(host_name(), may_be_empty=True),
        Example('["nss1.example.com"]'),
    ] = ()
    """The names and addresses by which browsers reach the portal, besides those of loopback and
    the one in `listen`. A request for any other name is refused: a page elsewhere might have made
    it (DNS rebinding)."""
    tls_certificate: Annotated[
        Path | None, Role.CERTIFICATE, needs("tls_key"), Example('"portal.pem"', "no TLS")
    ] = None
    """The certificate chain of the portal, PEM."""
    tls_key: Annotated[
        Path | None, Role.PRIVATE_KEY, needs("tls_certificate"), Example('"portal.key"', "no TLS")
    ] = None
    """The private key of `tls_certificate`, PEM, not encrypted."""
    idle_minutes: Annotated[int, whole_number(5, 1440, "minutes")] = 30
    """Who does nothing for this long is signed out."""
    session_hours: Annotated[int, whole_number(1, 168, "hours")] = 12
    """Who signed in longer ago than this is signed out in any case."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """The URLs at which browsers find it, without a path; none if it is off.

        A port of 0 is shown as it is.
        """
        if self.listen is None:
            return ()
        scheme = "http" if self.tls_certificate is None else "https"
        own = "localhost" if is_every_interface(self.listen.host) else self.listen.host
        hosts = dict.fromkeys((*self.hosts, own))
        return tuple(f"{scheme}://{host_port(host, self.listen.port)}" for host in hosts)


def problems(portal: PortalConfig, where: str) -> Iterator[Problem]:
    """Yield what is wrong between keys that are each right."""
    listen = portal.listen
    if listen is None or is_loopback(listen.host):
        return
    if portal.tls_certificate is None:
        reason = (
            "is not on loopback, so it needs tls_certificate and tls_key as well: without TLS "
            "others can read passwords and take over sessions"
        )
        yield Problem(f"{where}.listen", str(listen), reason)
    if not portal.hosts and is_every_interface(listen.host):
        reason = (
            "is every interface, so it needs hosts as well, the names by which browsers reach it: "
            "requests for other names are refused (DNS rebinding)"
        )
        yield Problem(f"{where}.listen", str(listen), reason)


def warnings(portal: PortalConfig) -> Iterator[str]:
    """Yield sentences on what is allowed, and worth knowing."""
    if portal.listen is not None and not is_loopback(portal.listen.host):
        yield (
            f"the portal can be reached from other machines, at {portal.listen}: restrict access "
            "with a firewall"
        )
