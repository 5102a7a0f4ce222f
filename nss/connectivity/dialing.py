"""Names, connections and proxies, each as a step that went well or not."""

import asyncio
import base64
import contextlib
import re
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from nss import causes
from nss.addresses import host_port
from nss.causes import Peer
from nss.connectivity import Step, StepFailed, StepName
from nss.secret import Secret
from nss.wording import error_text

MAX_HEAD_BYTES = 64 * 1024
"""A longer answer's head is none of an HTTP server."""

_READ_BYTES = 16 * 1024
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})\b")
_HTTP_OK = 200
_HTTP_AUTH = 407
_HTTP_FORBIDDEN = 403
_SEE_ROUTES = "see the routes of this machine: ip route"

Found = list[tuple[socket.AddressFamily, tuple[str, int]]]


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy, and who we are to it."""

    host: str
    port: int
    authorization: Secret | None

    @classmethod
    def of(cls, url: Secret) -> "Proxy":
        """Return the proxy of `http://[USER:PASSWORD@]HOST:PORT`."""
        parts = urlsplit(url.reveal())
        authorization = None
        if parts.username is not None:
            pair = (
                f"{unquote(parts.username, 'latin-1')}:{unquote(parts.password or '', 'latin-1')}"
            )
            authorization = Secret(base64.b64encode(pair.encode("latin-1")).decode())
        return cls(parts.hostname or "", parts.port or 80, authorization)


def millis(since: float) -> float:
    """Return the milliseconds since a moment of `time.perf_counter`."""
    return round((time.perf_counter() - since) * 1000, 1)


@contextlib.contextmanager
def in_time(name: StepName, where: str, timeout_secs: float, tip: str) -> Iterator[None]:
    """Turn a step that took too long into `StepFailed`."""
    try:
        yield
    except TimeoutError:
        raise StepFailed(name, f"no answer within {timeout_secs:g} s ({where})", tip) from None


async def look_up(
    host: str, port: int, timeout_secs: float, role: str = "server"
) -> tuple[Found, Step]:
    """Return the addresses of a host; `role` is what it is. Raises `StepFailed`."""
    began = time.perf_counter()
    tip = (
        f"ask the resolver for {host} ({causes.system_resolver()}); open port 53 to it, UDP and TCP"
    )
    with in_time("dns", f"name {host}", timeout_secs, tip):
        try:
            async with asyncio.timeout(timeout_secs):
                found = await _addresses(host, port)
        except TimeoutError:
            raise
        except (OSError, ValueError) as error:
            cause = causes.of_lookup(error, Peer(host, port, role=role, test=""))
            raise StepFailed("dns", cause.sentence, cause.remedy) from None
    addresses = ", ".join(address for _, (address, _) in found)
    return found, Step("dns", f"{host} is {addresses}", took_ms=millis(began))


async def connect(
    found: Found, timeout_secs: float, role: str = "server"
) -> tuple[socket.socket, Step]:
    """Return a connection to the first address that accepts one; `role` is what is there.

    Raises `StepFailed`.
    """
    failed: StepFailed | None = None
    for family, (address, port) in found:
        try:
            return await _connect(
                family, Peer(address, port, role=role, test=""), timeout_secs / len(found)
            )
        except StepFailed as failure:
            failed = failed or failure
    raise failed or StepFailed("tcp", "the name has no address")


async def ask(connection: socket.socket, head: bytes) -> bytes:
    """Send the head of a request and return that of the answer, empty when there is none."""
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(connection, head)
    answer = b""
    while b"\r\n\r\n" not in answer and len(answer) < MAX_HEAD_BYTES:
        data = await loop.sock_recv(connection, _READ_BYTES)
        if not data:
            break
        answer += data
    return answer


async def tunnel(
    connection: socket.socket, proxy: Proxy, host: str, port: int, timeout_secs: float
) -> Step:
    """Have a proxy connect to a host. Raises `StepFailed`."""
    began = time.perf_counter()
    target, by = host_port(host, port), f"proxy {host_port(proxy.host, proxy.port)}"
    head = f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n"
    if proxy.authorization is not None:
        head += f"Proxy-Authorization: Basic {proxy.authorization.reveal()}\r\n"
    try:
        with in_time("proxy", by, timeout_secs, f"see whether the proxy reaches {target} itself"):
            async with asyncio.timeout(timeout_secs):
                answer = await ask(connection, f"{head}\r\n".encode())
    except OSError as error:
        answer = b""
        reason = error_text(error) if error.strerror else "the connection broke off"
    else:
        reason = "it closed the connection" if not answer else "its answer is not HTTP"
    status = _STATUS.match(answer)
    code = 0 if status is None else int(status[1])
    if code == _HTTP_OK:
        sentence = f"the proxy lets it through to {target} ({by})"
        return Step("proxy", sentence, took_ms=millis(began))
    reason = f"HTTP {code}" if code else reason
    sentence = f"the proxy does not let it through to {target}: {reason} ({by})"
    raise StepFailed("proxy", sentence, _proxy_tip(code, target))


def route(found: Found) -> Step:
    """Return whether there is a route: UDP shows no more without a record. Raises `StepFailed`."""
    reason = "the name has no address"
    for family, address in found:
        with socket.socket(family, socket.SOCK_DGRAM) as trial:
            try:
                trial.connect(address)
            except OSError as error:
                reason = error_text(error)
                continue
            local = trial.getsockname()[0]
            unproven = "nothing was sent, and UDP can't be confirmed without a record"
            return Step("udp", f"there is a way from {local}; {unproven}")
    raise StepFailed("udp", f"there is no way: {reason}", _SEE_ROUTES)


async def _connect(family: int, peer: Peer, timeout_secs: float) -> tuple[socket.socket, Step]:
    began = time.perf_counter()
    where = host_port(peer.host, peer.port)
    drop = (
        f"a firewall between drops it silently: allow TCP from this machine to {where}; or the "
        "host is down"
    )
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)  # noqa: FBT003 - the library's signature
        with in_time("tcp", where, timeout_secs, drop):
            async with asyncio.timeout(timeout_secs):
                await asyncio.get_running_loop().sock_connect(connection, (peer.host, peer.port))
    except OSError as error:
        connection.close()
        raise _not_connected(error, peer) from None
    except BaseException:
        connection.close()
        raise
    return connection, Step("tcp", f"connected to {where}", took_ms=millis(began))


def _not_connected(error: OSError, peer: Peer) -> StepFailed:
    # asyncio puts the address, as a tuple of Python, in the place of the system's words.
    cause = causes.of_connection(causes.of_system(error) or error, peer)
    return StepFailed("tcp", cause.sentence, cause.remedy)


def _proxy_tip(code: int, target: str) -> str:
    if code == _HTTP_AUTH:
        return "the proxy wants to know who asks: see proxy_auth_file in [mcas] (USER:PASSWORD)"
    if code == _HTTP_FORBIDDEN:
        return f"have the proxy's rules allow CONNECT to {target}"
    return f"see proxy in [mcas], and that the proxy reaches {target}"


async def _addresses(host: str, port: int) -> Found:
    """Look a name up in a thread that nobody waits for: no time limit ends a lookup."""
    answer: Future[Found] = Future()
    answer.set_running_or_notify_cancel()  # whoever waits may give up before the thread has ended

    def work() -> None:
        try:
            listed = dict.fromkeys(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
            answer.set_result([(family, (str(at[0]), port)) for family, _, _, _, at in listed])
        except (OSError, ValueError) as error:
            answer.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return await asyncio.wrap_future(answer)
