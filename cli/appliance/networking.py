"""`nss configure-network`, `confirm-network` and `reset-network`: tried first, then kept."""

import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import typer

from cli.appliance.proxies import keep_proxy, proxy_now
from cli.appliance.questions import ask_network, ask_proxy, wait_for_yes
from nss.appliance import is_appliance, trial
from nss.appliance.machine import (
    Live,
    live,
    network_of,
    service_link,
    usable_nameservers,
    uses_dhcp,
)
from nss.appliance.network import NONE, Network, read_address, read_ip, read_nameservers
from nss.appliance.proxy import read_proxy
from nss.config.kinds import InvalidValue
from nss.errors import ConfigError, NotAllowed, ServiceError, UsageError
from nss.wording import harmless


@dataclass(frozen=True, slots=True)
class Wanted:
    """What options say; `None` is what they don't."""

    address: str | None = None
    gateway: str | None = None
    nameservers: tuple[str, ...] | None = None
    proxy: str | None = None

    def __bool__(self) -> bool:
        return any(each is not None for each in (self.address, self.gateway, self.nameservers))


@dataclass(frozen=True, slots=True)
class Plan:
    """How a network is put in force."""

    link: str
    secs: int
    """How long there is to confirm it."""
    asks: bool
    """Whether there is somebody to ask."""
    confirm: bool
    """Whether it is kept without a question, once the interface has the address."""
    as_json: bool = False


def configure_network(
    config: Path,
    wanted: Wanted,
    *,
    link: str | None,
    confirm: bool,
    secs: int,
    ask_nobody: bool,
    as_json: bool,
) -> None:
    """Set up network and proxy, by options or by asking. Raises `NssError`."""
    _check_machine("configure-network")
    asks = sys.stdin.isatty() and not ask_nobody and not as_json
    if not asks and not wanted and wanted.proxy is None:
        raise UsageError(
            "configure-network: nobody to ask, and no options",
            tip="for example: sudo nss configure-network --address 10.0.0.4/24 --gateway 10.0.0.1 "
            "--nameserver 10.0.0.53",
        )
    trial.check_free()
    plan = Plan(_link(link), secs, asks, confirm, as_json)
    proxy = _proxy(wanted.proxy, proxy_now(config))
    before = _before(plan.link)
    network = _with_options(before, wanted)
    if asks and not wanted and wanted.proxy is None:
        network = ask_network(network)
        proxy = ask_proxy(proxy)
    network.check()
    outcome = "unchanged"
    if network != before:
        outcome = _try(plan, before, network)
    changed = proxy != proxy_now(config)
    if changed and outcome == "applied":
        raise UsageError(
            "configure-network: the proxy was not changed: the network has to be confirmed first",
            tip="sudo nss confirm-network, then sudo nss configure-network --proxy",
        )
    if changed:
        keep_proxy(config, proxy)
    _report(plan, network, outcome, changed=changed)


def confirm_network(*, revert: bool, as_json: bool) -> None:
    """Keep what is tried, or take it back. Raises `NssError`."""
    _check_machine("confirm-network")
    if revert:
        if not trial.revert():
            raise ConfigError("network: no configuration waits for a confirmation")
        _say({"kept": False}, "The previous network configuration is restored.", as_json=as_json)
        return
    link, network = trial.confirm()
    facts = {"kept": True, "interface": link, **_plain(network)}
    _say(facts, f"Kept: {link} has {network.address_text}.", as_json=as_json)


def reset_network(
    config: Path, *, link: str | None, confirm: bool, secs: int, ask_nobody: bool, as_json: bool
) -> None:
    """Set the network back to DHCP. Raises `NssError`."""
    configure_network(
        config,
        Wanted(address="dhcp", gateway=NONE, nameservers=(NONE,)),
        link=link,
        confirm=confirm,
        secs=secs,
        ask_nobody=ask_nobody,
        as_json=as_json,
    )


def ask_first(config: Path) -> str | None:
    """Ask about the network, as `nss configure` does before everything else, and set it up.

    Returns the proxy that was answered, which the caller stores. Raises `NssError`, and
    `typer.Exit` when the network was not confirmed.
    """
    _check_machine("configure")
    trial.check_free()
    plan = Plan(_link(None), trial.CONFIRM_SECS, asks=True, confirm=False)
    before = _before(plan.link)
    network = ask_network(before)
    proxy = ask_proxy(proxy_now(config))
    if network != before:
        _try(plan, before, network)
    return proxy


def network_facts() -> dict[str, object]:
    """Return what is in force, for `nss dump-config`. Raises `NssError`."""
    found = live(service_link())
    return {
        "interface": found.link,
        "nameservers": list(found.nameservers),
        "service_ip_address": list(found.addresses),
        "default_gateway": list(found.gateways),
    }


def network_lines() -> list[str]:
    """Return the same as the vendor prints it. Raises `NssError`."""
    found = live(service_link())
    return [
        *(f"nameserver:{server}" for server in found.nameservers),
        *(f"Service IP Address:{address}" for address in found.addresses or ("none",)),
        *(f"Default gateway for Service IP:{gateway}" for gateway in found.gateways or ("none",)),
    ]


def _check_machine(command: str) -> None:
    if not is_appliance():
        raise ServiceError(
            f"{command}: the network of this machine is not ours: it is no appliance of NSS",
            tip="set it up as this system does it; nss configure asks for the rest",
        )
    if os.geteuid() != 0:
        raise NotAllowed(f"{command}: only root may do this", tip=f"sudo nss {command}")


def _link(wanted: str | None) -> str:
    """Return the interface: the one named, the one that was set up before, or the first."""
    if wanted is None:
        known = trial.kept()
        try:
            return service_link(None if known is None else known[0])
        except UsageError:  # the machine has another one now
            return service_link()
    return service_link(wanted)


def _before(link: str) -> Network:
    known = trial.kept()
    if known is not None and known[0] == link:
        return known[1]
    return Network() if uses_dhcp(link) else network_of(live(link))


def _proxy(wanted: str | None, now: str | None) -> str | None:
    if wanted is None:
        return now
    if wanted == NONE:
        return None
    try:
        return read_proxy(wanted)
    except InvalidValue as error:
        raise UsageError(f"configure-network: --proxy {error.problems[0].reason}") from None


def _with_options(before: Network, wanted: Wanted) -> Network:
    found = before
    if wanted.address is not None:
        address = read_address(wanted.address)
        keeps = address is not None and before.gateway is not None
        in_it = keeps and address is not None and before.gateway in address.network
        found = replace(found, address=address, gateway=before.gateway if in_it else None)
    if wanted.gateway is not None:
        gateway = None if wanted.gateway == NONE else read_ip(wanted.gateway, "gateway")
        found = replace(found, gateway=gateway)
    if wanted.nameservers is not None:
        named = [text for text in wanted.nameservers if text != NONE]
        found = replace(found, nameservers=read_nameservers(named))
    return found


def _try(plan: Plan, before: Network, network: Network) -> str:
    """Apply a network and have it confirmed. Returns `kept`, or `applied` if nobody was asked.

    Raises `NssError`, and `typer.Exit` when it was taken back.
    """
    now = live(plan.link)
    if not plan.as_json:
        _show_change(now, before, network)
    if plan.asks and not plan.confirm:
        question = f"Apply this? Unconfirmed, it is taken back after {plan.secs} seconds"
        if not typer.confirm(question, default=True):
            typer.echo("Nothing was changed.")
            raise typer.Exit(1)
    end = trial.begin(plan.link, network, plan.secs)
    try:
        return _confirmed(plan, network, end)
    except (KeyboardInterrupt, typer.Abort):
        trial.revert()
        typer.echo("\nThe previous network configuration is restored.")
        raise typer.Exit(1) from None


def _confirmed(plan: Plan, network: Network, end: float) -> str:
    missing = trial.arrived(plan.link, network, min(trial.APPLY_SECS, plan.secs / 2))
    if plan.confirm:
        if missing is not None:
            trial.revert()
            raise ServiceError(
                f"network: {missing}; the previous configuration is restored",
                tip="check cable, address and DHCP server",
            )
        trial.confirm()
        return "kept"
    if not plan.asks:
        return "applied"
    if missing is None:
        typer.echo("Successfully Applied Changes")
    else:
        typer.echo(f"Applied, but {missing}.")
    return _asked(plan, network, end)


def _asked(plan: Plan, network: Network, end: float) -> str:
    typer.echo(
        f"The previous configuration is restored in {plan.secs} seconds unless this is confirmed:\n"
        "here, or from another session, at the new address: sudo nss confirm-network"
    )
    answer = wait_for_yes("Keep it? <y:yes n:no>", end - time.monotonic())
    if answer is False:
        trial.revert()
    elif answer:
        try:
            trial.confirm()
        except ConfigError:
            if not trial.is_kept(plan.link, network):  # confirmed from elsewhere meanwhile
                raise
    if trial.is_kept(plan.link, network) and answer is not False:
        return "kept"
    if answer is None:
        trial.revert()  # the timer does it as well
    typer.echo("The previous network configuration is restored.")
    raise typer.Exit(1)


def _show_change(now: Live, before: Network, network: Network) -> None:
    rows = [
        ("nameserver", _servers(now, before), _listed(network.nameservers) or _from_dhcp(network)),
        ("Service IP Address", _address(now, before), network.address_text),
        (
            "Default gateway for Service IP",
            ", ".join(now.gateways) or NONE,
            _from_dhcp(network) if network.gateway is None else str(network.gateway),
        ),
    ]
    cells = max(len(old) for _, old, _ in rows)
    cells = max(cells, len("now"))
    typer.echo(f"\n{now.link:32}{'now':{cells}}  new")
    for label, old, new in rows:
        typer.echo(f"{label + ':':32}{harmless(old):{cells}}  {new}")
    if network.address is not None and network.gateway is None:
        typer.echo("Without a gateway the machine reaches its own network alone.")
    if network.address is not None and not network.nameservers:
        typer.echo("Without a nameserver the machine knows no names: uploads to MCAS need them.")


def _from_dhcp(network: Network) -> str:
    return "of DHCP" if network.address is None else NONE


def _servers(now: Live, before: Network) -> str:
    return _listed(before.nameservers) or _listed(usable_nameservers(now)) or NONE


def _address(now: Live, before: Network) -> str:
    found = ", ".join(now.addresses) or NONE
    return f"{found} (dhcp)" if before.address is None else found


def _listed(servers: tuple[object, ...]) -> str:
    return ", ".join(map(str, servers))


def _report(plan: Plan, network: Network, outcome: str, *, changed: bool) -> None:
    facts = {"outcome": outcome, "interface": plan.link, **_plain(network)}
    if outcome == "applied":
        facts["confirm_secs"] = plan.secs
        sentence = (
            f"Applied. The previous configuration is restored in {plan.secs} seconds, unless: "
            "sudo nss confirm-network"
        )
    elif outcome == "kept":
        sentence = f"Kept: {plan.link} has {network.address_text}."
    else:
        sentence = "The network stays as it is."
    facts["proxy_changed"] = changed
    _say(facts, sentence, as_json=plan.as_json)


def _plain(network: Network) -> dict[str, object]:
    return {
        "address": network.address_text,
        "gateway": None if network.gateway is None else str(network.gateway),
        "nameservers": [str(server) for server in network.nameservers],
    }


def _say(facts: Mapping[str, object], sentence: str, *, as_json: bool) -> None:
    typer.echo(json.dumps(facts) if as_json else sentence)
