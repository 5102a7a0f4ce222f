"""`nss start`, `stop`, `restart` and the autostart, whoever manages the service."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import typer

from cli.asking import process_of, status_if_running
from cli.lifecycle.checking import check_as_service, reasons, show_doubts
from cli.output import error_lines
from cli.supervision.background import background_of, service_settings
from cli.supervision.systemd import Unit, UnitNotStarted, unit_of_machine
from nss.background.process import NotStarted
from nss.config import DEFAULT_CONFIG
from nss.config.load import ConfigProblems
from nss.errors import ConfigError, ServiceError, UsageError
from nss.updates.failures import UpdateUnderWay
from nss.updates.plan import FOLDER, SWAPPING

STOP_SPARE_SECS = 30.0
"""What a stop may take beyond the time that feeds have to deliver."""

By = Literal["systemd", "nss start"]
Verb = Literal["start", "restart"]


class ForeignService(ServiceError):  # noqa: N818 - it is what was found
    """The service runs, and none of these commands started it."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a command prints as JSON."""

    running: bool
    pid: int | None
    """The process of the service."""
    by: By
    """Who looks after it."""
    changed: bool
    """Whether the command had something to do."""


def start(config: Path, *, as_json: bool) -> None:
    """Start the service unless it runs, if the check finds nothing wrong. Raises `NssError`."""
    unit = _unit(config)
    pid = _readable_pid(unit, config, "start")
    changed = pid is None
    if changed:
        _refuse_foreign(config, "start")
        _check_first(unit, config, "start", "nothing was started")
        pid = _begin(unit, config, "start")
    verb = "NSS service running with pid" if changed else "NSS service is already running with pid"
    _report(Facts(running=True, pid=pid, by=_by(unit), changed=changed), f"{verb} {pid}", as_json)


def stop(config: Path, *, as_json: bool, if_running: bool) -> None:
    """Stop the service if it runs. Raises `NssError`."""
    unit = _unit(config)
    changed = _stop(unit, config)
    sentence = "NSS service stopped" if changed else "NSS service is not running"
    _report(Facts(running=False, pid=None, by=_by(unit), changed=changed), sentence, as_json)
    if if_running and not changed:
        raise typer.Exit(1)


def restart(config: Path, *, as_json: bool) -> None:
    """Stop the service if it runs, and start it, if the check finds nothing wrong before.

    Raises `NssError`.
    """
    unit = _unit(config)
    pid = _readable_pid(unit, config, "restart")
    if pid is None:
        _refuse_foreign(config, "restart")
        _check_first(unit, config, "restart", "nothing was started")
    else:
        kept = f"the service continues with the old configuration (pid {pid})"
        _check_first(unit, config, "restart", kept)
    if unit is None or pid is None:
        _stop(unit, config)
    pid = _begin(unit, config, "restart")
    facts = Facts(running=True, pid=pid, by=_by(unit), changed=True)
    _report(facts, f"NSS service running with pid {pid}", as_json)


def autostart(*, enabled: bool, as_json: bool) -> None:
    """Let the service start with the machine, or no longer. Raises `NssError`."""
    unit = unit_of_machine()
    if unit is None:
        raise ServiceError(
            "autostart: systemd does not run this machine, or has no unit nss-streamer",
            tip="have what starts this machine or container run: nss run",
        )
    unit.enable(wanted=enabled)
    word = "enabled" if enabled else "disabled"
    typer.echo(json.dumps({"autostart": enabled}) if as_json else f"Auto-start of NSS {word}")


def _unit(config: Path) -> Unit | None:
    unit = unit_of_machine()
    if unit is not None and config.absolute() != DEFAULT_CONFIG:
        raise UsageError(
            f"the unit of this machine runs with {DEFAULT_CONFIG}, not with {config}",
            tip=f"without systemd's help: nss run --config {config}",
        )
    return unit


def _by(unit: Unit | None) -> By:
    return "systemd" if unit else "nss start"


def _pid(unit: Unit | None, config: Path) -> int | None:
    if unit:
        return unit.pid()
    background = background_of(config)
    pid = background.pid()
    return None if pid is None else background.service_pid() or pid


def _readable_pid(unit: Unit | None, config: Path, verb: Verb) -> int | None:
    """Return the process of the service. Raises `ConfigError` if the file does not say which."""
    try:
        return _pid(unit, config)
    except ConfigProblems as error:
        raise ConfigError(
            f"{verb}: refused, nothing was stopped or started; a service that runs continues: "
            f"{error.args[0]}",
            tip=error.tip,
        ) from None


def _stop(unit: Unit | None, config: Path) -> bool:
    """Stop the service; returns whether it ran."""
    if _pid(unit, config) is None:
        _refuse_foreign(config, "stop")
        if unit:
            unit.stop()  # it may be about to start again
        return False
    if unit:
        unit.stop()
    else:
        limit = service_settings(config).drain_secs + STOP_SPARE_SECS
        background_of(config).stop(limit)
    return True


def _begin(unit: Unit | None, config: Path, verb: Verb) -> int | None:
    """Start the service; return its process. A service that ended instead lends its exit code."""
    try:
        if unit:
            _refuse_while_exchanged(verb)
            return unit.begin(verb)
        background = background_of(config)
        pid = background.start()
    except (UnitNotStarted, NotStarted) as error:
        typer.echo(f"nss: {error_lines(error)}", err=True)
        raise typer.Exit(error.code or ServiceError.exit_code) from None
    return background.service_pid() or pid


def _refuse_while_exchanged(verb: Verb) -> None:
    """Raise `UpdateUnderWay` while systemd would pass over the start without an error."""
    if (FOLDER / SWAPPING).exists():
        raise UpdateUnderWay(
            f"{verb}: an update exchanges the packages; nothing was started",
            tip="it starts the service itself; see how it ends: sudo nss checkversion",
        )


def _check_first(unit: Unit | None, config: Path, verb: Verb, kept: str) -> None:
    """Make the check of the start, and end the command when it finds something wrong.

    `kept` says what then holds.
    """
    if unit is None:
        background_of(config).make_folders()
    result = check_as_service(config)
    if not result.ok:
        typer.echo(f"nss: {verb}: refused, {kept}: {reasons(result)}", err=True)
        show_doubts(result)
        raise typer.Exit(result.exit_code)
    show_doubts(result)


def _refuse_foreign(config: Path, command: str) -> None:
    """Raise `ForeignService` when somebody else's process has the control socket."""
    status = status_if_running(config)
    if status is None:
        return
    pid = process_of(status, config)
    raise ForeignService(
        f"{command}: NSS runs already, and neither systemd nor nss start started it (pid {pid})",
        tip=f"end it where it was started, or: kill -TERM {pid}",
    )


def _report(facts: Facts, sentence: str, as_json: bool) -> None:  # noqa: FBT001 - passed on
    typer.echo(json.dumps(asdict(facts)) if as_json else sentence)
