"""Which places a configuration talks to and how, and the ports that a firewall must open."""

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from nss.answers import BadAnswer
from nss.config.kafka import KafkaConfig
from nss.config.model import Config, McasConfig
from nss.config.sinks import (
    CloudDiscoverySinkConfig,
    KafkaSinkConfig,
    SyslogTcpSinkConfig,
    SyslogUdpSinkConfig,
)
from nss.config.sources import ListeningSourceConfig
from nss.config.values import Address
from nss.connectivity import Step
from nss.connectivity.dialing import Proxy
from nss.errors import NssError
from nss.mcas import fields
from nss.mcas.access import network_of
from nss.mcas.clouds import BLOB_DOMAINS, api_cloud, storage_host
from nss.mcas.credentials import CredentialsStore, McasCredentials
from nss.tls import client_context

LOGIN_HOST = "login.microsoftonline.com"
API_HOSTS = "*.portal.cloudappsecurity.com"

_HTTPS = 443
_SYSTEM = "the authorities of the system"
_IDENTITY = Address("169.254.169.254", 80)
"""Where a virtual machine of Azure asks for its identity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    """How TLS is spoken to a place."""

    context: ssl.SSLContext
    name: str
    authorities: str
    """What is trusted, in words."""
    tip: str
    """What to do when the certificate is not trusted."""


@dataclass(frozen=True, slots=True)
class Route:
    """A place to try, or a problem that is known without."""

    component: str
    place: str
    to: Address | None = None
    protocol: Literal["tcp", "udp"] = "tcp"
    security: Security | None = None
    proxy: Proxy | None = None
    role: str = "server"
    """What is there: `collector`."""
    has_clock: bool = False
    """Whether an HTTP server is there, whose clock matters."""
    known: tuple[Step, ...] = ()
    """What is known before anything is tried."""


@dataclass(frozen=True, slots=True)
class OpenPort:
    """A line of the table for whoever looks after the firewall."""

    direction: Literal["in", "out"]
    protocol: Literal["TCP", "UDP"]
    host: str
    """The remote host; for `in` the address of this machine, `*` for every one."""
    port: int
    why: str


def routes_of(config: Config, store: CredentialsStore) -> list[Route]:
    """Return the places to try, in the order of the configuration."""
    found: list[Route] = []
    for feed in config.feeds:
        match feed.sink:
            case SyslogTcpSinkConfig() as sink:
                found += (_tcp(f"feed {feed.name}", sink, at) for at in sink.destinations)
            case SyslogUdpSinkConfig() as sink:
                name = f"feed {feed.name}"
                found += (
                    Route(name, str(at), at, "udp", role="collector") for at in sink.destinations
                )
            case KafkaSinkConfig() as sink:
                found += (_broker(f"feed {feed.name}", sink, at) for at in sink.brokers)
            case _:
                pass
    return [*found, *_mcas(config, store)]


def ports_of(config: Config, routes: list[Route]) -> list[OpenPort]:
    """Return the ports to open: outbound, then inbound, each once."""
    found = list(_outbound(routes))
    for component, address in listeners_of(config):
        found.append(OpenPort("in", "TCP", address.host or "*", address.port, component))
    return list(dict.fromkeys(found))


def listeners_of(config: Config) -> Iterator[tuple[str, Address]]:
    """Yield what listens, and where."""
    for source in config.sources:
        if isinstance(source, ListeningSourceConfig):
            yield f"source {source.name}", source.listen
    if config.service.metrics_listen is not None:
        yield "metrics", config.service.metrics_listen
    if config.portal.listen is not None:
        yield "portal", config.portal.listen


def _outbound(routes: list[Route]) -> Iterator[OpenPort]:
    for route in routes:
        if route.proxy is not None:
            yield OpenPort("out", "TCP", route.proxy.host, route.proxy.port, "proxy")
        elif route.to is not None:
            protocol: Literal["TCP", "UDP"] = "UDP" if route.protocol == "udp" else "TCP"
            yield OpenPort("out", protocol, *route.to, route.component)
        elif route.place.startswith("*."):
            yield OpenPort("out", "TCP", route.place.rpartition(":")[0], _HTTPS, route.component)


def _tcp(component: str, sink: SyslogTcpSinkConfig, at: Address) -> Route:
    security = None
    if sink.tls:
        try:
            context = client_context(sink.tls_ca, sink.tls_certificate, sink.tls_key)
        except NssError as error:
            return _unusable(component, str(at), error)
        security = Security(
            context=context,
            name=sink.tls_server_name or at.host,
            authorities=str(sink.tls_ca or _SYSTEM),
            tip="name the authority of the collector's certificate as tls_ca, and its name as "
            "tls_server_name",
        )
    return Route(component, str(at), at, security=security, role="collector")


def _broker(component: str, settings: KafkaConfig, at: Address) -> Route:
    """Return the way to a broker of the configuration; it may name further ones to clients."""
    security = None
    if settings.tls:
        try:
            context = client_context(settings.tls_ca, settings.tls_certificate, settings.tls_key)
        except NssError as error:
            return _unusable(component, str(at), error)
        security = Security(
            context=context,
            name=at.host,
            authorities=str(settings.tls_ca or _SYSTEM),
            tip="name the authority of the broker's certificate as tls_ca, and the broker by a "
            "name that is in its certificate",
        )
    return Route(component, str(at), at, security=security, role="broker")


def _mcas(config: Config, store: CredentialsStore) -> Iterator[Route]:
    uploads = any(isinstance(feed.sink, CloudDiscoverySinkConfig) for feed in config.feeds)
    try:
        stored = store.load()
        has_token = store.token() is not None
    except NssError as error:
        yield _unusable("MCAS credentials", store.origin, error)
        return
    if not uploads and stored is None and not has_token and config.mcas == McasConfig():
        return
    try:
        network = network_of(config.mcas)
        context = network.context()
    except NssError as error:
        yield _unusable("MCAS", "proxy_auth_file", error)
        return
    except OSError:
        sentence = f"ca_file in [mcas] can't be used ({config.mcas.ca_file})"
        yield _failed("MCAS", str(config.mcas.ca_file), sentence, "name a PEM file of authorities")
        return
    proxy = None if network.proxy is None else Proxy.of(network.proxy)
    through = partial(_https, context=context, ca_file=config.mcas.ca_file, proxy=proxy)
    yield from _sign_in(stored, through, has_token=has_token)
    api_url = stored.api_url if stored is not None else config.mcas.token_api_url
    if api_url:
        yield through("MCAS API", api_url)
    else:
        sentence = "the API host is not known: there are no credentials for MCAS"
        tip = "run: sudo nss configure-mcas2"
        yield _failed("MCAS API", f"{API_HOSTS}:{_HTTPS}", sentence, tip)
    yield _storage(api_url)


def _storage(api_url: str | None) -> Route:
    """Return the storages of the cloud that an API URL is of."""
    try:
        host = urlsplit(fields.api_url(api_url or "")).hostname or ""
    except BadAnswer:  # the route to it says so
        host = ""
    domain = BLOB_DOMAINS[api_cloud(host) or "commercial"]
    sentence = "not tried: the name of the storage is only known at an upload"
    documented = storage_host(host)
    if documented is not None:
        sentence += f"; documented for this region is {documented}"
    return Route("MCAS upload", f"*.{domain}:{_HTTPS}", known=(Step("setup", sentence),))


def _sign_in(
    stored: McasCredentials | None, through: "partial[Route]", *, has_token: bool
) -> Iterator[Route]:
    if stored is None and has_token:
        return
    if stored is not None and stored.method == "managed_identity":
        yield Route("managed identity", str(_IDENTITY), _IDENTITY)
    else:
        url = f"https://{LOGIN_HOST}" if stored is None else stored.authentication_url
        yield through("MCAS sign-in", url)


def _https(
    component: str,
    url: str,
    *,
    context: ssl.SSLContext,
    ca_file: Path | None,
    proxy: Proxy | None,
) -> Route:
    try:
        parts = urlsplit(url)
        to = Address(parts.hostname or "", parts.port or _HTTPS)
    except ValueError:
        to = Address("", _HTTPS)
    if not to.host:
        return _failed(component, "no host", "the URL has no host", "nss show-mcas2")
    tip = "if a proxy inspects what is sent, name its authority as ca_file in [mcas]"
    security = Security(context=context, name=to.host, authorities=str(ca_file or _SYSTEM), tip=tip)
    return Route(component, str(to), to, security=security, proxy=proxy, has_clock=True)


def _unusable(component: str, place: str, error: NssError) -> Route:
    return _failed(component, place, str(error.args[0]), error.tip)


def _failed(component: str, place: str, sentence: str, tip: str | None) -> Route:
    return Route(component, place, known=(Step("setup", sentence, tip, ok=False),))
