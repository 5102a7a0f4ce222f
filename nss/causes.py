"""Why lines or requests don't arrive: errors of names, sockets, TLS and files, in plain words.

Each cause is half a sentence that names the part at fault, with the system's own words in brackets
for those who search for them, and what to do about it.
"""

import contextlib
import errno
import os
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from nss.addresses import host_port
from nss.wording import error_text

RESOLVER = Path("/etc/resolv.conf")

TEST = "nss test-firewall"
"""The command that tries every connection."""

_NO_SUCH_NAME = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}

_NOT_YET_VALID = 9
_EXPIRED = 10
_UNKNOWN_AUTHORITIES = {2, 18, 19, 20, 21}
_WRONG_NAMES = {62, 64}
"""X509_V_ERR_ codes of OpenSSL."""

_NO_TLS = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE"}
_WANTS_OURS = {"TLSV13_ALERT_CERTIFICATE_REQUIRED", "SSLV3_ALERT_HANDSHAKE_FAILURE"}
_REFUSES_OURS = {
    "TLSV1_ALERT_UNKNOWN_CA",
    "SSLV3_ALERT_BAD_CERTIFICATE",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED",
    "SSLV3_ALERT_CERTIFICATE_REVOKED",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
}
"""What OpenSSL calls the alerts of a peer."""


class Cause(NamedTuple):
    """What is wrong, and what to do about it; both half sentences for people."""

    sentence: str
    remedy: str = ""


class Peer(NamedTuple):
    """Who was to be reached. A connection is of TCP, unless it is said to be of UDP."""

    host: str
    port: int
    address: str = ""
    """The address that the host's name has, if it is one."""
    setting: str = "the address"
    """Where people change it, as `destinations in [feeds.siem.sink]`."""
    role: str = "server"
    """What it is: `collector`, `proxy`."""
    protocol: str = "TCP"
    is_on_the_way: bool = False
    """Whether it is not what people want to reach, so that its role must be named."""
    test: str = TEST
    """The command that tries the connection; empty for what that command says."""

    @property
    def place(self) -> str:
        """`HOST:PORT`, behind its role if that must be named."""
        place = host_port(self.host, self.port)
        return f"the {self.role} {place}" if self.is_on_the_way else place

    @property
    def who(self) -> str:
        """Its role and `HOST:PORT`."""
        return self.place if self.is_on_the_way else f"the {self.role} at {self.place}"

    def tested(self, remedy: str) -> str:
        """Return a remedy with the command that tries the connection."""
        return f"{remedy}; test it with: {self.test}" if self.test else remedy

    def aside(self, words: str) -> str:
        """Return the system's words in brackets, behind the address that they are about."""
        is_name = self.address and self.address != self.host
        return f" ({self.address}: {words})" if is_name else f" ({words})"


def of_lookup(
    error: Exception | None, peer: Peer, resolver: Callable[[], str] | None = None
) -> Cause:
    """Return why a name has no address; `None`: the answer was empty.

    `resolver` returns who is asked, and is a seam for tests.
    """
    asked = (resolver or system_resolver)()
    name = f"the {peer.role}'s name {peer.host}"
    if isinstance(error, OSError) and _is_late(error):
        return Cause(
            f"no DNS server answers for {name} ({_words(error)})",
            f"see that {asked} can be reached: UDP and TCP port 53; test it with: "
            f"getent hosts {peer.host}",
        )
    if error is None or (isinstance(error, OSError) and error.errno in _NO_SUCH_NAME):
        words = "no address" if error is None else _words(error)
        return Cause(
            f"DNS does not know {name} ({words})",
            f"correct {peer.setting}, or have the name added to DNS ({asked}); test it with: "
            f"getent hosts {peer.host}",
        )
    if isinstance(error, OSError):
        return Cause(
            f"{name} can't be looked up ({_words(error)})",
            f"see DNS on this machine ({asked}); test it with: getent hosts {peer.host}",
        )
    return Cause(f"{name} can't be a name: {error}", f"correct {peer.setting}")


def _is_late(error: OSError) -> bool:
    return isinstance(error, TimeoutError) or error.errno == socket.EAI_AGAIN


def _words(error: Exception) -> str:
    return error_text(error) if isinstance(error, OSError) else str(error)


def of_connection(error: OSError, peer: Peer) -> Cause:
    """Return why there is no connection, or nothing can be sent."""
    words = error_text(error)
    if isinstance(error, TimeoutError):
        return _silent(words, peer)
    meaning = _MEANINGS.get(error.errno or 0)
    if meaning is not None:
        return meaning(words, peer)
    if isinstance(error, ConnectionError):
        return cut_off(words, peer)
    return Cause(f"nothing gets to {peer.place}{peer.aside(words)}", f"test it with: {TEST}")


def cut_off(words: str, peer: Peer) -> Cause:
    """Return what it means that a peer ended the connection."""
    return Cause(
        f"the connection to {peer.who} broke off{peer.aside(words)}",
        f"see the log of the {peer.role} on {peer.host}: it was restarted, has too many "
        "connections, or does not speak this protocol at this port",
    )


def reads_nothing(words: str, peer: Peer) -> Cause:
    """Return what it means that a peer takes nothing from its connection."""
    return Cause(
        f"{peer.who} is connected and reads nothing{peer.aside(words)}",
        f"see the {peer.role} on {peer.host}: it hangs, has a full disk, or is too slow",
    )


def _refused(words: str, peer: Peer) -> Cause:
    return Cause(
        f"nothing listens at {peer.place}{peer.aside(words)}",
        peer.tested(
            f"start the {peer.role} on {peer.host} ({peer.protocol} port {peer.port}), or correct "
            f"{peer.setting}"
        ),
    )


def _silent(words: str, peer: Peer) -> Cause:
    where = host_port(peer.address or peer.host, peer.port)
    return Cause(
        f"{peer.place} does not answer{peer.aside(words)}",
        peer.tested(
            f"see that {peer.host} is up, and have the firewalls on the way allow {peer.protocol} "
            f"to {where}"
        ),
    )


def _no_way(words: str, peer: Peer) -> Cause:
    return Cause(
        f"this machine has no way to {peer.place}{peer.aside(words)}",
        f"see that {peer.host} is up, and the route to it: ip route get "
        f"{peer.address or peer.host}",
    )


def _not_permitted(words: str, peer: Peer) -> Cause:
    return Cause(
        f"this machine does not permit sending to {peer.place}{peer.aside(words)}",
        "see this machine's own firewall, for example with sudo nft list ruleset; the address of "
        "a broadcast can't be used",
    )


def _no_descriptors(words: str, peer: Peer) -> Cause:
    return Cause(
        f"no connection to {peer.place}: NSS has too many files open{peer.aside(words)}",
        "set a larger LimitNOFILE: sudo systemctl edit nss-streamer, then sudo nss restart",
    )


def _no_address(words: str, peer: Peer) -> Cause:
    return Cause(
        f"this machine has no address or no free port for {peer.place}{peer.aside(words)}",
        "see the addresses of this machine, and its connections: ip addr; ss -s",
    )


_MEANINGS: Mapping[int, Callable[[str, Peer], Cause]] = {
    errno.ECONNREFUSED: _refused,
    errno.ETIMEDOUT: _silent,
    errno.ENETUNREACH: _no_way,
    errno.EHOSTUNREACH: _no_way,
    errno.EHOSTDOWN: _no_way,
    errno.ENONET: _no_way,
    errno.EACCES: _not_permitted,
    errno.EPERM: _not_permitted,
    errno.EMFILE: _no_descriptors,
    errno.ENFILE: _no_descriptors,
    errno.EADDRNOTAVAIL: _no_address,
}
"""What errors of sockets mean that say more than that it failed."""


def of_tls(error: ssl.SSLError, peer: Peer, settings: str, name: str) -> Cause:
    """Return why there is no TLS; `settings` is the section with them, `name` who is expected."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _untrusted(error, peer, settings, name)
    words, reason = tls_words(error), error.reason or ""
    aside = peer.aside(words)
    if reason in _NO_TLS:
        return no_tls(words, peer, settings)
    if reason in _WANTS_OURS:
        return Cause(
            f"{peer.who} wants a certificate from NSS, or other TLS than it speaks{aside}",
            f"name tls_certificate and tls_key in [{settings}], and see the log of the {peer.role}",
        )
    if reason in _REFUSES_OURS:
        return Cause(
            f"{peer.who} does not accept the certificate of NSS{aside}",
            f"see tls_certificate in [{settings}] with nss check, and whom the {peer.role} trusts",
        )
    return Cause(
        f"no TLS with {peer.who}{aside}",
        f"see the log of the {peer.role} on {peer.host}; test it with: {TEST}",
    )


def no_tls(words: str, peer: Peer, settings: str) -> Cause:
    """Return what it means that something else than TLS is answered, or nothing."""
    return Cause(
        f"what listens at {peer.place} does not speak TLS{peer.aside(words)}",
        f"correct {peer.setting}, or set tls = false in [{settings}] if it wants none",
    )


def _untrusted(error: ssl.SSLCertVerificationError, peer: Peer, settings: str, name: str) -> Cause:
    whose = f"the certificate of {peer.who}"
    words = error.verify_message.rstrip(".").lower()
    shown = f"{TEST} shows the certificate"
    match error.verify_code:
        case code if code == _EXPIRED:
            return Cause(
                f"{whose} has expired",
                f"have it renewed on {peer.host}; {shown}",
            )
        case code if code == _NOT_YET_VALID:
            return Cause(
                f"{whose} is not valid yet, by this machine's clock",
                "see that the clock is right: timedatectl; sudo timedatectl set-ntp true",
            )
        case code if code in _WRONG_NAMES:
            return Cause(
                f"{whose} is not for the name {name}",
                f"set tls_server_name in [{settings}] to a name that is in it, or have it made for "
                f"{name}; {shown}",
            )
        case code if code in _UNKNOWN_AUTHORITIES:
            return Cause(
                f"{whose} is not from an authority that is trusted here ({words})",
                f"name the authority's certificate (PEM) as tls_ca in [{settings}]; {shown}",
            )
    return Cause(f"{whose} is not trusted ({words})", f"see tls_ca in [{settings}]; {shown}")


def of_writing(error: OSError, path: str) -> Cause:
    """Return why a file, a pipe or standard output can't be written."""
    words, folder = error_text(error), str(Path(path).parent)
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return Cause(f"no space is left for {path} ({words})", f"free some: df -h {folder}")
        case errno.EACCES | errno.EPERM:
            return Cause(
                f"the service's user may not write {path} ({words})",
                f"let the service's user write it, and in its folder: ls -ld {folder} {path}",
            )
        case errno.EROFS:
            return Cause(
                f"the service may not write in the folder of {path} ({words})",
                f"add ReadWritePaths={folder} under [Service]: sudo systemctl edit nss-streamer; "
                "then sudo nss restart",
            )
        case errno.ENOENT:
            return Cause(
                f"the folder of {path} is not there ({words})",
                f"make it: sudo install -d -o nss -g nss {folder}",
            )
        case errno.ENXIO | errno.EPIPE:
            return Cause(f"nobody reads from {path} ({words})", "start its reader")
    return Cause(
        f"writing failed: {words} ({path})", f"see the folder: df {folder}; ls -ld {folder}"
    )


def tls_words(error: ssl.SSLError) -> str:
    """Return what OpenSSL says, without its file and line."""
    return f"TLS: {error.reason.replace('_', ' ').lower()}" if error.reason else error_text(error)


def system_resolver(path: Path = RESOLVER) -> str:
    """Return which DNS servers this machine asks, as `resolver 10.0.0.2`."""
    servers: list[str] = []
    with contextlib.suppress(OSError):
        lines = path.read_text(errors="replace").splitlines()
        words = [line.split() for line in lines if line.startswith("nameserver")]
        servers = [found[1] for found in words if len(found) > 1]
    if not servers:
        return f"a resolver in {path}, which names none"
    return f"resolver {', '.join(servers)}"


def in_error(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what led to it; libraries keep that in several places."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        at = waiting.pop(0)
        if not isinstance(at, BaseException) or id(at) in seen:
            continue
        seen.add(id(at))
        yield at
        waiting += [*at.args, getattr(at, "reason", None), at.__cause__, at.__context__]
        waiting += getattr(at, "exceptions", ())


def of_system(error: BaseException) -> OSError | None:
    """Return the error of the system that another error came from; `None` if it is not known.

    Libraries replace its text, so that it is made anew of its number.
    """
    for cause in in_error(error):
        if isinstance(cause, socket.gaierror):
            return cause
        if not isinstance(cause, OSError) or isinstance(cause, ssl.SSLError):
            continue
        if cause.errno is not None and cause.errno in errno.errorcode:
            return OSError(cause.errno, os.strerror(cause.errno))
    return None
