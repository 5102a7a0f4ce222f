"""The service around an update: stopped, started, and whether records flow as they did."""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_NSS = "/opt/nss-streamer/bin/nss"
_UNIT = "nss-streamer.service"
_BOOTED = Path("/run/systemd/system")
_SECS = 30.0
_START_SECS = 330.0
_STOP_SECS = 150.0
_POLL_SECS = 0.5
_STEADY_SECS = 3.0
"""How long a new version must be without fault, by the same process."""

_RECENT_SECS = 300.0
"""A source whose last record is older than this is not expected to get another one soon."""

_MAX_SHOWN = 300

Status = dict[str, Any]


def status() -> Status | None:
    """Return what the service says of itself, `None` when it does not answer."""
    ran = _run(_NSS, "status", "--json")
    try:
        found = json.loads(ran.stdout)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "feeds" in found else None


def is_running() -> bool:
    """Whether the service runs, or is about to."""
    if _BOOTED.is_dir():
        state = _run("systemctl", "show", "--value", "--property=ActiveState", _UNIT).stdout.strip()
        return state in {"active", "activating", "reloading"}
    return status() is not None


def stop() -> None:
    """Stop the service; it delivers what is pending first."""
    if _BOOTED.is_dir():
        _run("systemctl", "stop", _UNIT, secs=_STOP_SECS)
    else:
        _run(_NSS, "stop", "--if-running", secs=_STOP_SECS)


def start() -> str:
    """Start the service; returns why it does not start, else nothing."""
    if _BOOTED.is_dir():
        _run("systemctl", "daemon-reload")
    ran = _run(_NSS, "start", secs=_START_SECS)
    return "" if ran.returncode == 0 else _said(ran)


def check() -> str:
    """Return what keeps the service from starting, else nothing."""
    ran = _run(_NSS, "check", secs=120)
    return "" if ran.returncode == 0 else _said(ran)


def picture(found: Status | None) -> dict[str, Any]:
    """Return of a status what is compared later."""
    if found is None:
        return {}
    reasons = found["health"]["reasons"]
    return {
        "at": found["at"],
        "wrong": sorted({each["component"] for each in reasons if each["degrades"]}),
        "arriving": any(
            found["at"] - (each["last_at"] or 0) < _RECENT_SECS for each in found["sources"]
        ),
        "moving": [
            each["name"]
            for each in found["feeds"]
            if each["delivered"] + each["filtered"] and each["patience_secs"] < _STEADY_SECS
        ],
    }


def faults(before: dict[str, Any], first: Status, now: Status | None) -> Iterator[str]:
    """Yield what is not as it was before: `first` is the first status of the version at work."""
    if now is None:
        yield "it does not answer"
        return
    if now["pid"] != first["pid"]:
        yield "it ended and was started again"
    known = set(before.get("wrong", ()))
    for each in now["health"]["reasons"]:
        if each["degrades"] and each["component"] not in known:
            yield f"{each['component']}: {each['why']}"[:_MAX_SHOWN]
    if not before.get("arriving"):
        return
    if not any(each["records"] for each in now["sources"]):
        yield "records arrived before, and none has been accepted since"
        return
    earlier = {each["name"]: each for each in first["feeds"]}
    for each in now["feeds"]:
        started = earlier.get(each["name"])
        if each["name"] not in before.get("moving", ()) or started is None:
            continue
        took = each["accepted"] > started["accepted"] or each["pending"]
        moved = sum(each[key] - started[key] for key in ("delivered", "filtered"))
        if took and moved <= 0:
            yield f"feed {each['name']}: it delivered before, and delivers nothing now"


def verify(before: dict[str, Any], secs: float) -> str:
    """Wait until the service is as it was before, for some time; returns what is wrong by then.

    What is good only at the very end of `secs` is looked at for as long as anything else.
    """
    deadline = time.monotonic() + secs
    first, good_since, wrong = None, None, "it does not answer"
    while good_since is not None or time.monotonic() < deadline:
        now = status()
        first = first or now
        found = list(faults(before, first, now)) if first is not None else [wrong]
        if first is not None and now is not None and now["pid"] != first["pid"]:
            return found[0]  # a version that ends by itself is none to keep
        if found:
            good_since, wrong = None, "; ".join(found[:3])
        else:
            good_since = good_since or time.monotonic()
            if time.monotonic() - good_since >= _STEADY_SECS:
                return ""
        time.sleep(_POLL_SECS)
    return wrong


def _said(ran: "subprocess.CompletedProcess[str]") -> str:
    lines = [line for line in ran.stderr.strip().splitlines() if line.strip()]
    text = " ".join(lines[:4]) or f"exit code {ran.returncode}"
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:_MAX_SHOWN]


def _run(*command: str, secs: float = _SECS) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(  # noqa: S603 - ours, and the system's
            command,
            cwd="/",
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=secs,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return subprocess.CompletedProcess(command, 124, "", f"{command[0]} did not end in time")
