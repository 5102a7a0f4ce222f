"""`nss check`, also before a start: as the user and within the limits of the service."""

import os
import subprocess
from pathlib import Path

import msgspec
import typer

from cli.asking import process_of, status_if_running
from cli.output import error_lines, show_json
from cli.supervision.background import background_of
from cli.supervision.limits import MAX_OUTPUT_BYTES, NotRun, NotSetUp, run_within
from cli.supervision.systemd import UNIT, Unit, is_inside, unit_of_machine
from nss.background.process import as_user, environment, own_python, service_user
from nss.config import DEFAULT_CONFIG
from nss.connectivity.sockets import listening_inodes
from nss.errors import NssError, ServiceError
from nss.files.beneath import ROOT
from nss.service import checking
from nss.service.checking import CheckResult, ShownProblem
from nss.wording import harmless

_CHECK_SECS = 60


class CheckFailed(ServiceError):  # noqa: N818 - it is what happened
    """The check itself could not be made."""


def show_check(config: Path, *, as_json: bool) -> None:
    """Check a configuration and print what is found. Raises `typer.Exit` if that is wrong."""
    result = check_as_service(config)
    if as_json:
        show_json(plain(result))
        if not result.ok:
            raise typer.Exit(result.exit_code)
        return
    if not result.ok:
        typer.echo(f"nss: {reasons(result)}", err=True)
    else:
        parts = f"sources {', '.join(result.sources)}; feeds {', '.join(result.feeds)}."
        doubt = ", as far as this check can see" if result.unchecked else ""
        typer.echo(harmless(f"{config} is good{doubt}: {parts}"))
        if result.checked_as is not None:
            typer.echo(harmless(f"Checked {result.checked_as}."))
    show_doubts(result)
    if not result.ok:
        raise typer.Exit(result.exit_code)


def plain(result: CheckResult) -> dict[str, object]:
    """Return what a check has found, for JSON."""
    problems = [_plain(each) for each in result.problems]
    if not result.ok and not problems:  # the file as a whole: it is not there, the disk fails
        problems = [
            {"where": result.config, "value": None, "problem": result.message, "tip": result.tip}
        ]
    return {
        "config": result.config,
        "ok": result.ok,
        "exit_code": result.exit_code,
        "problems": problems,
        "warnings": list(result.warnings),
        "sources": list(result.sources),
        "feeds": list(result.feeds),
        "checked_as": result.checked_as,
        "not_checked": list(result.unchecked),
    }


def _plain(problem: ShownProblem) -> dict[str, str | None]:
    """Return a problem for JSON, with what to do apart from what is wrong."""
    reason, _, tip = problem.reason.partition("\nTry: ")
    return {"where": problem.key, "value": problem.value, "problem": reason, "tip": tip or None}


def show_doubts(result: CheckResult) -> None:
    """Print the warnings of a check, and what it could not see."""
    for warning in result.warnings:
        text, _, tip = warning.partition("\nTry: ")
        typer.echo(f"nss: warning: {harmless(text)}", err=True)
        if tip:
            typer.echo(f"Try: {harmless(tip)}", err=True)
    for unseen in result.unchecked:
        typer.echo(f"nss: not checked: {harmless(unseen)}", err=True)


def reasons(result: CheckResult) -> str:
    """Return what is wrong and what to do, line by line harmless."""
    return error_lines(NssError(result.message, tip=result.tip))


def check_as_service(config: Path) -> CheckResult:
    """Check a configuration as its service would find it at a start.

    Raises `CheckFailed` when that can't be done.
    """
    unit = unit_of_machine()
    if unit is None:
        return _by_user(config, _own_sockets(None, config))
    if config.absolute() != DEFAULT_CONFIG:
        result = checking.check(config, _own_sockets(None, config))
        unseen = f"what {UNIT} allows: it runs with {DEFAULT_CONFIG}, and this is another file"
        return _doubted(result, unseen) if os.geteuid() == ROOT else result
    own = _own_sockets(unit, config)
    return checking.check(config, own) if is_inside() else _within_unit(unit, config, own)


def _within_unit(unit: Unit, config: Path, own: frozenset[str] | None) -> CheckResult:
    """Check within the limits of the unit, or say that they are not looked at."""
    if os.geteuid() != ROOT:
        unseen = f"what the service's user and the limits of {UNIT} allow: sudo nss check does"
        return _doubted(checking.check(config, own, is_service=False), unseen)
    try:
        printed = run_within(unit, [*own_python(), *checking.arguments(config, own)])
    except NotRun as error:
        unseen = f"the limits of {UNIT}: {error}"
        return _doubted(_by_user(config, own), unseen)
    except NotSetUp as error:
        return CheckResult(str(config), error.exit_code, str(error.args[0]), error.tip)
    whose = f"as the user {unit.user() or 'root'}, within the limits of {UNIT}"
    return msgspec.structs.replace(checking.printed_result(printed), checked_as=whose)


def _by_user(config: Path, own: frozenset[str] | None) -> CheckResult:
    """Check as the user that root runs services as, if there is one; else as the one at work."""
    other = service_user()
    if other is None:
        return checking.check(config, own)
    command = [*as_user(), *own_python(), *checking.arguments(config.absolute(), own)]
    try:
        ran = subprocess.run(  # noqa: S603 - ours
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            cwd="/",
            env=environment(),
            timeout=_CHECK_SECS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CheckFailed(f"check: it could not be made: {error}") from None
    if ran.returncode or len(ran.stdout) > MAX_OUTPUT_BYTES:
        said = ran.stderr.decode(errors="replace").splitlines() or ["it printed too much"]
        raise CheckFailed(f"check: it could not be made as {other.pw_name}: {said[-1]}")
    return msgspec.structs.replace(
        checking.printed_result(ran.stdout), checked_as=f"as the user {other.pw_name}"
    )


def _doubted(result: CheckResult, unseen: str) -> CheckResult:
    return msgspec.structs.replace(result, unchecked=(*result.unchecked, unseen))


def _own_sockets(unit: Unit | None, config: Path) -> frozenset[str] | None:
    """Return the inodes of the sockets that the running service listens at, `None`: unseen."""
    try:
        pid = unit.pid() if unit else background_of(config).service_pid()
        if pid is None:
            status = status_if_running(config)
            pid = None if status is None else process_of(status, config)
        return frozenset() if pid is None else listening_inodes(pid)
    except (FileNotFoundError, ProcessLookupError):  # it has just ended
        return frozenset()
    except (NssError, OSError):
        return None
