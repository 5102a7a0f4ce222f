"""`nss test-firewall`: what of the configuration can be reached, and which ports to open."""

import asyncio
from dataclasses import asdict
from pathlib import Path

import typer

from cli.asking import process_of, status_if_running
from cli.output import show_json
from nss.config import load as configuration
from nss.config.model import Config
from nss.connectivity import Finding, Step
from nss.connectivity.firewall import try_routes
from nss.connectivity.listening import check_listening
from nss.connectivity.plan import OpenPort, listeners_of, ports_of, routes_of
from nss.connectivity.sockets import sockets_of
from nss.errors import NssError
from nss.mcas.access import credentials_store
from nss.wording import harmless


def report(path: Path, timeout_secs: float, *, as_json: bool) -> int:
    """Try everything and print what came of it; returns the exit code. Raises `NssError`."""
    config = configuration.load(path)
    routes = routes_of(config, credentials_store(config.service.state_directory, config.mcas))
    findings = [*asyncio.run(try_routes(routes, timeout_secs)), *_listening(config, path)]
    ports = ports_of(config, routes)
    ok = all(finding.ok for finding in findings)
    if as_json:
        result = {
            "ok": ok,
            "findings": [asdict(finding) | {"ok": finding.ok} for finding in findings],
            "ports": [asdict(port) for port in ports],
        }
        show_json(result)
    else:
        _print(findings, ports)
    return 0 if ok else 1


def _listening(config: Config, path: Path) -> list[Finding]:
    status = status_if_running(path)
    own: frozenset[int] | None = frozenset()
    if status is not None:
        try:
            sockets = sockets_of(process_of(status, path))
            own = frozenset(found.local_port for found in sockets if found.state == "listening")
        except (OSError, NssError):
            own = None
    return [
        check_listening(component, address, own, is_running=status is not None)
        for component, address in listeners_of(config)
    ]


def _print(findings: list[Finding], ports: list[OpenPort]) -> None:
    for finding in findings:
        mark = "ok    " if finding.ok else "FAILED"
        typer.echo(f"{mark}  {harmless(finding.component)}: {harmless(finding.place)}")
        for step in finding.steps:
            for line in _described(step):
                typer.echo(f"        {line}")
    typer.echo("\nPorts to open:")
    for port in ports:
        to = f"{port.host}:{port.port}"
        typer.echo(
            f"  {port.direction:3}  {port.protocol}  {harmless(to):44}  {harmless(port.why)}"
        )


def _described(step: Step) -> list[str]:
    took = "" if step.took_ms is None else f" ({step.took_ms:.0f} ms)"
    mark = "" if step.ok and not step.warns else "! "
    lines = [f"{mark}{step.name}: {harmless(step.sentence)}{took}"]
    if step.tip is not None and (step.warns or not step.ok):
        lines.append(f"  Try: {harmless(step.tip)}")
    return lines
