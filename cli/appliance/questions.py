"""The questions of the network, in the vendor's words, each asked until the answer is right."""

import select
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import typer

from nss.appliance.network import (
    MAX_NAMESERVERS,
    NONE,
    Interface,
    Ip,
    Network,
    read_address,
    read_ip,
)
from nss.appliance.proxy import proxy_of, split_proxy
from nss.config.kinds import InvalidValue
from nss.errors import NssError

T = TypeVar("T")

_OPTIONS = "(Options <c:change, d:delete, n:no change>)"


def ask_network(now: Network) -> Network:
    """Ask for nameservers, address and gateway; `now` is offered as answers."""
    servers = _nameservers(now.nameservers)
    while True:
        address = _ask(
            "smnet_dev (Service interface IP address with netmask)", now.address_text, read_address
        )
        found = Network(address, None, servers)
        if address is not None:
            found = _with_gateway(found, now.gateway)
        try:
            found.check()
        except NssError as error:
            _show(error)
        else:
            return found


def ask_proxy(now: str | None) -> str | None:
    """Ask for the proxy, as a URL; `none` is none."""
    host, port = split_proxy(now)
    while True:
        said = _prompt("proxyserver (Proxy Host )", host or NONE)
        if said in {"", NONE}:
            return None
        number = _prompt("proxyport (Proxy Port )", port)
        try:
            return proxy_of(said, number)
        except InvalidValue as error:
            typer.echo(f"  {error.problems[0].reason}")


def wait_for_yes(question: str, secs: float) -> bool | None:
    """Return whether somebody agrees within a time; `None` if nobody answers in it."""
    known = {"y": True, "yes": True, "n": False, "no": False}
    deadline = time.monotonic() + secs
    while True:
        typer.echo(f"{question} ", nl=False)
        sys.stdout.flush()
        ready, _, _ = select.select([sys.stdin], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            typer.echo()
            return None
        line = sys.stdin.readline()
        if not line:
            raise typer.Abort  # the terminal is gone
        answer = known.get(line.strip().lower())
        if answer is not None:
            return answer


def _nameservers(now: tuple[Ip, ...]) -> tuple[Ip, ...]:
    found: list[Ip] = []
    for server in now:
        match _letter(f"nameserver:{server} {_OPTIONS}", "cdn"):
            case "c":
                found.append(_ask("nameserver", str(server), _nameserver))
            case "n":
                found.append(server)
            case _:
                pass
    while len(found) < MAX_NAMESERVERS:
        if _letter("Do you wish to add a new nameserver? <n:no y:yes>", "ny") == "n":
            break
        found.append(_ask("nameserver", "", _nameserver))
    return tuple(dict.fromkeys(found))


def _nameserver(text: str) -> Ip:
    return read_ip(text, "nameserver")


def _with_gateway(network: Network, before: Ip | None) -> Network:
    """Ask for the gateway until it is in the network; that of before is offered if it is."""

    def read(text: str) -> Network:
        if text in {"", NONE}:
            return network
        found = replace(network, gateway=read_ip(text, "gateway"))
        found.check()
        return found

    offered = before is not None and _fits(network.address, before)
    return _ask(
        "smnet_dflt_gw (Service interface default gateway IP address)",
        str(before) if offered else "",
        read,
    )


def _fits(address: Interface | None, gateway: Ip) -> bool:
    return address is not None and gateway in address.network


def _letter(question: str, letters: str) -> str:
    while True:
        said = _prompt(question, "n").lower()
        if len(said) == 1 and said in letters:
            return said
        typer.echo(f"  It must be one of {', '.join(letters)}.")


def _ask(question: str, default: str, read: Callable[[str], T]) -> T:
    while True:
        try:
            return read(_prompt(question, default))
        except NssError as error:
            _show(error)


def _prompt(question: str, default: str) -> str:
    return str(typer.prompt(question, default=default)).strip()


def _show(error: NssError) -> None:
    typer.echo(f"  {error}".replace("\n", "\n  "))
